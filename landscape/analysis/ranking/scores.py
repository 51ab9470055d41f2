"""The score that each predictor of the performance gain gives each candidate of a result.

Sections are those of Malviya et al. (2024), arXiv 2405.15895. `landscape.study.predictors` defines the predictors.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from jaxtyping import Float
from numpy.typing import ArrayLike

from landscape.analysis.metric import initial_metric
from landscape.store.derived import derived
from landscape.study import Study
from landscape.study.predictors import METRIC, PARAMETERS, SOTL_E, predictor_named
from landscape.study.schema import study_of
from landscape.study.steps import Candidate, Widen

# Relative. Rounded sums differ by up to 2e-5 in what is shipped, and a pre-activation within rounding of 0 adds more:
# there the derivative of relu is 0 in one network and 1 in its copy. One such pixel of one image changes SNIP by 1e-6
# in the median and by 1.1e-4 at most, of 2,100 tried in a CNN on 256 images; in what is shipped, by up to 7.1e-5.
TIE = 1e-4


@derived
def candidate_scores(dataset: xr.Dataset, q: float, n: int) -> xr.DataArray:
    """The score that each predictor gives each candidate, with the sign that makes a greater one promise more.

    The predictors are M₀ in percent, the parameter count, the zero-cost proxies right after the expansion, and
    −SoTL-E of the first epoch, the only one that needs an epoch of training. A proxy that exact widening cannot change
    gives the same score to all that are `widened_by_copies`, whatever rounding makes of it; elsewhere its scores are
    made equal where they differ by rounding only: see `with_ties`.

    Args:
      dataset: a result, as `landscape.open_study` returns it.
      q, n: as for `landscape.manifold_metric`.

    Returns:
      The scores with dims (predictor, seed, candidate), each predictor in its own unit; NaN where one is missing.

    Raises:
      ValueError: if q or n is out of range.

    Example:
      >>> import landscape
      >>> from landscape.analysis.ranking.scores import candidate_scores
      >>> scores = candidate_scores(landscape.open_study("digits-mlp"), q=0.4, n=1000)
      >>> scores["predictor"].values.tolist()
      ['M0', 'parameters', 'grad_norm', 'snip', 'grasp', 'synflow', 'jacov', 'sotl_e']
      >>> scores.sel(predictor="parameters", seed=0).values
      array([ 535.,  610.,  760.,  910., 1360.])

    References:
      Malviya et al. (2024), sections 4.2 and A.2.3.
    """
    metric = initial_metric(dataset, q, n)
    counts = dataset["parameters"].sel(model=dataset["candidate"].values).values.astype(np.float64)  # candidate
    counts = np.where(counts < 0, np.nan, counts)
    rows = {METRIC: metric.values, PARAMETERS: np.broadcast_to(counts, metric.shape)}  # each seed candidate
    copied = np.isin(dataset["candidate"].values, widened_by_copies(study_of(dataset)))  # candidate
    for name in dataset["predictor"].values.tolist():
        scores = dataset["proxy"].sel(predictor=name).transpose("seed", "candidate").values.astype(np.float64)
        known = predictor_named(name)
        rows[name] = known.direction * (scores if known.sees_width else _tied(scores, copied))
    rows[SOTL_E] = _first_epoch(dataset)
    coords = {"predictor": list(rows), "seed": dataset["seed"], "candidate": dataset["candidate"]}
    return xr.DataArray(np.stack(list(rows.values())), coords, ("predictor", "seed", "candidate"), "score")


def picks(dataset: xr.Dataset, q: float, n: int) -> dict[str, list[str]]:
    """The candidates to which each predictor gives its highest score, as a mean over seeds.

    Args:
      dataset: a result, as `landscape.open_study` returns it.
      q, n: as for `landscape.manifold_metric`.

    Returns:
      The labels of those candidates by predictor, all of them for one that ties them. A predictor without a score of
      every candidate is left out, since its pick would be from fewer.

    Raises:
      ValueError: if q or n is out of range.

    Example:
      >>> import landscape
      >>> from landscape.analysis.ranking.scores import picks
      >>> found = picks(landscape.open_study("cnn-cifar10"), q=0.4, n=250)
      >>> found["M0"], found["grasp"], len(found["snip"])
      (['conv1 → 32'], ['conv1 → 10'], 5)

    References:
      Malviya et al. (2024), section 4.2, for the predictors; the pick is that of `landscape.analysis.ranking.regret`.
    """
    means = candidate_scores(dataset, q, n).mean("seed")  # predictor candidate
    known = means.notnull().all("candidate")
    names = means["candidate"].values
    ties = np.isclose(means.values, means.max("candidate").values[:, None], rtol=TIE, atol=0)  # predictor candidate
    return {
        str(name): names[tied].tolist()
        for name, tied, whole in zip(means["predictor"].values, ties, known.values, strict=True)
        if whole
    }


def widened_by_copies(study: Study) -> list[str]:
    """The candidates that are the base with exact copies of some units, and nothing else.

    Example:
      >>> from landscape import preset
      >>> from landscape.analysis.ranking.scores import widened_by_copies
      >>> widened_by_copies(preset("equal-parameters"))
      ['hidden1 → 24', 'hidden2 → 52', 'hidden1 → 20 & hidden2 → 22']

    References:
      Chen et al. (2016), arXiv 1511.05641, section 2.3; what it leaves unchanged of a proxy is this project's own.
    """
    if study.model.kind == "own" or study.expansion.start == "random":
        return []
    default = "noisy copies" if study.expansion.noise else "copies"

    def copies(candidate: Candidate) -> bool:
        return all(isinstance(step, Widen) and (step.units or default) == "copies" for step in candidate)

    return [name for name, candidate in zip(study.labels, study.candidates, strict=True) if copies(candidate)]


def _tied(scores: np.ndarray, copied: np.ndarray) -> np.ndarray:
    """The scores (seed, candidate) of a proxy that exact widening cannot change, with ties."""
    if copied.any():
        of_copies = scores[:, copied]
        least = np.fmin.reduce(of_copies, axis=1, keepdims=True)  # seed 1
        scores[:, copied] = np.where(np.isnan(of_copies), np.nan, least)
    return with_ties(scores)


def _first_epoch(dataset: xr.Dataset) -> np.ndarray:
    """−SoTL-E of the first epoch after the expansion; NaN where there was no training."""
    losses = dataset["sotl_e"].transpose("epoch", "seed", "candidate").values
    return -losses[1].astype(np.float64) if len(losses) > 1 else np.full(losses.shape[1:], np.nan)


def with_ties(scores: ArrayLike) -> Float[np.ndarray, ...]:
    """The scores, with values that differ by rounding only made equal, so that rank correlations see ties.

    The values of a row are sorted; wherever a step is at most `TIE` = 10⁻⁴ of the size of its two values, the
    greater takes the value of the smaller, so that a run of such steps becomes its first value.

    Args:
      scores: of shape (..., n); NaN is left as it is.

    Returns:
      An array of the same shape.

    Example:
      >>> from landscape.analysis.ranking.scores import with_ties
      >>> with_ties([1.000001, 1.0, 2.0])
      array([1., 1., 2.])

    References:
      The rule is this project's own: exact widening leaves SNIP, SynFlow and Jacov unchanged (Chen et al., "Net2Net",
      2016, arXiv 1511.05641, preserve the function), and what is left of a difference has no rank.
    """
    scores = np.asarray(scores, np.float64)
    order = np.argsort(scores, -1)  # ... n, NaN last
    ordered = np.take_along_axis(scores, order, -1)  # ... n
    size = np.maximum(np.abs(ordered[..., 1:]), np.abs(ordered[..., :-1]))  # ... n-1
    rises = ~(np.diff(ordered) <= TIE * size)  # ... n-1; true next to NaN as well
    starts = np.concatenate([np.ones((*scores.shape[:-1], 1), bool), rises], -1)  # ... n, where a run begins
    first = np.maximum.accumulate(np.where(starts, np.arange(scores.shape[-1]), 0), -1)  # ... n, the run's first place
    return np.take_along_axis(np.take_along_axis(ordered, first, -1), np.argsort(order, -1), -1)
