"""The figures of questions that the paper leaves open (ours): what M₀ says beyond size, and whether copying makes it.

They take the same `settings` as those of `landscape.analysis.scorecard.findings`.
"""

from __future__ import annotations

from dataclasses import replace

import xarray as xr

from landscape.analysis.metric import initial_metric
from landscape.analysis.ranking.correlation import RANGE
from landscape.analysis.ranking.partial_correlation import predictor_partial_correlation
from landscape.analysis.ranking.regret import predictor_regret, random_regret
from landscape.analysis.scorecard.findings import NOTHING, settings
from landscape.analysis.scorecard.verdict import Finding, over_the_seeds
from landscape.study.predictors import METRIC
from landscape.study.schema import study_of
from landscape.study.steps import Candidate, NewUnits, Widen


def beyond_the_size(dataset: xr.Dataset) -> Finding:
    """Kendall's τ of M₀ with G* given the parameter count.

    Seeds in which that count orders the scores or the gains completely have none and are left out.

    Example:
      >>> import landscape
      >>> from landscape.analysis.scorecard.open_questions import beyond_the_size
      >>> found = beyond_the_size(landscape.open_study("digits-mlp"))
      >>> round(found.value, 2), found.count
      (0.13, 4)

    References:
      Kendall, "Partial rank correlation", Biometrika 32 (1942).
    """
    partial = predictor_partial_correlation(dataset, *settings(dataset))
    return over_the_seeds(partial.sel(predictor=METRIC), RANGE)


def against_chance(dataset: xr.Dataset) -> Finding:
    """The gain lost by training M₀'s pick, minus that lost by a random pick, seed by seed.

    Example:
      >>> import landscape
      >>> from landscape.analysis.scorecard.open_questions import against_chance
      >>> round(against_chance(landscape.open_study("digits-mlp")).value, 2)
      -1.24

    References:
      The regret is ours: `landscape.analysis.ranking.regret`. M₀: Malviya et al. (2024), section 3.3.
    """
    q, n, measure = settings(dataset)
    lost = predictor_regret(dataset, q, n, measure).sel(predictor=METRIC, drop=True)
    found = over_the_seeds(lost - random_regret(dataset, measure))
    return replace(found, note="points of accuracy" if measure == "accuracy" else "−log(loss)")


def against_copies(dataset: xr.Dataset, units: NewUnits) -> Finding:
    """M₀ of candidates with new units of a kind minus that of copies, in percent, averaged over equal widenings.

    Example:
      >>> import landscape
      >>> from landscape.analysis.scorecard.open_questions import against_copies
      >>> against_copies(landscape.open_study("digits-mlp"), "silent").count
      0

    References:
      The comparison is ours; Chen et al. (2016), arXiv 1511.05641, compare copies with random padding.
    """
    pairs = twins(dataset, units)
    if not pairs:
        return NOTHING
    q, n, _ = settings(dataset)
    metric = initial_metric(dataset, q, n)
    other, copied = (
        metric.sel(candidate=list(names)).mean("candidate", skipna=False) for names in (pairs.keys(), pairs.values())
    )
    return replace(over_the_seeds(other - copied), note=f"{units} units against copies")


def twins(dataset: xr.Dataset, units: NewUnits) -> dict[str, str]:
    """The candidates that widen with new units of a kind, each with the one that widens to the same size by copies.

    Example:
      >>> import landscape
      >>> from landscape.analysis.scorecard.open_questions import twins
      >>> twins(landscape.open_study("digits-mlp"), "silent")
      {}

    References:
      Copies are those of Chen et al. (2016), arXiv 1511.05641, section 2.3.
    """
    study = study_of(dataset)
    labels = dict(zip(study.candidates, study.labels, strict=True))
    copied = {candidate: _as_copies(candidate, units) for candidate in labels}
    return {labels[own]: labels[twin] for own, twin in copied.items() if twin in labels and twin != own}


def _as_copies(candidate: Candidate, units: NewUnits) -> Candidate:
    return tuple(
        step.model_copy(update={"units": "copies"}) if isinstance(step, Widen) and step.units == units else step
        for step in candidate
    )
