"""How well a predictor ranks the candidates: correlation with the best gain, seed by seed.

`landscape.analysis.intervals.over_seeds` turns the values of the seeds into mean, std and interval, within `RANGE`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from landscape.analysis.metric import initial_metric, manifold_metric, metric_grid
from landscape.analysis.performance import Measure, best_gain
from landscape.analysis.predictors import PREDICTORS, Predictor

Kind = Literal["kendall", "spearman", "pearson"]
KINDS: tuple[Kind, ...] = get_args(Kind)
LETTERS: dict[Kind, str] = {"kendall": "τ", "spearman": "ρ", "pearson": "r"}

METRIC, PARAMETERS, SOTL_E = "M0", "parameters", "sotl_e"  # the predictors that are not in the variable `proxy`
RANGE = (-1, 1)  # of every correlation, and so of its mean
# Relative: scores that exact widening cannot change differ by rounding, up to 8.2e-6 in what is shipped; the least step
# there between scores that do differ is 0.5.
TIE = 1e-4


def correlation(x: ArrayLike, y: ArrayLike, kind: Kind = "kendall") -> np.ndarray:
    """Kendall's τ_b, Spearman's ρ or Pearson's r over the last axis; x and y broadcast.

    Equal to `scipy.stats.kendalltau`, `spearmanr` and `pearsonr`, ties included, with nan_policy="omit": a
    pair in which either is not finite is left out. NaN for fewer than two pairs or where x or y is constant.
    Raises ValueError for another kind.
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}; got {kind!r}")
    x, y = np.broadcast_arrays(np.asarray(x, np.float64), np.asarray(y, np.float64))
    together = np.isfinite(x) & np.isfinite(y)
    x, y = np.where(together, x, np.nan), np.where(together, y, np.nan)
    if kind == "kendall":
        return _kendall(x, y)
    return _pearson(_ranks(x), _ranks(y)) if kind == "spearman" else _pearson(x, y)


def _kendall(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """τ_b = Σ s t / √(Σ s² Σ t²) over pairs, s and t the signs of their differences: 0 for ties."""
    s, t = _signs(x), _signs(y)
    untied = np.sqrt(np.sum(s * s, -1)) * np.sqrt(np.sum(t * t, -1))
    return _ratio(np.sum(s * t, -1), untied)


def _signs(x: np.ndarray) -> np.ndarray:
    i, j = np.triu_indices(x.shape[-1], 1)
    a, b = x[..., i], x[..., j]
    return (a > b).astype(np.float64) - (a < b)


def _ranks(x: np.ndarray) -> np.ndarray:
    """Ranks from 1 among the values that are there, ties averaged; NaN stays."""
    smaller = np.sum(x[..., None, :] < x[..., None], -1)
    equal = np.sum(x[..., None, :] == x[..., None], -1)
    return np.where(np.isnan(x), np.nan, smaller + (equal + 1) / 2)


def _pearson(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    u, v = _centred(x), _centred(y)
    return np.clip(_ratio(np.sum(u * v, -1), np.sqrt(np.sum(u * u, -1)) * np.sqrt(np.sum(v * v, -1))), -1, 1)


def _centred(x: np.ndarray) -> np.ndarray:
    """Deviations from the mean, the greatest of size 1; zeros where x is constant, and for missing values."""
    there = ~np.isnan(x)
    mean = _ratio(np.sum(x, -1, where=there), np.sum(there, -1))[..., None]
    deviation = np.where(there & ~_constant(x, there), x - mean, 0)
    size = np.max(np.abs(deviation), -1, keepdims=True, initial=0)
    return np.divide(deviation, size, out=np.zeros_like(deviation), where=size > 0)


def _constant(x: np.ndarray, there: np.ndarray) -> np.ndarray:
    greatest = np.max(x, -1, where=there, initial=-np.inf, keepdims=True)
    return greatest == np.min(x, -1, where=there, initial=np.inf, keepdims=True)


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """above / below, and NaN where below is 0."""
    return np.divide(above, below, out=np.full(np.shape(below), np.nan), where=below > 0)


def candidate_scores(dataset: xr.Dataset, q: float, n: int) -> xr.DataArray:
    """What each predictor promises of each candidate, dims (predictor, seed, candidate): the more, the greater.

    M₀ in percent, the parameter count, the zero-cost proxies right after the expansion, and −SoTL-E of the first
    epoch, which needs that epoch of training. Proxies that exact widening cannot change are equal where they
    differ by rounding. Raises ValueError for q or n out of range.
    """
    metric = initial_metric(dataset, q, n)
    counts = dataset["parameters"].sel(model=dataset["candidate"].values).values.astype(np.float64)
    counts = np.where(counts < 0, np.nan, counts)
    rows = {METRIC: metric.values, PARAMETERS: np.broadcast_to(counts, metric.shape)}
    for name in dataset["predictor"].values.tolist():
        scores = dataset["proxy"].sel(predictor=name).transpose("seed", "candidate").values.astype(np.float64)
        rows[name] = scores if predictor_named(name).sees_width else with_ties(scores)
    rows[SOTL_E] = _first_epoch(dataset)
    coords = {"predictor": list(rows), "seed": dataset["seed"], "candidate": dataset["candidate"]}
    return xr.DataArray(np.stack(list(rows.values())), coords, ("predictor", "seed", "candidate"), "score")


def predictor_named(predictor: str) -> Predictor:
    """What is known of a predictor by its name in `predictors`."""
    return PREDICTORS["manifold_metric" if predictor == METRIC else predictor]


def _first_epoch(dataset: xr.Dataset) -> np.ndarray:
    """−SoTL-E of the first epoch after the expansion; NaN where there was no training."""
    losses = dataset["sotl_e"].transpose("epoch", "seed", "candidate").values
    return -losses[1].astype(np.float64) if len(losses) > 1 else np.full(losses.shape[1:], np.nan)


def with_ties(scores: ArrayLike, tolerance: float = TIE) -> np.ndarray:
    """The scores with those equal, over the last axis, that neighbours in size tell apart by rounding only.

    Runs of sorted values whose steps are at most `tolerance` of their size become their first value.
    """
    scores = np.asarray(scores, np.float64)
    order = np.argsort(scores, -1)
    ordered = np.take_along_axis(scores, order, -1)
    size = np.maximum(np.abs(ordered[..., 1:]), np.abs(ordered[..., :-1]))
    rises = ~(np.diff(ordered) <= tolerance * size)  # also where a value is missing
    starts = np.concatenate([np.ones((*scores.shape[:-1], 1), bool), rises], -1)
    first = np.maximum.accumulate(np.where(starts, np.arange(scores.shape[-1]), 0), -1)
    return np.take_along_axis(np.take_along_axis(ordered, first, -1), np.argsort(order, -1), -1)


def predictor_correlation(
    dataset: xr.Dataset, q: float, n: int, measure: Measure, kind: Kind = "kendall"
) -> xr.DataArray:
    """Correlation over candidates of each predictor with G*_T, dims (predictor, seed) (Figure 2)."""
    return _over_candidates(candidate_scores(dataset, q, n), best_gain(dataset, measure), kind)


def trajectory_correlation(
    dataset: xr.Dataset, q: float, n: int, measure: Measure, kind: Kind = "kendall"
) -> xr.Dataset:
    """Correlation over candidates with G*_T as training goes on (Figure 3, third column).

    metric: of M_t, dims (seed, checkpoint). sotl_e: of −SoTL-E, dims (seed, epoch); the sign is Ru et al.'s
    (2021), a small sum of losses predicts a great gain. NaN where it is not defined, as for equal losses.
    """
    best = best_gain(dataset, measure)
    return xr.Dataset(
        {
            "metric": _over_candidates(manifold_metric(dataset, q, n), best, kind),
            "sotl_e": _over_candidates(-dataset["sotl_e"], best, kind),
        }
    )


def sensitivity(
    dataset: xr.Dataset, qs: Sequence[float], ns: Sequence[int], measure: Measure, kind: Kind = "kendall"
) -> xr.DataArray:
    """Correlation over candidates of M₀ with G*_T for every q and n, dims (seed, q, n), from one walk (Figure 6)."""
    return _over_candidates(metric_grid(dataset, qs, ns), best_gain(dataset, measure), kind)


def _over_candidates(scores: xr.DataArray, best: xr.DataArray, kind: Kind) -> xr.DataArray:
    """Correlation of scores (..., seed, candidate) with the best gain (seed, candidate)."""
    x, y = (each.transpose(..., "candidate") for each in xr.broadcast(scores, best))
    attrs = {"units": "1", "long_name": f"{kind} correlation with the best gain G*_T"}
    values = correlation(x.values, y.transpose(*x.dims).values, kind)
    return x.isel(candidate=0, drop=True).copy(data=values).rename("correlation").drop_attrs().assign_attrs(attrs)
