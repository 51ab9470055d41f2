"""What the page Study says about a result, sentence by sentence."""

from __future__ import annotations

import re

import numpy as np
import pytest
import xarray as xr
from synthetic import small_study, synthetic, without

from landscape.analysis.cost import multiply_adds
from landscape.analysis.metric import manifold_metric
from landscape.analysis.performance import MEASURES, Measure
from landscape.figures import cost_gain_data, overview_data, rank_comparison_data
from landscape.store.results import open_study
from landscape.study.schema import study_of
from pages.shared import answer

Q, N = 0.4, 50
SMALL, MIDDLE, GREAT = small_study().labels


def sentences(dataset: xr.Dataset, measure: Measure = "accuracy") -> list[str]:
    return answer.sentences(dataset, Q, N, measure)


def made(seeds: int = 4, **sizes: int) -> xr.Dataset:
    return synthetic(small_study(seeds=seeds, **sizes), np.random.default_rng(0))


def with_gains(dataset: xr.Dataset, points: np.ndarray) -> xr.Dataset:
    """G*_T of each seed and candidate, in points of accuracy, reached at epoch 1."""
    stop = int(dataset["base_stop"][0])
    base = dataset["base_validation_accuracy"].values[:, stop, None]
    made = dataset.copy(deep=True)
    made["validation_accuracy"].values[:] = base[..., None]
    made["validation_accuracy"].values[..., 1] = base + np.asarray(points) / 100
    return made


def test_seeds_that_differ_more_than_candidates_still_tell_them_apart() -> None:
    """Every seed has candidates of 3, 2 and 1 points more than a gain of its own: the marginal intervals overlap."""
    own = np.array([[0.0], [10], [20], [30]])
    noise = 0.01 * np.random.default_rng(0).normal(size=(4, 3))
    dataset = with_gains(made(), own + np.array([3, 2, 1]) + noise)
    gain = sentences(dataset)[1]
    assert gain.startswith(f"After training, the greatest gain is that of **{SMALL}**: +18.0 [")
    assert gain.endswith("points. Compared seed by seed, that is clearly more than for any other candidate.")


def test_rivals_whose_differences_may_be_zero_are_named() -> None:
    gains = [[3.0, 2.0, 1.0], [3.0, 4.0, 1.0], [3.5, 2.0, 1.0], [3.0, 2.5, 1.2]]
    gain = sentences(with_gains(made(), gains))[1]
    assert gain.endswith(f". Compared seed by seed, that is not clearly more than for {MIDDLE}.")


def test_a_lead_that_is_equal_in_all_seeds_is_not_clear() -> None:
    frame = overview_data(made(), Q, N, "accuracy")
    values = xr.DataArray([[3.0, 2.0], [4.0, 3.0]], {"candidate": [SMALL, GREAT]}, ("seed", "candidate"))
    assert answer.pick(values, frame, "M0", "It is", "%", 1).endswith(f"not clearly more than for {GREAT}.")


def test_ties_are_named_together() -> None:
    dataset = made()
    dataset["barrier"].loc[{"candidate": [MIDDLE, GREAT]}] = 0
    first = sentences(dataset)[0]
    assert first.startswith(f"Before any training, M₀ picks **{MIDDLE}** and **{GREAT}**, which are tied: +")
    dataset["barrier"].values[:] = 0
    assert sentences(dataset)[0].split(":")[0].endswith(f"**{SMALL}**, **{MIDDLE}** and **{GREAT}**, which are tied")
    assert sentences(dataset)[0].endswith("%, in every seed.")


def test_one_seed_says_nothing_about_seeds() -> None:
    first, second, *_ = sentences(made(seeds=1))
    assert first.endswith(
        "%. This comes from one seed, and the interval from its permutations; how much seeds differ is unknown."
    )
    assert second.endswith("points. This comes from one seed; how much seeds differ is unknown.")


def test_a_single_candidate_has_no_rivals() -> None:
    dataset = without(without(made(), candidate=SMALL), candidate=GREAT)
    for sentence in sentences(dataset)[:2]:
        assert f"**{MIDDLE}**: +" in sentence and sentence.endswith(". There is no other candidate to compare it with.")


@pytest.mark.parametrize("measure", MEASURES)
def test_candidates_that_were_not_trained_have_no_gain(measure: Measure) -> None:
    dataset = made(epochs=0)
    assert sentences(dataset, measure)[1:] == ["The candidates were not trained."]
    frame = overview_data(dataset, Q, N, measure)
    assert frame["best_gain"].isna().all() and (frame["trained_seeds"] == 0).all()
    shown = answer.table(frame, cost_gain_data(dataset, measure), rank_comparison_data(dataset, Q, N, measure), measure)
    assert not shown.columns.str.contains("G*", regex=False).any() or list(shown.filter(like="G*")) == ["rank by G*"]


def test_numbers_of_the_table_sort_as_numbers() -> None:
    """And stand beside their intervals: by hand, the mean M₀ of each candidate, and their order."""
    dataset = made()
    frame = overview_data(dataset, Q, N, "accuracy")
    ranks = rank_comparison_data(dataset, Q, N, "accuracy")
    shown = answer.table(frame, cost_gain_data(dataset, "accuracy"), ranks, "accuracy")
    metric = manifold_metric(dataset, Q, N).sel(checkpoint=0).mean("seed")
    np.testing.assert_allclose(shown["M₀ (%)"], metric)
    assert shown.sort_values("M₀ (%)")["candidate"].tolist() == metric.sortby(metric)["candidate"].values.tolist()
    beside, texts = shown["95 % of M₀"], answer.intervals(frame, "accuracy")["95 % of M₀"]
    assert all(re.fullmatch(r"\[[+−][\d.]+, [+−][\d.]+\]", text) for text in texts)
    begins = [float(re.search(r"[\d.]+", text)[0]) * (-1 if "[−" in text else 1) for text in texts]
    np.testing.assert_allclose(beside, begins, atol=0.051)
    assert shown["multiply-adds"].tolist() == [float(count) for count in multiply_adds(study_of(dataset))[1:]]


def test_a_small_gain_beyond_the_control_has_digits_of_its_own() -> None:
    """A gain of 0.0008 beside others of 0.02 must not read as 0.000."""
    dataset = open_study("tinybert")
    frame = overview_data(dataset, 0.4, 250, "negative log loss")
    shown = answer.table(
        frame, cost_gain_data(dataset, "negative log loss"),
        rank_comparison_data(dataset, 0.4, 250, "negative log loss"), "negative log loss",
    )  # fmt: skip
    columns = answer.columns_of(shown, frame, "negative log loss")
    forms = {name: columns[name]["type_config"]["format"] for name in shown if name.startswith("G*")}
    assert forms == {"G* (−log(loss))": "%.3f", "G* − control (−log(loss))": "%.4f"}
    assert (shown["G* − control (−log(loss))"].round(4) != 0).any()


def test_predictors_that_disagree_are_told_apart() -> None:
    """M₀ and the counts pick the largest, GraSP the smallest, SNIP nothing."""
    dataset = made()
    dataset["proxy"].loc[{"predictor": "snip"}] = 3.0
    dataset["proxy"].loc[{"predictor": "grasp", "candidate": SMALL}] = 100.0
    groups = answer.picked(dataset, Q, N).removeprefix("Before training, ").rstrip(".").split("; ")
    (largest,) = [group for group in groups if f"**{GREAT}**" in group]
    (smallest,) = [group for group in groups if f"**{SMALL}**" in group]
    (none,) = [group for group in groups if "not tell the candidates apart" in group]
    assert "M₀" in largest and "the parameter count" in largest and "GraSP" in smallest and "SNIP" in none


def test_what_is_missing_is_named() -> None:
    dataset = made()
    for name in ("validation_accuracy", "validation_loss"):
        dataset[name].values[:] = np.nan
    assert sentences(dataset)[1:] == ["No candidate has been trained yet."]
    dataset["barrier"].values[:] = np.nan
    assert sentences(dataset) == ["No candidate has been measured yet."]


def test_training_without_any_gain_is_one_sentence() -> None:
    assert (
        sentences(with_gains(made(), np.zeros((4, 3))))[1] == "After training, no candidate gained anything on average."
    )
