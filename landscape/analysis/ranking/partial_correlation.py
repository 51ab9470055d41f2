"""How well a predictor ranks the candidates beyond what their parameter count says: partial rank correlations."""

from __future__ import annotations

import numpy as np
import xarray as xr
from jaxtyping import Float
from numpy.typing import ArrayLike

from landscape.analysis.performance import Measure, best_gain
from landscape.analysis.ranking.correlation import Kind, correlation
from landscape.analysis.ranking.scores import candidate_scores
from landscape.store.derived import derived
from landscape.study.predictors import PARAMETERS

# 1 − τ² that is only rounding: with n candidates, a τ_b between −1 and 1 has 1 − τ² of 2 / n² at least.
ROUNDING = 1e-9


def partial_correlation(x: ArrayLike, y: ArrayLike, z: ArrayLike, kind: Kind = "kendall") -> Float[np.ndarray, ...]:
    r"""The correlation of x with y given z over the last axis, for many triples of rows at once.

    .. math:: \tau_{xy \cdot z} = \frac{\tau_{xy} - \tau_{xz} \tau_{yz}}{\sqrt{(1 - \tau_{xz}^2)(1 - \tau_{yz}^2)}}

    It is Kendall's partial rank correlation, by the same formula that of Spearman's ρ and Pearson's r. As τ_b is the
    cosine between the signs of all differences in x and in y, this is the cosine between what is left of them when
    their projections on those in z are taken away. A z that is constant takes nothing away, and leaves τ_xy itself. A
    place in which x, y or z is not finite is left out.

    Args:
      x, y, z: values of shape (..., n); they broadcast against each other.
      kind: "kendall", "spearman" or "pearson".

    Returns:
      The partial correlations, of shape (...), from −1 to 1. NaN where τ_xy is not defined, and where z explains x or y
      completely, which is where its correlation with either is 1 or −1.

    Raises:
      ValueError: for another kind.

    Example:
      >>> from landscape.analysis.ranking.partial_correlation import partial_correlation
      >>> x, y, z = [1, 2, 3, 4], [1, 2, 4, 3], [2, 1, 4, 3]
      >>> partial_correlation(x, y, [z, x, [5, 5, 5, 5]]).round(2)
      array([0.63,  nan, 0.67])

    References:
      Kendall, "Partial rank correlation", Biometrika 32 (1942).
    """
    x, y, z = np.broadcast_arrays(*(np.asarray(each, np.float64) for each in (x, y, z)))
    finite = np.isfinite(x) & np.isfinite(y) & np.isfinite(z)
    x, y, z = (np.where(finite, each, np.nan) for each in (x, y, z))
    xy = correlation(x, y, kind)
    # Where x or y is constant, τ_xy is NaN already; so what is NaN in these alone is due to a constant z.
    xz, yz = (np.nan_to_num(correlation(each, z, kind)) for each in (x, y))
    left_of_x, left_of_y = 1 - xz**2, 1 - yz**2
    known = (left_of_x > ROUNDING) & (left_of_y > ROUNDING)
    below = np.sqrt(np.where(known, left_of_x * left_of_y, np.nan))
    return np.clip((xy - xz * yz) / below, -1, 1)


@derived
def predictor_partial_correlation(
    dataset: xr.Dataset, q: float, n: int, measure: Measure, kind: Kind = "kendall"
) -> xr.DataArray:
    """The correlation over candidates of each predictor with the best gain G*_T, given their parameter count.

    Larger candidates tend to gain more, and most predictors grow with size. What is left of a predictor's correlation
    here is not owed to that. Seeds in which it is not defined differ from the others, so say how many there are.

    Args:
      dataset: a result, as `landscape.open_study` returns it.
      q, n: as for `landscape.manifold_metric`.
      measure: of the performance, as for `landscape.performance`.
      kind: of the correlation, as for `partial_correlation`.

    Returns:
      The partial correlation with dims (predictor, seed). NaN where the correlation itself is not defined, and where
      the parameter count orders the scores or the gains of a seed completely, as it does its own.

    Raises:
      ValueError: if q, n, measure or kind is out of range.

    Example:
      >>> import landscape
      >>> from landscape.analysis.ranking.partial_correlation import predictor_partial_correlation
      >>> digits = landscape.open_study("digits-mlp")
      >>> found = predictor_partial_correlation(digits, q=0.4, n=1000, measure="accuracy")
      >>> found.sel(predictor="M0").mean("seed").round(2).item(), found.sel(predictor="M0").count().item()
      (0.13, 4)

    References:
      Kendall, "Partial rank correlation", Biometrika 32 (1942), for τ given a third ranking; Malviya et al. (2024),
      arXiv 2405.15895, section 4.2, for the predictors.
    """
    scores = candidate_scores(dataset, q, n)  # predictor seed candidate
    counts = scores.sel(predictor=PARAMETERS, drop=True)  # seed candidate
    best = best_gain(dataset, measure).transpose(*counts.dims)
    values = partial_correlation(scores.values, best.values, counts.values, kind)
    attrs = {"units": "1", "long_name": f"{kind} correlation with the best gain G*_T, given the parameter count"}
    return xr.DataArray(values, scores.isel(candidate=0, drop=True).coords, scores.dims[:-1], "correlation", attrs)
