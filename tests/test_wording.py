"""Counts and uncertainties in words."""

from __future__ import annotations

import math

import numpy as np
from synthetic import small_study, synthetic

from landscape.analysis import wording
from landscape.analysis.summary import summary
from landscape.cli.tables import summary_text


def test_one_is_written_out() -> None:
    assert [wording.counted(count, "seed") for count in (0, 1, 3.0)] == ["0 seeds", "one seed", "3 seeds"]


def test_names_are_enumerated() -> None:
    assert [wording.enumeration("abc"[:count]) for count in (1, 2, 3)] == ["a", "a and b", "a, b and c"]


def test_what_is_not_known_is_left_out() -> None:
    assert wording.deviation(0.123, ".2f") == " ± 0.12"
    assert wording.deviation(math.nan, ".2f") == wording.deviation(None, ".2f") == ""
    assert wording.bounds(-1, 2.5, "+.1f") == " [-1.0, +2.5]"
    assert wording.bounds(math.nan, 2.5, "+.1f") == wording.bounds(0, None, "+.1f") == ""


def test_durations_have_about_two_digits() -> None:
    seconds = [0.2, 59.4, 79, 599.6, 3599, 3.08 * 3600, 35999, 25 * 3600, 3 * 86400, 2876 * 86400]
    expected = [
        "0 s",
        "59 s",
        "1 min 19 s",
        "10 min",
        "1 h 00 min",
        "3 h 05 min",
        "10 h",
        "25 h",
        "3 days",
        "2,876 days",
    ]
    assert list(map(wording.duration, seconds)) == expected


def test_an_interval_shows_its_sign_and_enough_digits() -> None:
    assert wording.interval(1.25, -0.5, 3, digits=2) == "+1.25 [-0.50, +3.00]"
    assert wording.interval(-2, None, None, digits=1) == "-2.0"
    assert wording.interval(None, None, None, digits=1) == wording.interval(math.nan, 0, 1, digits=1) == "–"
    assert [wording.decimals(greatest, 2) for greatest in (30, 0.3, 0.012, 0, math.nan)] == [2, 2, 3, 2, 2]


def test_a_study_of_one_seed_promises_no_intervals_over_seeds() -> None:
    told = [summary_text(summary(synthetic(small_study(seeds=seeds), np.random.default_rng(0)))) for seeds in (1, 4)]
    assert "\none seed, 12 epochs after expansion, q = 0.4, n = 60\n" in told[0]
    assert "\n4 seeds, 12 epochs after expansion, q = 0.4, n = 60; means with 95 % intervals over seeds\n" in told[1]
