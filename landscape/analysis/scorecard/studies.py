"""Every study in one line: whether anything gained, and which predictor knew."""

from __future__ import annotations

from typing import NamedTuple

import xarray as xr

from landscape.analysis.control import excess_gain, has_control, not_above_control
from landscape.analysis.performance import Measure, best_gain
from landscape.analysis.ranking.regret import RANGE as REGRETS
from landscape.analysis.ranking.regret import predictor_regret, random_regret
from landscape.analysis.scorecard.findings import NOTHING, PAPER_BASELINES, rank_of, settings
from landscape.analysis.scorecard.open_questions import beyond_the_size
from landscape.analysis.scorecard.verdict import Finding, over_the_seeds
from landscape.analysis.scorecard.words import number
from landscape.study.predictors import METRIC, PARAMETERS, predictor_named

COLUMNS = (
    "study",
    "seeds",
    "gain more than the control",
    "best of these gains",
    "τ of M₀",
    "τ of the strongest baseline",
    "τ of the parameter count",
    "τ of M₀ given the count",
    "regret of M₀",
    "of the count",
    "of chance",
)


class Glance(NamedTuple):
    """What a study says of the question whether to expand, each figure with its mean and interval over seeds.

    Attributes:
      seeds, candidates: how many it has.
      above: how many candidates gain clearly more than the control; None without a control.
      excess: the gain of the best candidate beyond the control's; without a control, its gain.
      measure: of the gains: accuracy, which is in points, or negative log loss.
      metric, baseline, parameters: Kendall's τ with G* of M₀, of the baseline of the paper's with the highest mean, and
        of the parameter count.
      strongest: the name of that baseline; empty where exact expansions change none of them.
      partial: that of M₀ given the parameter count.
      lost, lost_by_count, lost_by_chance: the regret of taking M₀'s pick, the largest candidate, and any.
    """

    seeds: int
    candidates: int
    above: int | None
    excess: Finding
    measure: Measure
    metric: Finding
    baseline: Finding
    strongest: str
    parameters: Finding
    partial: Finding
    lost: Finding
    lost_by_count: Finding
    lost_by_chance: Finding


def glance(dataset: xr.Dataset) -> Glance:
    """What a study says of the question whether to expand.

    Args:
      dataset: a result, as `landscape.open_study` returns it. q, n and the measure are those of the scorecard.

    Example:
      >>> import landscape
      >>> from landscape.analysis.scorecard.studies import glance
      >>> found = glance(landscape.open_study("digits-mlp"))
      >>> found.above, found.candidates, found.strongest, round(found.metric.value, 2)
      (3, 5, 'GradNorm', 0.41)

    References:
      Malviya et al. (2024), arXiv 2405.15895, section 4.2. The control, the partial correlation and regret are ours.
    """
    q, n, measure = settings(dataset)
    controlled = has_control(dataset)
    gains = excess_gain(dataset, measure) if controlled else best_gain(dataset, measure)
    means = gains.mean("seed")
    best = gains.sel(candidate=means.idxmax("candidate").item(), drop=True) if means.notnull().any() else None
    ranks = {name: rank_of(dataset, name) for name in PAPER_BASELINES if name in dataset["predictor"]}
    known = {name: found for name, found in ranks.items() if found.count}
    strongest = max(known, key=lambda name: known[name].value, default="")
    regret = predictor_regret(dataset, q, n, measure)
    return Glance(
        seeds=dataset.sizes["seed"],
        candidates=dataset.sizes["candidate"],
        above=dataset.sizes["candidate"] - len(not_above_control(gains)) if controlled else None,
        excess=NOTHING if best is None else over_the_seeds(best),
        measure=measure,
        metric=rank_of(dataset),
        baseline=known.get(strongest, NOTHING),
        strongest=predictor_named(strongest).name if strongest else "",
        parameters=rank_of(dataset, PARAMETERS),
        partial=beyond_the_size(dataset),
        lost=over_the_seeds(regret.sel(predictor=METRIC, drop=True), REGRETS),
        lost_by_count=over_the_seeds(regret.sel(predictor=PARAMETERS, drop=True), REGRETS),
        lost_by_chance=over_the_seeds(random_regret(dataset, measure), REGRETS),
    )


def cells(name: str, found: Glance) -> list[str]:
    """A study as texts, one for each of `COLUMNS`; a dash where there is nothing.

    Example:
      >>> import landscape
      >>> from landscape.analysis.scorecard.studies import cells, glance
      >>> cells("digits-mlp", glance(landscape.open_study("digits-mlp")))[:3]
      ['digits-mlp', '10', '3 of 5']
    """
    form = "+.2f" if found.measure == "accuracy" else "+.3f"
    unit = "points" if found.measure == "accuracy" else "in −log(loss)"
    lost = (number(each, form[1:]) for each in (found.lost, found.lost_by_count, found.lost_by_chance))
    return [
        name,
        f"{found.seeds}",
        "no control" if found.above is None else f"{found.above} of {found.candidates}",
        number(found.excess, form, unit),
        number(found.metric),
        number(found.baseline, "+.2f", found.strongest),
        number(found.parameters),
        number(found.partial),
        *lost,
    ]
