"""Partial rank correlations: by hand in NumPy and SciPy, and the laws that they obey."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose
from scipy import stats
from synthetic import small_study, synthetic, without

from landscape.analysis import performance
from landscape.analysis.ranking import correlation
from landscape.analysis.ranking.partial_correlation import partial_correlation, predictor_partial_correlation
from landscape.analysis.ranking.scores import candidate_scores

Q, N, MEASURE = 0.4, 50, "accuracy"
ROWS = arrays(np.float64, 6, elements=st.integers(-3, 3).map(float))
KINDS = st.sampled_from(correlation.KINDS)


def signs(x: np.ndarray) -> np.ndarray:
    i, j = np.triu_indices(len(x), 1)
    return np.sign(x[j] - x[i])


def by_projection(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> float:
    """The cosine between what is left of the signs of x and of y without their projections on those of z."""
    s, t, u = map(signs, (x, y, z))
    s, t = (each - u * (each @ u) / max(u @ u, 1) for each in (s, t))
    lengths = np.linalg.norm(s) * np.linalg.norm(t)
    return s @ t / lengths if lengths > 1e-9 else np.nan


@given(ROWS, ROWS, ROWS)
def test_partial_kendall_is_the_correlation_of_what_z_leaves(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> None:
    assert_allclose(partial_correlation(x, y, z), by_projection(x, y, z), atol=1e-7)


@given(arrays(np.float64, (3, 7), elements=st.floats(-9, 9).map(lambda value: round(value, 2)), unique=True))
def test_partial_pearson_is_the_correlation_of_residuals(rows: np.ndarray) -> None:
    x, y, z = rows
    left = [each - np.polyval(np.polyfit(z, each, 1), z) for each in (x, y)]
    if min(np.std(each) for each in left) > 1e-3:
        assert_allclose(partial_correlation(x, y, z, "pearson"), stats.pearsonr(*left).statistic, atol=1e-6)


def test_an_example_by_hand() -> None:
    x, y, z = np.array([1, 2, 3, 4, 5]), np.array([1, 3, 2, 5, 4]), np.array([2, 1, 3, 5, 4])
    xy, xz, yz = (stats.kendalltau(a, b).statistic for a, b in ((x, y), (x, z), (y, z)))
    assert (xy, xz, yz) == pytest.approx((0.6, 0.6, 0.6))
    assert partial_correlation(x, y, z) == pytest.approx((0.6 - 0.36) / (1 - 0.36))


@given(ROWS, ROWS, ROWS, KINDS)
def test_it_is_symmetric_and_lies_between_minus_one_and_one(
    x: np.ndarray, y: np.ndarray, z: np.ndarray, kind: correlation.Kind
) -> None:
    found = partial_correlation(x, y, z, kind)
    assert_allclose(found, partial_correlation(y, x, z, kind), atol=1e-12)
    assert_allclose(found, partial_correlation(x, y, -z, kind), atol=1e-12)
    assert np.isnan(found) or abs(found) <= 1


@given(ROWS, ROWS, KINDS)
def test_given_a_constant_it_is_the_correlation_itself(x: np.ndarray, y: np.ndarray, kind: correlation.Kind) -> None:
    plain = correlation.correlation(x, y, kind)
    assert_allclose(partial_correlation(x, y, np.full(6, 2.0), kind), plain, atol=1e-12)


@pytest.mark.parametrize("kind", correlation.KINDS)
def test_given_what_is_correlated_with_neither_it_is_the_correlation_itself(kind: correlation.Kind) -> None:
    x, y, z = np.array([1.0, 2, 3, 4]), np.array([2.0, 1, 4, 3]), np.array([1.0, -1, -1, 1])
    assert correlation.correlation([x, y], z, kind) == pytest.approx([0, 0])
    assert partial_correlation(x, y, z, kind) == pytest.approx(correlation.correlation(x, y, kind))


@given(ROWS, ROWS, KINDS)
def test_it_is_not_defined_where_z_explains_one_completely(
    x: np.ndarray, y: np.ndarray, kind: correlation.Kind
) -> None:
    for z in (2 * x + 1, -x):
        if np.ptp(x):
            assert np.isnan(partial_correlation(x, y, z, kind)) and np.isnan(partial_correlation(y, x, z, kind))


def test_what_is_missing_in_any_of_the_three_is_left_out() -> None:
    rng = np.random.default_rng(0)
    x, y, z = rng.normal(size=(3, 9))
    x[0], y[1], z[2] = np.nan, np.inf, np.nan
    assert_allclose(partial_correlation(x, y, z), partial_correlation(x[3:], y[3:], z[3:]))


def test_it_takes_the_last_axis_and_broadcasts() -> None:
    rng = np.random.default_rng(1)
    x, y, z = rng.integers(0, 5, (3, 1, 7)).astype(float), rng.normal(size=(4, 7)), rng.normal(size=7)
    found = partial_correlation(x, y, z)
    assert found.shape == (3, 4)
    for i, j in np.ndindex(3, 4):
        assert found[i, j] == pytest.approx(by_projection(x[i, 0], y[j], z))


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(ValueError, match="'cosine'"):
        partial_correlation([1, 2], [1, 2], [1, 2], "cosine")


@pytest.fixture
def dataset() -> xr.Dataset:
    return synthetic(small_study(), np.random.default_rng(0))


def test_predictors_given_the_parameter_count_equal_a_loop(dataset: xr.Dataset) -> None:
    found = predictor_partial_correlation(dataset, Q, N, MEASURE)
    assert found.dims == ("predictor", "seed")
    scores, best = candidate_scores(dataset, Q, N).values, performance.best_gain(dataset, MEASURE).values
    counts = dataset["parameters"].values[1:].astype(float)
    for i, seed in np.ndindex(*found.shape):
        assert found.values[i, seed] == pytest.approx(by_projection(scores[i, seed], best[seed], counts), nan_ok=True)
    assert found.sel(predictor="parameters").isnull().all()
    assert found.notnull().any()


def test_candidates_of_equal_size_leave_every_correlation_as_it_is(dataset: xr.Dataset) -> None:
    dataset["parameters"].values[:] = 500
    found = predictor_partial_correlation(dataset, Q, N, MEASURE)
    assert_allclose(found, correlation.predictor_correlation(dataset, Q, N, MEASURE), atol=1e-12)


def test_a_missing_candidate_is_left_out(dataset: xr.Dataset) -> None:
    dataset["parameters"].values[:] = 500  # two candidates of different size have no partial correlation
    partial = without(dataset, candidate="hidden1 → 8")
    fewer = dataset.sel(candidate=["hidden1 → 12", "hidden1 → 18"])
    found, expected = (predictor_partial_correlation(each, Q, N, MEASURE) for each in (partial, fewer))
    assert_allclose(found.values, expected.values)
