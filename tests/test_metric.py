"""The manifold metric against loops that follow the definition, and its laws."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from synthetic import small_study, synthetic, without

from landscape.analysis import metric, walks
from landscape.analysis.performance import best_gain, gain

BARRIERS = arrays(np.float32, st.integers(1, 40), elements=st.sampled_from([0, 0.125, 0.25, 0.5, 1, 3]))
QUANTILES = st.floats(0.01, 0.99)


@pytest.fixture(scope="module")
def dataset() -> xr.Dataset:
    return synthetic(small_study(), np.random.default_rng(0))


def loop_metric(base: np.ndarray, barriers: np.ndarray, q: float, n: int) -> float:
    """M in percent, as Algorithm 1 and eq. 2 say it."""
    limit = np.quantile(base[:n].astype(float), q)
    shares = []
    for walk in (barriers, base):
        edges = 0
        for barrier in walk[:n]:
            if barrier <= limit:
                edges += 1
        shares.append(edges / n)
    return 100 * (shares[0] - shares[1])


@pytest.mark.parametrize("q", [0.05, 0.4, 0.93])
@pytest.mark.parametrize("n", [1, 7, 60])
def test_metric_equals_the_definition(dataset: xr.Dataset, q: float, n: int) -> None:
    found = metric.manifold_metric(dataset, q, n)
    assert found.dims == ("seed", "candidate", "checkpoint")
    for place in np.ndindex(*found.shape):
        base, barriers = dataset["base_barrier"].values[place[0]], dataset["barrier"].values[place]
        assert found.values[place] == pytest.approx(loop_metric(base, barriers, q, n))


def test_grid_equals_the_metric_in_every_cell(dataset: xr.Dataset) -> None:
    qs, ns = [0.05, 0.2, 0.4, 0.8], [1, 13, 60]
    grid = metric.metric_grid(dataset, qs, ns)
    for q in qs:
        for n in ns:
            assert_array_equal(
                grid.sel(q=q, n=n).values, metric.manifold_metric(dataset, q, n).isel(checkpoint=0).values
            )


def test_a_walk_of_n_is_the_prefix_of_a_longer_one(dataset: xr.Dataset) -> None:
    short = dataset.isel(permutation=slice(20))
    xr.testing.assert_equal(metric.manifold_metric(dataset, 0.3, 20), metric.manifold_metric(short, 0.3, 20))


def test_a_candidate_with_the_barriers_of_the_base_has_metric_zero(dataset: xr.Dataset) -> None:
    twin = dataset.copy()
    twin["barrier"] = dataset["base_barrier"].broadcast_like(dataset["barrier"]).transpose(*dataset["barrier"].dims)
    assert (metric.manifold_metric(twin, 0.4, 50) == 0).all()


@given(BARRIERS, QUANTILES)
def test_the_base_itself_has_at_least_a_share_q_and_the_ceiling_follows(base: np.ndarray, q: float) -> None:
    n = len(base)
    share = metric.manifold_size(base, metric.threshold(base, q))
    assert share >= np.floor(q * (n - 1) + 1 - 1e-9) / n
    assert 1 - share <= 1 - q + q / n + 1e-9


@given(BARRIERS, BARRIERS, QUANTILES, QUANTILES)
def test_size_grows_with_q(base: np.ndarray, barriers: np.ndarray, q: float, other: float) -> None:
    low, high = (metric.manifold_size(barriers, metric.threshold(base, each)) for each in sorted((q, other)))
    assert low <= high


@given(BARRIERS, QUANTILES, st.integers(-3, 3))
def test_threshold_and_size_scale_with_the_loss(base: np.ndarray, q: float, power: int) -> None:
    scaled = base * np.float32(2.0**power)
    assert metric.threshold(scaled, q) == pytest.approx(metric.threshold(base, q) * 2.0**power)
    assert metric.manifold_size(scaled, metric.threshold(scaled, q)) == metric.manifold_size(
        base, metric.threshold(base, q)
    )


def test_an_edge_exists_at_the_threshold_itself() -> None:
    assert metric.manifold_size([0.1, 0.2, 0.3], 0.2) == pytest.approx(2 / 3)


def test_several_quantiles_at_once_are_those_one_by_one() -> None:
    barriers = np.random.default_rng(1).random((3, 17))
    together = metric.threshold(barriers, [0.1, 0.5])
    assert_array_equal(together, np.stack([metric.threshold(barriers, q) for q in (0.1, 0.5)], -1))


@pytest.mark.parametrize("q", [0, 1, -0.2, 1.5, float("nan")])
def test_q_outside_its_range_is_named(dataset: xr.Dataset, q: float) -> None:
    with pytest.raises(ValueError, match=rf"between 0 and 1; got {q:g}"):
        metric.manifold_metric(dataset, q, 10)


@pytest.mark.parametrize("n", [0, -1, 61, 2.5, "many"])
def test_n_outside_its_range_is_named(dataset: xr.Dataset, n: object) -> None:
    with pytest.raises(ValueError, match=rf"1 to 60.*got {n!r}"):
        metric.manifold_metric(dataset, 0.4, n)


def test_no_barriers_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        metric.threshold([], 0.4)
    with pytest.raises(ValueError, match="at least one"):
        metric.manifold_size([], 0.4)


def test_at_ceiling_says_where_every_edge_exists(dataset: xr.Dataset) -> None:
    flat = dataset.copy(deep=True)
    flat["barrier"].loc[{"seed": 1, "candidate": "hidden1 → 18"}] = 0
    bound = metric.at_ceiling(flat, 0.4, 50)
    assert bound.sel(seed=1, candidate="hidden1 → 18").all()
    highest = metric.manifold_metric(flat, 0.4, 50).where(bound)
    base = metric.manifold_size(flat["base_barrier"][1, :50], metric.threshold(flat["base_barrier"][1, :50], 0.4))
    assert_allclose(highest.sel(seed=1, candidate="hidden1 → 18"), 100 * (1 - base))
    assert not bound.sel(seed=0).any()


def test_missing_parts_stay_missing_and_nothing_else_does(dataset: xr.Dataset) -> None:
    partial = without(dataset, seed=3, candidate="hidden1 → 12")
    for found in (metric.manifold_metric(partial, 0.4, 30), best_gain(partial, "accuracy")):
        missing = found.isnull()
        assert missing.sel(seed=3, candidate="hidden1 → 12").all()
        assert not missing.drop_sel(seed=3).any() and not missing.drop_sel(candidate="hidden1 → 12").any()


def test_a_missing_base_takes_its_candidates_with_it_and_a_missing_epoch_is_passed_over(dataset: xr.Dataset) -> None:
    partial = dataset.copy(deep=True)
    partial["base_barrier"][0] = np.nan
    partial["base_stop"][0] = np.nan
    partial["validation_accuracy"][1, 0, -3:] = np.nan
    assert metric.manifold_metric(partial, 0.4, 30).isel(seed=0).isnull().all()
    best = best_gain(partial, "accuracy")
    assert best.isel(seed=0).isnull().all()
    assert best[1, 0] == gain(dataset, "accuracy")[1, 0, :-3].max()


def test_the_metric_against_a_candidate_itself_is_that_of_its_definition(dataset: xr.Dataset) -> None:
    checkpoint = int(dataset["checkpoint"][1])
    found = metric.own_metric(dataset, 0.3, 40, checkpoint)
    for seed, candidate in np.ndindex(dataset.sizes["seed"], dataset.sizes["candidate"]):
        barriers = dataset["barrier"].values[seed, candidate, :, :40].astype(np.float64)
        limit = np.quantile(barriers[1], 0.3)
        shares = [100 * np.mean(row <= limit) for row in barriers]
        assert_allclose(found.values[seed, candidate], np.array(shares) - shares[1], atol=1e-9)
    with pytest.raises(ValueError, match="checkpoint must be one of"):
        metric.own_metric(dataset, 0.3, 40, 10**6)


def test_the_whole_picture_reaches_as_far_as_its_shortest_walk(dataset: xr.Dataset) -> None:
    assert walks.steps_reached(dataset) == 60
    partial = dataset.copy(deep=True)
    partial["barrier"][0, 1, 2, 50:] = np.nan
    assert walks.steps_reached(partial) == 50
    assert np.isfinite(metric.manifold_metric(partial, 0.4, 50)).all()
    assert np.isnan(metric.manifold_metric(partial, 0.4, 51)).any()
    partial["base_barrier"][3, 7:] = np.nan
    assert walks.steps_reached(partial) == 7
    partial["base_barrier"][3] = np.nan  # not begun
    assert walks.steps_reached(partial) == 50
    assert walks.steps_reached(dataset.where(False)) == 60
