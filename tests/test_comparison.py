"""Several studies on shared axes, and their differences, against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from synthetic import small_study, synthetic

from landscape.analysis.metric import initial_metric
from landscape.figures.comparison import comparison, comparison_data, difference, difference_data

Q, GAIN = 0.4, "best gain G*"
METRIC = "manifold metric M₀"


@pytest.fixture(scope="module")
def studies():
    return {
        name: synthetic(small_study(), np.random.default_rng(seed)) for seed, name in enumerate(("first", "second"))
    }


def test_each_study_has_its_candidates_by_their_size(studies) -> None:
    frame = comparison_data(studies, METRIC, Q, "accuracy")
    assert frame["study"].tolist() == ["first"] * 3 + ["second"] * 3
    assert frame["units"].tolist() == [8 / 6, 2, 3] * 2
    means = [initial_metric(each, Q, 60).mean("seed").values for each in studies.values()]
    np.testing.assert_allclose(frame["mean"], np.ravel(means))


def test_side_by_side_the_axes_are_shared(studies) -> None:
    frame = comparison_data(studies, GAIN, Q, "accuracy")
    alone = [comparison(frame, GAIN, "accuracy", "units", name) for name in studies]
    together = comparison(frame, GAIN, "accuracy", "units")
    for figure, name in zip(alone, studies, strict=True):
        assert [trace.name for trace in figure.data] == [name]
        assert figure.layout.yaxis.range == together.layout.yaxis.range
        assert figure.layout.xaxis.range == together.layout.xaxis.range
        (same,) = [trace for trace in together.data if trace.name == name]
        assert figure.data[0] == same


def test_a_difference_is_welchs(studies) -> None:
    frame = difference_data(studies, METRIC, Q, "accuracy")
    first, second = (initial_metric(each, Q, 60).sel(candidate="hidden1 → 12").values for each in studies.values())
    low, high = stats.ttest_ind(second, first, equal_var=False).confidence_interval(0.95)
    row = frame.set_index("candidate").loc["hidden1 → 12"]
    assert tuple(row[["mean", "low", "high"]]) == pytest.approx((second.mean() - first.mean(), low, high))
    swapped = difference_data(dict(reversed(studies.items())), METRIC, Q, "accuracy")
    np.testing.assert_allclose(swapped["mean"], -frame["mean"])


def test_the_interval_of_a_difference_of_metrics_stays_where_it_can_lie(studies) -> None:
    """That of two seeds that differ reaches far beyond."""
    two = {name: each.isel(seed=[0, 1]) for name, each in studies.items()}
    frame = difference_data(two, METRIC, Q, "accuracy")
    assert frame[["low", "high"]].abs().max(axis=None) == 100
    assert difference_data(two, GAIN, Q, "accuracy")[["low", "high"]].abs().max(axis=None) != 100


def test_studies_without_a_common_candidate_have_no_difference(studies) -> None:
    other = studies["second"].assign_coords(candidate=["A", "B", "C"])
    frame = difference_data({"first": studies["first"], "other": other}, METRIC, Q, "accuracy")
    assert frame.empty
    (text,) = difference(frame, "first", METRIC, "accuracy").layout.annotations
    assert text.text.startswith("No candidate of first is in another study too")
