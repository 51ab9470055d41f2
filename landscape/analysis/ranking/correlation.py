"""How well a predictor ranks the candidates: its correlation with the best gain G*_T, seed by seed.

`landscape.analysis.intervals.over_seeds` turns the values of the seeds into a mean, a standard deviation and an
interval, within `RANGE`. Sections and figures are those of Malviya et al. (2024), arXiv 2405.15895.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import xarray as xr
from jaxtyping import Float
from numpy.typing import ArrayLike

from landscape.analysis.metric import manifold_metric, metric_grid
from landscape.analysis.performance import Measure, best_gain
from landscape.analysis.ranking.scores import candidate_scores
from landscape.store.derived import derived

Kind = Literal["kendall", "spearman", "pearson"]
KINDS: tuple[Kind, ...] = get_args(Kind)
LETTERS: dict[Kind, str] = {"kendall": "τ", "spearman": "ρ", "pearson": "r"}

RANGE = (-1, 1)  # every correlation lies in it, and so does the mean over seeds


def correlation(x: ArrayLike, y: ArrayLike, kind: Kind = "kendall") -> Float[np.ndarray, ...]:
    r"""Kendall's τ_b, Spearman's ρ or Pearson's r over the last axis, for many pairs of rows at once.

    With s_ij and t_ij the signs of the differences of the values i and j in x and in y, which are 0 for ties,

    .. math:: \tau_b = \frac{\sum_{i<j} s_{ij} t_{ij}}{\sqrt{\sum_{i<j} s_{ij}^2 \, \sum_{i<j} t_{ij}^2}}

    ρ is Pearson's r of the ranks, with the ranks of ties averaged. A pair in which x or y is not finite is left out.
    The values equal those of `scipy.stats.kendalltau`, `spearmanr` and `pearsonr`, which go from row to row and work
    out p-values: for 1,000 rows of 5 candidates SciPy 1.17 takes 200 to 2,000 times as long, `kendalltau` with `axis`
    1,000 times.

    Args:
      x, y: values of shape (..., n); they broadcast against each other.
      kind: "kendall", "spearman" or "pearson".

    Returns:
      The correlations, of shape (...), from −1 to 1; NaN for fewer than two pairs, or where x or y is constant.

    Raises:
      ValueError: for another kind.

    Example:
      >>> from landscape.analysis.ranking.correlation import correlation
      >>> correlation([1, 2, 3, 4], [[1, 2, 4, 3], [4, 3, 2, 1]]).round(2)
      array([ 0.67, -1.  ])

    References:
      Kendall, "The treatment of ties in ranking problems", Biometrika 33 (1945); Malviya et al. (2024), sections 4.2
      and A.2.4.
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}; got {kind!r}")
    x, y = np.broadcast_arrays(np.asarray(x, np.float64), np.asarray(y, np.float64))
    finite = np.isfinite(x) & np.isfinite(y)
    x, y = np.where(finite, x, np.nan), np.where(finite, y, np.nan)
    if kind == "kendall":
        return _kendall(x, y)
    return _pearson(ranks(x), ranks(y)) if kind == "spearman" else _pearson(x, y)


def _kendall(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    s, t = _signs(x), _signs(y)  # ... n(n-1)/2
    untied = np.sqrt(np.sum(s * s, -1)) * np.sqrt(np.sum(t * t, -1))  # ...
    return _ratio(np.sum(s * t, -1), untied)


def _signs(x: np.ndarray) -> np.ndarray:
    """The sign of the difference of every two values; 0 where one of them is missing."""
    i, j = np.triu_indices(x.shape[-1], 1)
    a, b = x[..., i], x[..., j]  # ... n(n-1)/2
    return (a > b).astype(np.float64) - (a < b)


def ranks(x: ArrayLike) -> Float[np.ndarray, ...]:
    """The rank of each value over the last axis, 1 for the least; ties share their mean rank, NaN stays NaN.

    It is `scipy.stats.rankdata` with `nan_policy="omit"`, for rows that are short: it compares every two values, and
    does without the third of a second that importing `scipy.stats` takes.

    Example:
      >>> from landscape.analysis.ranking.correlation import ranks
      >>> ranks([3.0, 1.0, 3.0, float("nan")])
      array([2.5, 1. , 2.5, nan])

    References:
      Kendall, "Rank Correlation Methods" (1948), chapter 3, for mid-ranks.
    """
    x = np.asarray(x, np.float64)
    less = np.sum(x[..., :, None] > x[..., None, :], -1)  # ... n
    equal = np.sum(x[..., :, None] == x[..., None, :], -1)  # ... n, with the value itself
    return np.where(np.isnan(x), np.nan, less + (equal + 1) / 2)


def _pearson(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    u, v = _centred(x), _centred(y)  # ... n
    lengths = np.sqrt(np.sum(u * u, -1)) * np.sqrt(np.sum(v * v, -1))  # ...
    return np.clip(_ratio(np.sum(u * v, -1), lengths), -1, 1)


def _centred(x: np.ndarray) -> np.ndarray:
    """Deviations from the mean, scaled to a greatest size of 1 so that squares neither overflow nor vanish.

    They are 0 where x is constant, and for missing values.
    """
    known = ~np.isnan(x)
    mean = _ratio(np.sum(x, -1, where=known), np.sum(known, -1))[..., None]  # ... 1
    deviation = np.where(known & ~_constant(x, known), x - mean, 0)  # ... n
    size = np.max(np.abs(deviation), -1, keepdims=True, initial=0)  # ... 1
    return np.divide(deviation, size, out=np.zeros_like(deviation), where=size > 0)


def _constant(x: np.ndarray, known: np.ndarray) -> np.ndarray:
    greatest = np.max(x, -1, where=known, initial=-np.inf, keepdims=True)
    return greatest == np.min(x, -1, where=known, initial=np.inf, keepdims=True)


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """above / below, and NaN where below is 0."""
    return np.divide(above, below, out=np.full(np.shape(below), np.nan), where=below > 0)


@derived
def predictor_correlation(
    dataset: xr.Dataset, q: float, n: int, measure: Measure, kind: Kind = "kendall"
) -> xr.DataArray:
    """The correlation over candidates of each predictor with the best gain G*_T.

    Args:
      dataset: a result, as `landscape.open_study` returns it.
      q, n: as for `landscape.manifold_metric`.
      measure: of the performance, as for `landscape.performance`.
      kind: of the correlation, as for `correlation`.

    Returns:
      The correlation with dims (predictor, seed); NaN where all scores or all gains of a seed are equal.

    Raises:
      ValueError: if q, n, measure or kind is out of range.

    Example:
      >>> import landscape
      >>> from landscape.analysis.ranking.correlation import predictor_correlation
      >>> kendall = predictor_correlation(landscape.open_study("digits-mlp"), q=0.4, n=1000, measure="accuracy")
      >>> kendall.sel(predictor=["M0", "parameters"]).mean("seed").round(2).values
      array([0.41, 0.38])

    References:
      Malviya et al. (2024), section 4.2 and Figure 2.
    """
    return _over_candidates(candidate_scores(dataset, q, n), best_gain(dataset, measure), kind)


@derived
def trajectory_correlation(
    dataset: xr.Dataset, q: float, n: int, measure: Measure, kind: Kind = "kendall"
) -> xr.Dataset:
    """The correlation over candidates of M_t and of −SoTL-E with the best gain G*_T, as training goes on.

    A small sum of losses promises a great gain, so the sign of SoTL-E is turned, as Ru et al. do.

    Args:
      dataset: a result, as `landscape.open_study` returns it.
      q, n, measure, kind: as for `predictor_correlation`.

    Returns:
      metric: the correlation of M_t, with dims (seed, checkpoint). sotl_e: that of −SoTL-E, with dims (seed, epoch).
      Both are NaN where they are not defined, as for equal losses.

    Raises:
      ValueError: if q, n, measure or kind is out of range.

    Example:
      >>> import landscape
      >>> from landscape.analysis.ranking.correlation import trajectory_correlation
      >>> found = trajectory_correlation(landscape.open_study("digits-mlp"), q=0.4, n=1000, measure="accuracy")
      >>> found["metric"].sel(checkpoint=[0, 80]).mean("seed").round(2).values
      array([0.41, 0.4 ])

    References:
      Malviya et al. (2024), Figure 3, third column; Ru et al. (2021), arXiv 2006.04492, for SoTL-E.
    """
    best = best_gain(dataset, measure)
    return xr.Dataset(
        {
            "metric": _over_candidates(manifold_metric(dataset, q, n), best, kind),
            "sotl_e": _over_candidates(-dataset["sotl_e"], best, kind),
        }
    )


@derived
def sensitivity(
    dataset: xr.Dataset, qs: Sequence[float], ns: Sequence[int], measure: Measure, kind: Kind = "kendall"
) -> xr.DataArray:
    """The correlation over candidates of M₀ with the best gain G*_T, for every q and n, from one walk.

    Args:
      dataset: a result, as `landscape.open_study` returns it.
      qs, ns: as for `landscape.analysis.metric.metric_grid`.
      measure, kind: as for `predictor_correlation`.

    Returns:
      The correlation with dims (seed, q, n).

    Raises:
      ValueError: if a q or n, the measure or the kind is out of range.

    Example:
      >>> import landscape
      >>> from landscape.analysis.ranking.correlation import sensitivity
      >>> found = sensitivity(landscape.open_study("digits-mlp"), qs=[0.1, 0.4], ns=[50, 1000], measure="accuracy")
      >>> found.mean("seed").round(2).values
      array([[0.47, 0.4 ],
             [0.45, 0.41]])

    References:
      Malviya et al. (2024), section 4.5 and Figure 6.
    """
    return _over_candidates(metric_grid(dataset, qs, ns), best_gain(dataset, measure), kind)


def _over_candidates(scores: xr.DataArray, best: xr.DataArray, kind: Kind) -> xr.DataArray:
    """The correlation of scores (..., seed, candidate) with the best gain (seed, candidate)."""
    x, y = (each.transpose(..., "candidate") for each in xr.broadcast(scores, best))
    values = correlation(x.values, y.transpose(*x.dims).values, kind)
    template = x.isel(candidate=0, drop=True)
    attrs = {"units": "1", "long_name": f"{kind} correlation with the best gain G*_T"}
    return xr.DataArray(values, template.coords, template.dims, "correlation", attrs)
