"""Counts and uncertainties in words."""

from __future__ import annotations

import math

import numpy as np
from synthetic import small_study, synthetic

from landscape.analysis import wording
from landscape.analysis.summary import summary
from landscape.cli.terminal import summary_text


def test_one_is_written_out() -> None:
    assert [wording.counted(count, "seed") for count in (0, 1, 3.0)] == ["0 seeds", "one seed", "3 seeds"]


def test_what_is_not_known_is_left_out() -> None:
    assert wording.deviation(0.123, ".2f") == " ± 0.12"
    assert wording.deviation(math.nan, ".2f") == wording.deviation(None, ".2f") == ""
    assert wording.bounds(-1, 2.5, "+.1f") == " [-1.0, +2.5]"
    assert wording.bounds(math.nan, 2.5, "+.1f") == wording.bounds(0, None, "+.1f") == ""


def test_a_study_of_one_seed_promises_no_intervals_over_seeds() -> None:
    told = [summary_text(summary(synthetic(small_study(seeds=seeds), np.random.default_rng(0)))) for seeds in (1, 4)]
    assert "\none seed, 12 epochs after expansion, q = 0.4, n = 60\n" in told[0]
    assert "\n4 seeds, 12 epochs after expansion, q = 0.4, n = 60; means with 95 % intervals over seeds\n" in told[1]
