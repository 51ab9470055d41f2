"""Whether to expand, to which candidate, and how sure that is: one verdict and one sentence for a result (ours).

An expansion pays if it gains more than the base gains by training on for as long, which is the control. So a result
decides only with a control, with at least two seeds, and where the interval of the difference excludes 0.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
import xarray as xr

from landscape.analysis.control import excess_gain, has_control
from landscape.analysis.intervals import LEVEL, Bounds, leads, mean_interval, metric_limits
from landscape.analysis.metric import initial_metric
from landscape.analysis.performance import Measure, best_gain
from landscape.analysis.wording import counted, decimals, interval, minus, telling
from landscape.store.derived import derived

Verdict = Literal["yes", "no", "not decided"]

UNITS: dict[Measure, str] = {"accuracy": "points of accuracy", "negative log loss": "in −log(loss)"}


class Decision(NamedTuple):
    """What a result says about expanding.

    Attributes:
      verdict: "yes" where the interval of the best candidate lies above 0, "no" where none reaches beyond 0, else "not
        decided".
      best: the candidate with the greatest mean; None where nothing has been measured.
      mean, low, high: of its gain beyond the control, or over the base where there is no control, or M₀ in percent
        where it was not trained, over `seeds` seeds. The interval holds for all candidates at once (Bonferroni); its
        bounds are NaN for one seed.
      enough: the smallest candidate that is not clearly worse than the best, by differences within seeds; None where
        that is the best itself.
      of: what the numbers are.
    """

    verdict: Verdict
    best: str | None
    mean: float
    low: float
    high: float
    seeds: int
    enough: str | None
    of: Literal["beyond the control", "over the base", "M₀", "nothing"]

    @property
    def sureness(self) -> float:
        """How many times the half-width of its interval the mean is away from 0; 0 where nothing is decided.

        It is at least 1 where something is, and infinite where all seeds agree.
        """
        if self.verdict == "not decided":
            return 0.0
        half = (self.high - self.low) / 2
        return abs(self.mean) / half if half else math.inf


RULE = (  # in a sentence, beside verdicts
    "A verdict needs a control and a 95 % interval over seeds that excludes 0. The interval in a verdict covers all "
    "candidates at once, so it is wider than the interval of any one of them."
)
UNMEASURED = Decision("not decided", None, math.nan, math.nan, math.nan, 0, None, "nothing")


@derived
def decide(dataset: xr.Dataset, q: float, n: int, measure: Measure) -> Decision:
    """Whether a result says that expanding pays, and by which candidate.

    Args:
      dataset: a result, as `landscape.open_study` returns it.
      q, n: as for `landscape.manifold_metric`; they matter only where no candidate has been trained.
      measure: of the performance, as for `landscape.performance`.

    Raises:
      ValueError: if q, n or measure is out of range.

    Example:
      >>> import landscape
      >>> from landscape.analysis.ranking.decision import decide
      >>> found = decide(landscape.open_study("cnn-cifar10-gpu"), q=0.4, n=500, measure="accuracy")
      >>> found.verdict, found.best, found.of
      ('not decided', 'conv1 → 12', 'beyond the control')

    References:
      The rule is ours; Malviya et al. (2024), arXiv 2405.15895, section 4.2, for G*_T. Dunn, "Multiple comparisons
      among means", JASA 56 (1961), for intervals that hold at once.
    """
    excess, gains = excess_gain(dataset, measure), best_gain(dataset, measure)
    if has_control(dataset) and excess.notnull().any():
        found, trained = _estimate(dataset, excess, "beyond the control"), excess.dropna("candidate", how="all")
        _, highest = _bounds(trained.transpose("candidate", "seed").values, trained.sizes["candidate"])
        verdict: Verdict = "yes" if found.low > 0 else "no" if np.all(highest <= 0) else "not decided"
        return found._replace(verdict=verdict)
    if gains.notnull().any():
        return _estimate(dataset, gains, "over the base")
    metric = initial_metric(dataset, q, n)
    if metric.isnull().all():
        return UNMEASURED
    found = _estimate(dataset, metric, "M₀")
    low, high = np.clip((found.low, found.high), *metric_limits(dataset, q, n)).tolist()
    return found._replace(low=low, high=high)


def _estimate(
    dataset: xr.Dataset, values: xr.DataArray, of: Literal["beyond the control", "over the base", "M₀"]
) -> Decision:
    """The candidate with the greatest mean of values (seed, candidate), still without a verdict."""
    lead = leads(values)
    best = str(lead["best"].item())
    own = values.sel(candidate=best).dropna("seed").values
    low, high = _bounds(own, lead.sizes["candidate"] + 1)
    near = [best, *lead["candidate"].values[~(lead["low"] > 0).values].tolist()]
    enough = near[int(np.argmin(dataset["parameters"].sel(model=near).values))]
    numbers = (float(own.mean()), float(low), float(high), len(own))
    return Decision("not decided", best, *numbers, None if enough == best else enough, of)


def _bounds(values: np.ndarray, candidates: int) -> Bounds:
    """The interval of the mean over the last axis, of seeds, that holds for so many candidates at once."""
    return mean_interval(values, 1 - (1 - LEVEL) / candidates)


def sentence(found: Decision, measure: Measure) -> str:
    """A decision in one plain sentence, which says so where the numbers do not decide.

    Example:
      >>> import landscape
      >>> from landscape.analysis.ranking.decision import decide, sentence
      >>> found = decide(landscape.open_study("digits-mlp"), q=0.4, n=1000, measure="accuracy")
      >>> sentence(found, "accuracy").split(",")[0]
      'Not decided: over 10 seeds'

    References:
      The rule of `decide` is ours; Malviya et al. (2024), arXiv 2405.15895, section 4.2, for G*_T.
    """
    if found.best is None:
        return "Not decided: no candidate has been measured yet."
    if found.of == "M₀":
        shown = minus(interval(found.mean, found.low, found.high, telling(1, found.low, found.high)))
        says = f"picks {found.best}" if found.mean > 0 else f"favours no candidate: at best {found.best}"
        return f"Not decided: no candidate has been trained; before training, M₀ {says}, {shown} %."
    greatest = float(np.nanmax(np.abs((found.mean, found.low, found.high))))  # an interval says what digits are worth
    digits = telling(decimals(greatest, 1 if measure == "accuracy" else 2), found.low, found.high)
    shown = minus(f"{interval(found.mean, found.low, found.high, digits)} {UNITS[measure]}")
    return _of_gain(found, shown, counted(found.seeds, "seed"))


def _of_gain(found: Decision, shown: str, seeds: str) -> str:
    control = "than the base trained on for as long"
    if found.seeds < 2:
        return (
            f"Not decided: the best candidate, {found.best}, gains {shown} in the only seed; how much seeds differ is "
            "unknown."
        )
    if found.verdict == "yes":
        enough = f"; {found.enough}, which is smaller, is not clearly worse" if found.enough else ""
        return f"Yes, to {found.best}: over {seeds}, it gains {shown} more {control}{enough}."
    if not found.mean > 0:
        return _of_no_gain(found, shown, seeds, control)
    more = f" more {control}" if found.of == "beyond the control" else ""
    if not found.low > 0:
        why = "its seeds agree exactly, so there is no interval" if math.isnan(found.low) else "the interval includes 0"
        return f"Not decided: over {seeds}, the best candidate, {found.best}, gains {shown}{more}; {why}."
    unknown = "but the base trained on for as long might gain that too; this was not measured"
    return f"Not decided: over {seeds}, {found.best} gains {shown}, {unknown}."


def _of_no_gain(found: Decision, shown: str, seeds: str, control: str) -> str:
    """The sentence where not even the best candidate gains, so that none is picked out as "the best"."""
    verdict = "No" if found.verdict == "no" else "Not decided"
    average = "" if found.verdict == "no" else " on average"
    if found.of == "over the base":
        return f"{verdict}: over {seeds}, no candidate gains anything{average}; at best, it is {shown}."
    return f"{verdict}: over {seeds}, no candidate gains more{average} {control}; the difference is at best {shown}."
