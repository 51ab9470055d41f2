"""What is computed from a result is computed once while somebody looks at it, and is the same as without that."""

from __future__ import annotations

import gc

import numpy as np
import pandas as pd
import pytest
from synthetic import small_study, synthetic

from landscape.analysis import performance
from landscape.figures import overview, overview_data, rank_comparison_data
from landscape.store.derived import MOST, Kept, derived, keeping


@pytest.fixture
def result():
    return synthetic(small_study(), np.random.default_rng(0))


@pytest.mark.parametrize("compute", [overview_data, rank_comparison_data])
def test_what_is_kept_is_what_would_be_computed(result, compute) -> None:
    plain = compute(result, 0.4, 50, "accuracy")
    with keeping(Kept()):
        first, second = (compute(result, 0.4, 50, "accuracy") for _ in range(2))
    assert first is second
    pd.testing.assert_frame_equal(first, plain)


def test_a_block_without_values_of_its_own_uses_those_around_it(result) -> None:
    calls: list[str] = []

    @derived
    def named(result, name):
        calls.append(name)

    with keeping(Kept()):
        named(result, "outside")
        with keeping():
            named(result, "outside")
            named(result, "inside")
        named(result, "inside")
    for _ in range(2):
        with keeping():
            named(result, "alone")
            named(result, "alone")
    assert calls == ["outside", "inside", "alone", "alone"]


def test_moving_a_slider_leaves_alone_what_does_not_depend_on_it(result, monkeypatch) -> None:
    """Gains do not depend on q: those of the candidates and of the control are computed once."""
    calls, plain = [], performance.performance
    monkeypatch.setattr(performance, "performance", lambda *args: calls.append(args) or plain(*args))
    with keeping(Kept()):
        for q in (0.1, 0.2, 0.3, 0.4):
            overview(result, q, 50, "accuracy")
            rank_comparison_data(result, q, 50, "accuracy")
    assert len(calls) == 2


def test_results_of_one_content_are_kept_apart(result) -> None:
    """One is changed afterwards, as a notebook may do outside the app."""
    other = result.copy(deep=True)
    other["barrier"].values[:] = 0
    with keeping(Kept()):
        assert not overview_data(result, 0.4, 50, "accuracy").equals(overview_data(other, 0.4, 50, "accuracy"))


def test_values_go_with_their_result_and_are_bounded() -> None:
    kept = Kept()
    result = synthetic(small_study(), np.random.default_rng(0))

    @derived
    def named(result, name):
        return name

    with keeping(kept):
        for name in range(MOST + 5):
            named(result, name)
    assert len(kept) == MOST
    del result
    gc.collect()
    assert len(kept) == 0


def test_nothing_is_kept_outside(result) -> None:
    assert overview_data(result, 0.4, 50, "accuracy") is not overview_data(result, 0.4, 50, "accuracy")
