"""The performance gain against its definition, and what counts as no gain."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr
from numpy.testing import assert_allclose, assert_array_equal
from synthetic import small_study, synthetic, without

from landscape.analysis import performance
from landscape.analysis.divergence import Diverged, diverged, divergence
from landscape.analysis.summary import summary
from landscape.cli.report import html_report
from landscape.cli.tables import summary_text


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


def diverged_at(dataset: xr.Dataset, loss: float) -> xr.Dataset:
    """The widest candidate of seed 1 has this loss from epoch 2 on, and the accuracy of class 0, as once stored."""
    lost = dataset.copy(deep=True)
    lost["validation_loss"].values[1, 2, 2:] = loss
    lost["validation_accuracy"].values[1, 2, 2:] = 0.999
    return lost


@pytest.mark.parametrize("loss", [np.nan, np.inf])
@pytest.mark.parametrize("measure", performance.MEASURES)
def test_a_network_that_diverged_has_no_performance(dataset: xr.Dataset, measure: performance.Measure, loss) -> None:
    lost = diverged_at(dataset, loss)
    assert performance.performance(lost, measure).isnull().values[1, 2].tolist() == [False] * 2 + [True] * 11
    best = performance.best_gain(lost, measure).values[1, 2]
    assert best == performance.gain(dataset, measure).values[1, 2, :2].max()


@pytest.mark.parametrize("loss", [np.nan, np.inf])
def test_what_diverged_is_named(dataset: xr.Dataset, loss) -> None:
    """Not what has yet to be trained, nor the epochs after a base was stopped."""
    study = small_study()
    training = study.training.model_copy(update={"patience": 1})
    stopped = synthetic(study.model_copy(update={"training": training}), np.random.default_rng(0))
    stopped["base_stop"].values[:] = 2
    stopped["base_validation_loss"].values[:, 4:] = np.nan
    assert divergence(stopped) is None
    assert divergence(dataset) is None
    widest = str(dataset["candidate"].values[2])
    lost = diverged_at(dataset, loss)
    lost["base_validation_loss"].values[3, 5:] = loss
    assert diverged(lost) == [Diverged("base", 3, 5), Diverged(widest, 1, 2)]
    assert f"base of seed 3 (after epoch 5) and {widest} of seed 1 (after epoch 2)" in str(divergence(lost))
    found = summary(lost)
    assert found["diverged"] == [each._asdict() for each in diverged(lost)]
    assert str(divergence(lost)) in summary_text(found)
    assert str(divergence(lost)) in html_report(lost)
    begun = without(lost, candidate=widest, seed=1)
    assert [each.model for each in diverged(begun)] == ["base"]


def test_numbers_that_are_not_finite_are_null_in_json(dataset: xr.Dataset) -> None:
    """A loss of 0 has an infinite −log."""
    perfect = dataset.copy(deep=True)
    perfect["validation_loss"].values[:, 0, -1] = 0
    estimate = summary(perfect)["candidates"][0]["best_gain"]["negative log loss"]
    assert estimate["mean"] is None
    json.dumps(summary(perfect), allow_nan=False)
