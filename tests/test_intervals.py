"""Intervals hold what they promise, by enumeration and by simulation."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from synthetic import small_study, synthetic, without

from landscape.analysis import bootstrap, intervals, metric, performance
from landscape.analysis.ranking import correlation


@pytest.fixture(scope="module")
def dataset() -> xr.Dataset:
    return synthetic(small_study(), np.random.default_rng(0))


@pytest.mark.parametrize("level", [0.8, 0.95])
@pytest.mark.parametrize("n", [1, 10, 50])
def test_binomial_interval_equals_scipy(n: int, level: float) -> None:
    low, high = intervals.binomial_interval(np.arange(n + 1), n, level)
    for k in range(n + 1):
        assert_allclose((low[k], high[k]), stats.binomtest(k, n).proportion_ci(level), atol=1e-12)


@pytest.mark.parametrize("n", [5, 50, 1000])
def test_binomial_interval_holds_every_share_as_often_as_it_says(n: int) -> None:
    """Coverage by enumerating all outcomes, exactly."""
    outcomes, shares = np.arange(n + 1), np.linspace(0.001, 0.999, 97)[:, None]
    low, high = intervals.binomial_interval(outcomes, n)
    coverage = np.sum(stats.binom.pmf(outcomes, n, shares), axis=1, where=(low <= shares) & (shares <= high))
    assert coverage.min() >= 0.95


def test_size_interval_is_that_of_the_counted_edges() -> None:
    barriers = np.array([[0.1, 0.2, 0.3, 0.4], [0.5, 0.5, 0.5, np.nan]])
    low, high = intervals.size_interval(barriers, np.array([0.25, 1.0]))
    assert_allclose((low[0], high[0]), stats.binomtest(2, 4).proportion_ci())
    assert np.isnan(low[1]) and np.isnan(high[1])


def draws_by_resampling(
    base: np.ndarray, walk: np.ndarray, q: float, count: int, rng: np.random.Generator
) -> np.ndarray:
    """The bootstrap of M as it is usually written."""
    n = len(base)
    bases, walks = base[rng.integers(0, n, (count, n))], walk[rng.integers(0, n, (count, n))]
    limits = metric.threshold(bases, q)
    return metric.manifold_size(walks, limits) - metric.manifold_size(bases, limits)


@pytest.mark.parametrize("q", [0.05, 0.4, 0.9])
@pytest.mark.parametrize("distinct", [4, 10**6], ids=["ties", "no ties"])
def test_draws_have_the_law_of_resampling(q: float, distinct: int) -> None:
    rng = np.random.default_rng(5)
    base, walk = rng.integers(0, distinct, 60) / distinct, rng.integers(0, distinct, 60) / distinct * 0.8
    fast = bootstrap.metric_draws(base[None], walk[None, None], q, 20_000, rng)[0, 0]
    slow = draws_by_resampling(base, walk, q, 20_000, rng)
    edges = (np.round(60 * draws) for draws in (fast, slow))
    assert stats.ks_2samp(*edges).statistic < 0.02  # 1.36·√(2/20000) = 0.0136 at 5 %
    assert fast.mean() == pytest.approx(slow.mean(), abs=4 * slow.std() / 100)


def test_metric_interval_holds_the_true_metric() -> None:
    """Coverage by simulation: 400 seeds whose barriers follow known laws, and M known from them."""
    rng, q, n, growth = np.random.default_rng(7), 0.4, 200, 1.5
    base, walk = rng.exponential(1, (400, n)), rng.exponential(1 / growth, (400, 1, n))
    truth = 1 - (1 - q) ** growth - q
    draws = bootstrap.metric_draws(base, walk, q, 500, rng)[:, 0]
    low, high = np.quantile(draws, [0.025, 0.975], axis=-1)
    assert 0.91 <= np.mean((low <= truth) & (truth <= high)) <= 0.985


def test_metric_interval_is_deterministic_and_surrounds_the_metric(dataset: xr.Dataset) -> None:
    first, again = (bootstrap.metric_interval(dataset, 0.4, 60) for _ in range(2))
    xr.testing.assert_identical(first, again)
    found = metric.manifold_metric(dataset, 0.4, 60).isel(checkpoint=0)
    assert first.dims == ("bound", "seed", "candidate")
    assert (first.sel(bound="low") <= found + 1e-9).all() and (found <= first.sel(bound="high") + 1e-9).all()
    assert (bootstrap.metric_interval(dataset, 0.4, 60, seed=1) != first).any()


def test_metric_interval_narrows_with_n(dataset: xr.Dataset) -> None:
    study = small_study(permutations=500)
    long = synthetic(study, np.random.default_rng(1))
    widths = [bootstrap.metric_interval(long, 0.4, n).diff("bound").mean() for n in (20, 500)]
    assert widths[0] > 2 * widths[1]


def test_metric_interval_of_what_is_missing_is_missing(dataset: xr.Dataset) -> None:
    partial = without(dataset, seed=1, candidate="hidden1 → 8")
    missing = bootstrap.metric_interval(partial, 0.4, 60).isnull()
    assert missing.sum() == 2 and missing.sel(seed=1, candidate="hidden1 → 8").all()


def test_an_unmeasured_checkpoint_is_named(dataset: xr.Dataset) -> None:
    with pytest.raises(ValueError, match="got 99"):
        bootstrap.metric_interval(dataset, 0.4, 60, checkpoint=99)


@pytest.mark.parametrize("level", [0, 1, 95])
def test_a_level_out_of_range_is_named(level: float) -> None:
    with pytest.raises(ValueError, match=str(level)):
        intervals.binomial_interval(1, 2, level)


@pytest.mark.parametrize("level", [0.8, 0.95])
@pytest.mark.parametrize("count", [2, 3, 10])
def test_mean_interval_equals_scipy(count: int, level: float) -> None:
    values = np.random.default_rng(3).normal(5, 2, (4, count))
    expected = stats.t.interval(level, count - 1, values.mean(-1), stats.sem(values, -1))
    assert_allclose(intervals.mean_interval(values, level), expected)


@pytest.mark.parametrize("count", [2, 3, 5, 10])
def test_mean_interval_holds_the_mean_as_often_as_it_says(count: int) -> None:
    """Coverage by simulation on normal values."""
    values = np.random.default_rng(11).normal(size=(40_000, count))
    low, high = intervals.mean_interval(values)
    assert np.mean((low <= 0) & (high >= 0)) == pytest.approx(0.95, abs=0.005)


@given(st.lists(st.integers(-50, 50), min_size=2, max_size=6), st.integers(-9, 9), st.sampled_from([-4, -0.5, 2, 8]))
def test_mean_interval_moves_with_the_values(values: list[int], shift: int, scale: float) -> None:
    """Their order does not matter; shifted and scaled values have a shifted and scaled interval."""
    low, high = intervals.mean_interval(values)
    assert_allclose(intervals.mean_interval(values[::-1]), (low, high))
    moved = intervals.mean_interval(shift + scale * np.array(values))
    assert_allclose(sorted(moved), sorted((shift + scale * low, shift + scale * high)), atol=1e-9)


def test_mean_interval_leaves_out_missing_values_and_needs_two_that_differ() -> None:
    values = np.array([[1.0, 2, 3, np.nan], [1.0, 2, 3, 4], [np.nan] * 3 + [1.0], [2.0] * 4, [np.nan] * 4])
    low, high = intervals.mean_interval(values)
    assert_array_equal((low[0], high[0]), intervals.mean_interval(values[0, :3]))
    assert np.isfinite([low[1], high[1]]).all()
    assert np.isnan([low[2:], high[2:]]).all()


def test_bounds_stay_within_what_a_mean_can_be() -> None:
    taus = xr.DataArray([[0.2, 0.9, 1.0], [0.1, 0.2, 0.3]], dims=("predictor", "seed"))
    free, cut = intervals.over_seeds(taus), intervals.over_seeds(taus, within=correlation.RANGE)
    assert free["high"][0] > 1 and cut["high"][0] == 1
    xr.testing.assert_identical(cut["low"], free["low"])
    xr.testing.assert_identical(cut.isel(predictor=1), free.isel(predictor=1))


def test_over_seeds_equals_numpy(dataset: xr.Dataset) -> None:
    values = performance.gain(without(dataset, seed=0, candidate="hidden1 → 8"), "accuracy")
    found = intervals.over_seeds(values)
    assert_allclose(found["mean"], np.nanmean(values, 0))
    assert_allclose(found["std"], np.nanstd(values, 0, ddof=1))
    assert_array_equal(found["count"].sel(candidate="hidden1 → 8"), 3)
    assert found["low"].dims == ("candidate", "epoch")
    inside = (found["low"] <= found["mean"]) & (found["mean"] <= found["high"])
    assert (inside | found["low"].isnull()).all()
    assert found["low"].isel(epoch=slice(1, None)).notnull().all()


def test_one_seed_has_a_mean_but_no_spread(dataset: xr.Dataset) -> None:
    found = intervals.over_seeds(performance.best_gain(dataset.isel(seed=[0]), "accuracy"))
    assert found["mean"].notnull().all()
    assert found[["std", "low", "high"]].to_array().isnull().all()
