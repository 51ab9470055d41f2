"""The verdict on expanding, against intervals by SciPy, and its sentence."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy import stats
from synthetic import small_study, synthetic

from landscape.analysis.ranking.decision import Decision, decide, sentence

Q, N = 0.4, 50
SMALL, MIDDLE, GREAT = small_study().labels
NOISE = np.array([[0.1, -0.2, 0.0], [-0.1, 0.1, 0.2], [0.2, 0.0, -0.1], [0.0, 0.2, -0.2]])


def made(gains: np.ndarray, control: float | None = 1.0, seeds: int = 4) -> xr.Dataset:
    """A result with G*_T of each seed and candidate in points of accuracy, and that of the control."""
    study = small_study(seeds=seeds)
    study = study.model_copy(update={"control": control is not None})
    dataset = synthetic(study, np.random.default_rng(0))
    base = dataset["base_validation_accuracy"].values[:, int(dataset["base_stop"][0]), None]
    dataset["validation_accuracy"].values[:] = base[..., None]
    dataset["validation_accuracy"].values[..., 1] = base + np.asarray(gains)[:seeds] / 100
    if control is not None:
        dataset["control_validation_accuracy"].values[:] = base
        dataset["control_validation_accuracy"].values[..., 1] = base[:, 0] + control / 100
    return dataset


def decided(dataset: xr.Dataset) -> Decision:
    return decide(dataset, Q, N, "accuracy")


@pytest.mark.parametrize(
    ("control", "verdict", "begins"),
    [
        (1.0, "yes", f"Yes, to {GREAT}: over 4 seeds, it gains +4.0"),
        (9.0, "no", "No: over 4 seeds, no candidate gains more than the base trained on for as long; the difference"),
        (5.2, "not decided", "Not decided: over 4 seeds, no candidate gains more on average than the base"),
        (4.8, "not decided", f"Not decided: over 4 seeds, the best candidate, {GREAT}, gains "),
    ],
)
def test_the_interval_beyond_the_control_decides(control: float, verdict: str, begins: str) -> None:
    """By hand: the mean of the best candidate minus the control, t with 3 degrees of freedom, for all three at once."""
    found = decided(made(np.array([3, 4, 5]) + NOISE, control))
    own = 5 + NOISE[:, 2] - control
    low, high = stats.t.interval(1 - 0.05 / 3, 3, own.mean(), stats.sem(own))
    assert found.verdict == verdict and found.best == GREAT
    assert (found.mean, found.low, found.high) == pytest.approx((own.mean(), low, high), abs=1e-4)
    assert sentence(found, "accuracy").startswith(begins)
    sure = abs(own.mean()) / (high - own.mean())
    assert found.sureness == pytest.approx(0 if verdict == "not decided" else sure, rel=1e-3)
    assert (found.sureness >= 1) == (verdict != "not decided")


def test_without_a_control_nothing_is_decided() -> None:
    """However much a candidate gains: the base might gain it too."""
    found = decided(made(np.array([3, 4, 5]) + NOISE, control=None))
    assert found.verdict == "not decided" and found.low > 0
    assert sentence(found, "accuracy").endswith("might gain that too; this was not measured.")


def test_the_interval_of_the_metric_ends_where_the_metric_can_be() -> None:
    """M₀ is at most 1 − q, which three candidates near that ceiling would exceed by Student's interval."""
    dataset = made(np.array([3, 4, 5]) + NOISE)
    for name in ("validation_accuracy", "validation_loss", "control_validation_accuracy", "control_validation_loss"):
        dataset[name].values[:] = np.nan
    dataset["barrier"].values[:] = 0.0
    dataset["barrier"].values[0, :, :, :20] = 1e9  # some of the first seed's are no edges
    found = decided(dataset)
    ceiling = 100 * (1 - (int(Q * (N - 1)) + 1) / N)
    assert found.of == "M₀" and found.mean < ceiling and found.high == pytest.approx(ceiling)


def test_one_seed_decides_nothing() -> None:
    found = decided(made(np.array([3, 4, 5]) + NOISE, seeds=1))
    assert found.verdict == "not decided" and np.isnan(found.low)
    assert "in the only seed" in sentence(found, "accuracy")


@pytest.mark.parametrize(
    ("low", "written"), [(0.03, "[+0.03, +4.20]"), (-0.03, "[−0.03, +4.20]"), (0.3, "[+0.3, +4.2]")]
)
def test_an_interval_is_seen_to_exclude_0_or_not(low: float, written: str) -> None:
    """Rounded to [+0.0, +4.2], it would not be."""
    verdict = "yes" if low > 0 else "not decided"
    said = sentence(Decision(verdict, "A", 2.1, low, 4.2, 4, None, "beyond the control"), "accuracy")
    assert written in said and ("the interval includes 0" in said) == (low < 0)


def test_seeds_that_agree_exactly_have_no_interval_to_speak_of() -> None:
    found = Decision("not decided", "A", 2.0, np.nan, np.nan, 3, None, "beyond the control")
    assert sentence(found, "accuracy").endswith("its seeds agree exactly, so there is no interval.")


def test_the_smallest_candidate_that_is_not_clearly_worse_is_named() -> None:
    found = decided(made(np.array([3, 5, 5]) + NOISE))
    assert {found.best, found.enough} <= {MIDDLE, GREAT, None}
    assert decided(made(np.array([5, 5, 5.1]) + NOISE)).enough == SMALL


def test_what_was_not_measured_is_not_answered() -> None:
    dataset = made(np.array([3, 4, 5]) + NOISE)
    for name in ("validation_accuracy", "validation_loss", "control_validation_accuracy", "control_validation_loss"):
        dataset[name].values[:] = np.nan
    assert sentence(decided(dataset), "accuracy").startswith("Not decided: no candidate has been trained; before")
    dataset["barrier"].values[:] = 1e9
    assert "training, M₀ favours no candidate: at best" in sentence(decided(dataset), "accuracy")
    dataset["barrier"].values[:] = np.nan
    assert sentence(decided(dataset), "accuracy") == "Not decided: no candidate has been measured yet."
