"""What it costs to trust a predictor: the gain that is lost by training the candidate that it picks (ours).

A rank correlation counts every pair of candidates alike. Whoever trains only one of them cares for the top.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from jaxtyping import Float
from numpy.typing import ArrayLike

from landscape.analysis.performance import Measure, best_gain
from landscape.analysis.ranking.scores import candidate_scores
from landscape.store.derived import derived

RANGE = (0, np.inf)  # every regret lies in it, and so does the mean over seeds


def regret(scores: ArrayLike, gains: ArrayLike) -> Float[np.ndarray, ...]:
    r"""The gain lost by taking the candidate with the highest score, over the last axis, for many rows at once.

    With g the gains and P the candidates whose score is the highest, of which one is taken at random,

    .. math:: \max_i g_i - \frac{1}{|P|} \sum_{i \in P} g_i

    Args:
      scores, gains: of shape (..., n); they broadcast against each other. Candidates without a gain are left out.

    Returns:
      The regrets, of shape (...), in the unit of the gains, 0 or more. NaN for fewer than two candidates with a gain,
      which leave no choice, and where one of them has no finite score, so that the pick would be from fewer.

    Example:
      >>> from landscape.analysis.ranking.regret import regret
      >>> regret([[1, 3, 2], [3, 3, 1], [0, 0, 0]], [4.0, 2.0, 3.0])
      array([2., 1., 1.])

    References:
      The definition is this project's own; it is the simple regret of Bubeck et al., "Pure exploration in multi-armed
      bandits problems" (2009), of a single pick.
    """
    scores, gains = np.broadcast_arrays(np.asarray(scores, np.float64), np.asarray(gains, np.float64))
    known = np.isfinite(gains)
    defined = (known.sum(-1) > 1) & np.all(np.isfinite(scores) | ~known, -1)  # ...
    known &= defined[..., None]
    highest = np.max(scores, -1, where=known, initial=-np.inf, keepdims=True)  # ... 1
    picked = known & (scores == highest)  # ... n
    best = np.max(gains, -1, where=known, initial=-np.inf, keepdims=True)  # ... 1
    lost = np.sum(best - gains, -1, where=picked)  # ...
    return np.divide(lost, picked.sum(-1), out=np.full(defined.shape, np.nan), where=defined)


@derived
def predictor_regret(dataset: xr.Dataset, q: float, n: int, measure: Measure) -> xr.DataArray:
    """The regret of taking the candidate that each predictor scores highest; candidates that tie share the pick.

    That of the parameter count is the regret of taking the largest candidate. A predictor that ties all candidates
    has the regret of a random pick, `random_regret`.

    Args:
      dataset: a result, as `landscape.open_study` returns it.
      q, n: as for `landscape.manifold_metric`.
      measure: of the performance, as for `landscape.performance`.

    Returns:
      The regret in the unit of `landscape.gain`, dims (predictor, seed).

    Raises:
      ValueError: if q, n or measure is out of range.

    Example:
      >>> import landscape
      >>> from landscape.analysis.ranking.regret import predictor_regret
      >>> found = predictor_regret(landscape.open_study("digits-mlp"), q=0.4, n=1000, measure="accuracy")
      >>> found.sel(predictor=["M0", "parameters", "grad_norm"]).mean("seed").round(2).values
      array([0.15, 0.15, 0.15])

    References:
      The regret is ours. Malviya et al. (2024), arXiv 2405.15895, section 4.2, for the predictors and G*_T.
    """
    scores = candidate_scores(dataset, q, n)  # predictor seed candidate
    best = best_gain(dataset, measure)
    values = regret(scores.values, best.transpose(*scores.dims[1:]).values)
    return xr.DataArray(values, scores.isel(candidate=0, drop=True).coords, scores.dims[:-1], "regret", _attrs(best))


@derived
def random_regret(dataset: xr.Dataset, measure: Measure) -> xr.DataArray:
    """The expected regret of taking any candidate at random: how far the mean gain is below the best.

    Args:
      dataset: a result, as `landscape.open_study` returns it.
      measure: of the performance, as for `landscape.performance`.

    Returns:
      The regret in the unit of `landscape.gain`, dims (seed).

    Raises:
      ValueError: for another measure.

    Example:
      >>> import landscape
      >>> from landscape.analysis.ranking.regret import random_regret
      >>> random_regret(landscape.open_study("digits-mlp"), "accuracy").mean().round(2).item()
      1.4

    References:
      The regret is ours. Malviya et al. (2024), arXiv 2405.15895, section 4.2, for G*_T.
    """
    best = best_gain(dataset, measure).transpose("seed", "candidate")
    values = regret(np.zeros(best.shape), best.values)
    return xr.DataArray(values, {"seed": best["seed"]}, ("seed",), "regret", _attrs(best))


def _attrs(best: xr.DataArray) -> dict[str, str]:
    return {"units": best.attrs["units"], "long_name": "best gain G*_T lost by the pick"}
