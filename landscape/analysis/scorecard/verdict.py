"""The rule of the scorecard: a claim names a range for a figure, and the figure's interval decides.

The rule and every range in `landscape.analysis.scorecard.claims` were written down before any verdict was looked at.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr

from landscape.analysis.intervals import LEVEL, over_seeds

Verdict = Literal["reproduced", "contradicted", "not decided at this scale", "no shipped study yet"]

Verdicts = tuple[Verdict, ...]
Range = tuple[float, float]
EVERYTHING: Range = (-math.inf, math.inf)
BOTH: Verdicts = ("reproduced", "contradicted")


@dataclass(frozen=True)
class Finding:
    """A figure of one study, as a mean over seeds with its interval.

    Attributes:
      value, low, high: the mean and the bounds; NaN where they are not known, as those of a single seed.
      count: the seeds that have the figure.
      note: what the reader has to know of it besides, such as which baseline is compared.
      can_be: the verdicts that a study as short as this one can give at all.

    Example:
      >>> from landscape.analysis.scorecard import Finding
      >>> Finding(0.4, 0.1, 0.7, count=10).note
      ''

    References:
      Student, "The probable error of a mean", Biometrika 6 (1908).
    """

    value: float
    low: float
    high: float
    count: int
    note: str = ""
    can_be: Verdicts = BOTH


def verdict(found: Finding, claimed: Range) -> Verdict:
    """What a finding says of the claim that its figure lies in a range.

    "reproduced" needs the interval to lie within the range, and so to exclude all that the claim excludes;
    "contradicted" needs it to lie outside, and so to exclude all that the claim allows. All else is not decided: an
    interval that reaches across a bound, one that is not known, and a verdict that the study is too short to give.

    Args:
      found: the figure with its interval over seeds.
      claimed: the least and the greatest value that the claim allows; neither belongs to the range.

    Example:
      >>> from landscape.analysis.scorecard import Finding, verdict
      >>> positive = (0, float("inf"))
      >>> verdict(Finding(0.4, 0.1, 0.7, count=10), positive), verdict(Finding(0.4, -0.1, 0.9, count=3), positive)
      ('reproduced', 'not decided at this scale')

    References:
      The rule is this project's own; intervals are those of `landscape.analysis.intervals` (Student, 1908).
    """
    low, high = claimed
    said: Verdict = "not decided at this scale"
    if low < found.low and found.high < high:
        said = "reproduced"
    elif found.high < low or found.low > high:
        said = "contradicted"
    return said if said in found.can_be else "not decided at this scale"


def over_the_seeds(values: xr.DataArray, within: Range = EVERYTHING) -> Finding:
    """The finding in the values (seed) of a figure; `within` bounds its mean, as (−1, 1) does for a correlation.

    Example:
      >>> import xarray as xr
      >>> from landscape.analysis.scorecard.verdict import over_the_seeds
      >>> found = over_the_seeds(xr.DataArray([1.0, 2.0, 3.0], dims="seed"))
      >>> round(found.low, 2), found.value, round(found.high, 2), found.count
      (-0.48, 2.0, 4.48, 3)

    References:
      Student, "The probable error of a mean", Biometrika 6 (1908).
    """
    return _finding(over_seeds(values, within=within))


def least_over_the_seeds(values: xr.DataArray, within: Range = EVERYTHING) -> tuple[str, Finding] | None:
    """The predictor whose values (predictor, seed) have the least mean, and the finding in them.

    That predictor is chosen by the same seeds, so its interval holds for all k predictors at once: each has the level
    1 − 0.05 / k (Bonferroni). Predictors without any value are left out; None if that leaves none.

    Example:
      >>> import xarray as xr
      >>> from landscape.analysis.scorecard.verdict import least_over_the_seeds
      >>> values = xr.DataArray([[1.0, 2.0], [0.0, 0.5]], {"predictor": ["a", "b"]}, ("predictor", "seed"))
      >>> name, found = least_over_the_seeds(values)
      >>> name, found.value, round(found.low, 1)  # 0.25 − 25.5 · 0.25
      ('b', 0.25, -6.1)

    References:
      Dunn, "Multiple comparisons among means", Journal of the American Statistical Association 56 (1961).
    """
    known = values.dropna("predictor", how="all")
    if known.sizes["predictor"] == 0:
        return None
    found = over_seeds(known, level=1 - (1 - LEVEL) / known.sizes["predictor"], within=within)
    least = found.isel(predictor=int(np.argmin(found["mean"].values)))
    return str(least["predictor"].item()), _finding(least)


def _finding(found: xr.Dataset) -> Finding:
    return Finding(float(found["mean"]), float(found["low"]), float(found["high"]), int(found["count"]))
