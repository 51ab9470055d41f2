"""The performance gain against its definition, and what counts as no gain."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from numpy.testing import assert_allclose, assert_array_equal
from synthetic import small_study, synthetic

from landscape.analysis import performance


@pytest.fixture(scope="module")
def dataset() -> xr.Dataset:
    return synthetic(small_study(), np.random.default_rng(0))


def test_an_unknown_measure_is_named(dataset: xr.Dataset) -> None:
    with pytest.raises(ValueError, match="'f1'"):
        performance.gain(dataset, "f1")


@pytest.mark.parametrize("measure", performance.MEASURES)
def test_gain_is_the_difference_to_the_early_stopped_base(dataset: xr.Dataset, measure: performance.Measure) -> None:
    grown = performance.gain(dataset, measure)
    stop = int(dataset["base_stop"][2])
    if measure == "accuracy":
        by_hand = 100 * (
            dataset["validation_accuracy"].values[2, 1, 5].astype(float)
            - dataset["base_validation_accuracy"].values[2, stop]
        )
    else:
        by_hand = np.log(dataset["base_validation_loss"].values[2, stop] / dataset["validation_loss"].values[2, 1, 5])
    assert grown.values[2, 1, 5] == pytest.approx(by_hand, rel=1e-4)
    assert_array_equal(grown.isel(epoch=0), 0)  # an expansion preserves the function


def test_gains_that_are_rounding_are_ties(dataset: xr.Dataset) -> None:
    """Training made every candidate worse, so the best epoch is that of the expansion, whose loss is rounded."""
    worse = dataset.copy(deep=True)
    base = worse["base_validation_loss"].sel(base_epoch=worse["base_stop"]).values[:, None]
    worse["validation_loss"].values[:] = 1.1 * base[..., None]
    worse["validation_loss"].values[..., 0] = base * (1 + np.array([0, 1e-7, -2e-7], np.float32))
    unequal = np.unique(worse["validation_loss"].values[0, :, 0])
    assert unequal.size > 1
    assert (performance.best_gain(worse, "negative log loss") == 0).all()
    worse["validation_loss"].values[..., 0] = base * np.float32(1 - 1e-5)
    assert_allclose(performance.best_gain(worse, "negative log loss"), 1e-5, rtol=0.05)


def test_an_expansion_alone_gains_nothing(dataset: xr.Dataset) -> None:
    for measure in performance.MEASURES:
        assert (performance.gain(dataset.isel(epoch=[0]), measure) == 0).all()
        assert performance.best_gain(dataset.isel(epoch=[0]), measure).isnull().all()


@pytest.mark.parametrize("measure", performance.MEASURES)
def test_best_gain_is_the_greatest_over_epochs(dataset: xr.Dataset, measure: performance.Measure) -> None:
    rng = np.random.default_rng(3)
    noisy = dataset.copy(deep=True)
    for name in ("validation_accuracy", "validation_loss"):
        noisy[name] *= rng.uniform(0.9, 1.1, noisy[name].shape)
    assert_array_equal(performance.best_gain(noisy, measure), performance.gain(noisy, measure).values.max(-1))
