"""Whether there are enough candidates and seeds for a rank correlation to say anything (ours)."""

from __future__ import annotations

import math

import numpy as np
import xarray as xr

from landscape.analysis.performance import Measure, best_gain

ENOUGH_CANDIDATES = 4  # of fewer, chance alone has the right order in 1 of 6 seeds or more, and of four in 1 of 24
ENOUGH_SEEDS = 3  # of two, Student's interval is 9 standard deviations wide on either side
FEW: dict[float, str] = {1: "one seed", 2: "both seeds agree"}


def too_few(dataset: xr.Dataset, measure: Measure) -> str:
    """Why the rank correlations of a result say little, in a few words; empty where nothing speaks against them.

    Kendall's τ over k candidates takes its greatest value by chance in one of k! seeds, and over two it has no other
    values than −1 and 1. Whatever shows a correlation shows this beside it: figures, tables, pages and reports.

    Args:
      dataset: a result, as `landscape.open_study` returns it.
      measure: as for `landscape.performance`.

    Raises:
      ValueError: for another measure.

    Example:
      >>> import landscape
      >>> from landscape.analysis.ranking.evidence import too_few
      >>> too_few(landscape.open_study("mlp-cifar10"), "accuracy")
      'two candidates allow only −1 and +1'
      >>> too_few(landscape.open_study("digits-mlp"), "accuracy")
      ''

    References:
      Kendall, "Rank Correlation Methods" (1948), for the distribution of τ over few candidates.
    """
    ranked = best_gain(dataset, measure).notnull().sum("candidate").values  # seed
    candidates, seeds = int(ranked.max(initial=0)), int(np.sum(ranked > 1))
    return " and ".join([*_of_candidates(candidates), *_of_seeds(seeds)])


def no_interval(low: float, count: float) -> str:
    """Why a mean over `count` seeds has no interval, in a few words; empty where it has one, or where there is no mean.

    Without an interval a mean is the least sure of all, however great it is.

    Example:
      >>> from landscape.analysis.ranking.evidence import no_interval
      >>> no_interval(float("nan"), 3), no_interval(float("nan"), 1), no_interval(0.2, 3)
      ('no interval: all 3 seeds agree', 'no interval: one seed', '')

    References:
      Student, "The probable error of a mean", Biometrika 6 (1908): seeds that agree have no deviation to go by.
    """
    if count == 0 or not math.isnan(low):
        return ""
    return f"no interval: {FEW.get(count) or f'all {count:g} seeds agree'}"


def _of_candidates(count: int) -> list[str]:
    if not 1 < count < ENOUGH_CANDIDATES:
        return []
    if count == 2:
        return ["two candidates allow only −1 and +1"]
    return [f"chance alone ranks {count} candidates right in one seed of {math.factorial(count)}"]


def _of_seeds(count: int) -> list[str]:
    if not 0 < count < ENOUGH_SEEDS:
        return []
    return ["one seed does not say how far seeds differ" if count == 1 else "two seeds hardly say how far seeds differ"]
