"""Counts and uncertainties in words."""

from __future__ import annotations

import math

from landscape import words


def test_one_is_written_out() -> None:
    assert [words.counted(count, "seed") for count in (0, 1, 3.0)] == ["0 seeds", "one seed", "3 seeds"]


def test_what_is_not_known_is_left_out() -> None:
    assert words.deviation(0.123, ".2f") == " ± 0.12"
    assert words.deviation(math.nan, ".2f") == words.deviation(None, ".2f") == ""
    assert words.bounds(-1, 2.5, "+.1f") == " [-1.0, +2.5]"
    assert words.bounds(math.nan, 2.5, "+.1f") == words.bounds(0, None, "+.1f") == ""
