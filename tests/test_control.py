"""The control and the gain beyond it, by hand in NumPy, and what is said of them."""

from __future__ import annotations

import re

import numpy as np
import pytest
import xarray as xr
from synthetic import small_study, synthetic

from landscape import figures
from landscape.analysis import performance
from landscape.analysis.control import control_as_candidate, control_gain, excess_gain, not_above_control
from landscape.analysis.intervals import over_seeds
from landscape.analysis.metric import manifold_metric
from landscape.analysis.summary import long_table, summary
from landscape.analysis.wording import NO_CONTROL
from landscape.cli.report import html_report
from landscape.cli.tables import summary_text
from landscape.study import Study
from pages.shared import answer

Q, N = 0.4, 50


def made(**changes: object) -> xr.Dataset:
    study: Study = small_study().model_copy(update=changes)
    return synthetic(study, np.random.default_rng(0))


def by_hand(dataset: xr.Dataset, measure: performance.Measure) -> tuple[np.ndarray, np.ndarray]:
    """G*_T of the candidates (seed, candidate), and of the control (seed)."""
    stop, seeds = dataset["base_stop"].values.astype(int), np.arange(dataset.sizes["seed"])

    def measured(prefix: str) -> np.ndarray:
        if measure == "accuracy":
            return 100 * dataset[f"{prefix}validation_accuracy"].values.astype(float)
        return -np.log(dataset[f"{prefix}validation_loss"].values.astype(float))

    base = measured("base_")[seeds, stop]
    best, control = measured("").max(-1) - base[:, None], measured("control_").max(-1) - base
    return best, control


@pytest.mark.parametrize("measure", performance.MEASURES)
def test_excess_is_the_best_gain_less_that_of_the_control_of_the_same_seed(measure: performance.Measure) -> None:
    dataset = made()
    best, control = by_hand(dataset, measure)
    np.testing.assert_allclose(control_gain(dataset, measure), control, rtol=1e-6)
    np.testing.assert_allclose(excess_gain(dataset, measure), best - control[:, None], atol=1e-9)
    told = summary(dataset)
    for i, candidate in enumerate(told["candidates"]):
        assert candidate["excess_gain"][measure]["mean"] == pytest.approx((best[:, i] - control).mean())
    assert told["control"]["best_gain"][measure]["mean"] == pytest.approx(control.mean())


@pytest.mark.parametrize("measure", performance.MEASURES)
def test_a_candidate_that_trains_as_the_control_does_has_no_excess_and_its_metric(measure: performance.Measure) -> None:
    dataset = made()
    for name in ("validation_accuracy", "validation_loss"):
        dataset[name].values[:, 1] = dataset[f"control_{name}"].values
    dataset["barrier"].values[:, 1] = dataset["control_barrier"].values
    assert (excess_gain(dataset, measure).isel(candidate=1) == 0).all()
    found = manifold_metric(control_as_candidate(dataset), Q, N)
    np.testing.assert_array_equal(found.isel(candidate=0), manifold_metric(dataset, Q, N).isel(candidate=1))
    np.testing.assert_array_equal(found.sel(checkpoint=0), 0)  # it is walked as the base is


def test_the_interval_of_the_excess_is_paired_over_seeds() -> None:
    """A gain that is the seed's own, and so the control's as well, does not widen it."""
    dataset = made()
    own = np.array([0.0, 0.02, 0.01, 0.03])
    for name in ("validation_accuracy", "control_validation_accuracy"):
        dataset[name].values[..., 1:] += own.reshape(-1, *[1] * (dataset[name].ndim - 1))
    shifted, plain = (over_seeds(excess_gain(each, "accuracy")) for each in (dataset, made()))
    for bound in ("low", "high"):
        np.testing.assert_allclose(shifted[bound], plain[bound], atol=1e-4)


def test_a_control_that_never_moved_gains_nothing() -> None:
    dataset = made()
    start = dataset["control_validation_accuracy"].isel(epoch=0)
    dataset["control_validation_accuracy"].values[:] = start.values[:, None]
    assert (control_gain(dataset, "accuracy") == 0).all()
    best = performance.best_gain(dataset, "accuracy")
    np.testing.assert_array_equal(excess_gain(dataset, "accuracy"), best)


def test_candidates_whose_excess_may_be_zero_are_named_everywhere() -> None:
    dataset = made()
    dataset["validation_accuracy"].values[:, 1] = dataset["control_validation_accuracy"].values
    dataset["validation_accuracy"].values[:, 1, 1:] += np.array([0.01, -0.01, 0.01, -0.01])[:, None]
    dataset["validation_accuracy"].values[:, [0, 2], 1:] = (
        dataset["control_validation_accuracy"].values[:, None, 1:] + 0.1
    )
    dataset["validation_accuracy"].values[:, [0, 2], 1:] += 0.001 * np.arange(4)[:, None, None]
    name = str(dataset["candidate"].values[1])
    assert not_above_control(excess_gain(dataset, "accuracy")) == [name]
    frame = figures.overview_data(dataset, Q, N, "accuracy")
    said = f"the gain of {name} is not clearly more than that of the control."
    assert answer.sentences(dataset, Q, N, "accuracy")[2].endswith(said)
    assert f"In points of accuracy: compared seed by seed, {said}" in summary_text(summary(dataset))
    ranks, costs = figures.rank_comparison_data(dataset, Q, N, "accuracy"), figures.cost_gain_data(dataset, "accuracy")
    shown = answer.table(frame, costs, ranks, "accuracy")
    assert "G* − control (points)" in shown
    report = html_report(dataset)
    assert "G* − control in points of accuracy" in report
    assert re.search(r"<td>[^<]*\[−", report) and not re.search(r"<td>[^<]*\[-", report)


def test_a_study_without_a_control_says_so_once_and_shows_no_column_of_it() -> None:
    dataset = made(control=False)
    assert excess_gain(dataset, "accuracy").isnull().all()
    frame = figures.overview_data(dataset, Q, N, "accuracy")
    assert not frame.columns.str.contains("excess").any()
    told = summary(dataset)
    assert told["control"] is None
    for text in (
        summary_text(told),
        html_report(dataset),
        " ".join(answer.sentences(dataset, Q, N, "accuracy")),
    ):
        assert text.count(NO_CONTROL) == 1
        assert "G* − control" not in text
    assert "control" not in set(figures.gain_trajectories_data(dataset, "accuracy")["candidate"])


def test_the_control_is_a_line_beside_the_candidates() -> None:
    dataset = made()
    _, control = by_hand(dataset, "accuracy")
    frame = figures.gain_trajectories_data(dataset, "accuracy").query("candidate == 'control'")
    assert frame["best_gain"].iloc[0] == pytest.approx(control.mean())
    for drawn in (figures.gain_trajectories(dataset, "accuracy"), figures.metric_trajectories(dataset, Q, N)):
        (line,) = [trace for trace in drawn.data if trace.name == "control"]
        assert line.line.dash == "dash"
    (line,) = [
        shape for shape in figures.overview(dataset, Q, N, "accuracy").layout.shapes if shape.line.dash == "dash"
    ]
    assert line.y0 == line.y1 == pytest.approx(control.mean())


def test_the_exported_table_has_the_gain_of_the_control_of_each_seed_and_epoch() -> None:
    dataset = made()
    table = long_table(dataset)["control_gain_accuracy_points"]
    stop = int(dataset["base_stop"].values[2])
    base = dataset["base_validation_accuracy"].values[2, stop]
    last = int(dataset["checkpoint"].values[-1])
    expected = 100 * (dataset["control_validation_accuracy"].values[2, last].astype(float) - base)
    np.testing.assert_allclose(table.xs((2, last), level=("seed", "epoch")), expected, rtol=1e-4)
