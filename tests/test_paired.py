"""The best candidate against the others, within seeds."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from numpy.testing import assert_allclose
from scipy import stats

from landscape.analysis.intervals import leads


def of(*columns: list[float]) -> xr.DataArray:
    """Candidates A, B, … by their values in each seed."""
    return xr.DataArray(np.array(columns).T, {"candidate": list("ABCDE"[: len(columns)])}, ("seed", "candidate"))


def test_leads_are_student_intervals_of_differences() -> None:
    rng = np.random.default_rng(0)
    values = of(*(rng.normal(i, 1, 6) for i in (3, 9, 5)))
    found = leads(values)
    assert found["best"] == "B" and found["candidate"].values.tolist() == ["A", "C"]
    for name in ("A", "C"):
        gap = (values.sel(candidate="B") - values.sel(candidate=name)).values
        one = found.sel(candidate=name)
        assert_allclose(one["mean"], gap.mean())
        assert_allclose((one["low"], one["high"]), stats.t.interval(0.95, 5, gap.mean(), stats.sem(gap)))


def test_what_all_candidates_of_a_seed_share_does_not_blur_their_differences() -> None:
    """Marginal intervals overlap where seeds differ more than candidates do."""
    shared = np.random.default_rng(1).normal(0, 100, 5)
    assert (leads(of(shared + 2 + [0.1, 0, 0, 0, 0.1], shared))["low"] > 0).all()


def test_ties_in_every_seed_are_reported_and_missing_values_passed_over() -> None:
    found = leads(of([1, 2, 3], [1, 2, 3], [1, 2, np.nan], [3, 2, 0.5], [np.nan] * 3))
    assert found["candidate"].values.tolist() == ["B", "C", "D"]
    assert found["tied"].values.tolist() == [True, True, False]
    assert found["count"].values.tolist() == [3, 2, 3]


def test_nothing_known_is_refused() -> None:
    with pytest.raises(ValueError, match="no candidate"):
        leads(of([np.nan], [np.nan]))
