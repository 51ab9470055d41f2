"""The manifold metric M of a result, for any quantile q and any number n of permutations.

One walk of the greatest n serves every (q, n): the value for a smaller n comes from the first n barriers of each walk
(A.2.2). Barriers that are missing are NaN, and so is every number that needs them.

Sections, equations and figures are those of Malviya et al., "Predicting the Impact of Model Expansion through the
Minima Manifold" (2024), arXiv 2405.15895.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from jaxtyping import Float, Int
from numpy.typing import ArrayLike

from landscape.analysis.walks import only_walks, prefix
from landscape.store.derived import derived

PAPER_QUANTILES = (0.05, 0.1, 0.2, 0.4)  # the values of q and n in the paper's sensitivity analysis (A.2.2, Figure 6)
PAPER_PERMUTATIONS = (50, 100, 250, 500, 1000)

METRIC_ATTRIBUTES = {"units": "%", "long_name": "manifold metric M_t = m(θ, λ, n) − m(φ*, λ, n)"}


def threshold(base_barriers: ArrayLike, q: ArrayLike) -> Float[np.ndarray, ...]:
    r"""The threshold λ under which two permuted copies count as connected: a quantile of the base's own barriers.

    .. math:: \lambda = B^*_q, \quad B^* = \{\hat b_i(\phi^*) : i = 1, \dots, n\}

    A quantile that falls between two barriers is interpolated linearly, as `numpy.quantile` does by default.

    Args:
      base_barriers: midpoint barriers of the base's walk, of shape (..., n), in nats.
      q: one quantile or an array (k,) of them, each strictly between 0 and 1.

    Returns:
      λ in nats, of shape (...) for one q and (..., k) for an array.

    Raises:
      ValueError: if a q is not between 0 and 1, or there is no barrier.

    Example:
      >>> import landscape
      >>> float(landscape.threshold([0.1, 0.4, 0.2, 0.3, 0.0], q=0.5))
      0.2

    References:
      Malviya et al. (2024), section 3.3.
    """
    barriers = np.asarray(base_barriers, np.float64)
    if barriers.ndim == 0 or barriers.shape[-1] == 0:
        raise ValueError(f"a threshold needs at least one barrier of the base; got an array of shape {barriers.shape}")
    quantiles = np.asarray(np.quantile(barriers, _checked_quantiles(q), axis=-1))
    return np.moveaxis(quantiles, 0, -1) if np.ndim(q) else quantiles


def manifold_size(barriers: ArrayLike, threshold: ArrayLike) -> Float[np.ndarray, ...]:
    r"""The manifold size m: the share of a walk's n steps that are edges, because their barrier is at most λ.

    .. math:: m(\theta, \lambda, n) = \tfrac1n \lvert\{i \le n : \hat b_i(\theta) \le \lambda\}\rvert

    Args:
      barriers: midpoint barriers of the steps of one or more walks, of shape (..., n), in nats.
      threshold: λ in nats; it broadcasts against the axes (...) of the walks.

    Returns:
      m from 0 to 1, of shape (...); NaN where a barrier of the walk or its λ is missing.

    Raises:
      ValueError: if there is no barrier.

    Example:
      >>> import landscape
      >>> float(landscape.manifold_size([0.1, 0.2, 0.3, 0.4], threshold=0.2))
      0.5

    References:
      Malviya et al. (2024), section 3.2 and Algorithm 1.
    """
    barriers, limit = np.asarray(barriers), np.asarray(threshold, np.float64)
    if barriers.ndim == 0 or barriers.shape[-1] == 0:
        raise ValueError(f"a manifold size needs at least one barrier; got an array of shape {barriers.shape}")
    size = np.mean(barriers <= limit[..., None], axis=-1)
    missing = np.isnan(barriers).any(-1) | np.isnan(limit)
    return np.where(missing, np.nan, size)


@derived
def manifold_metric(dataset: xr.Dataset, q: float, n: int) -> xr.DataArray:
    r"""The manifold metric M_t in percent: how much the manifold of a candidate exceeds that of its base.

    .. math:: M_t = 100 \, [m(\theta^{(t)}, B^*_q, n) - m(\phi^*, B^*_q, n)]

    The threshold and n belong to the base and stay the same for all of its candidates; base and candidates use the
    first n barriers of their walks.

    Args:
      dataset: a result, as `landscape.open_study` returns it.
      q: the quantile of the base's barriers that is the threshold, strictly between 0 and 1.
      n: how many permutations count, from 1 to those computed.

    Returns:
      M_t in percent, with dims (seed, candidate, checkpoint); a checkpoint is t, the epochs since the expansion.

    Raises:
      ValueError: if q or n is out of range.

    Example:
      >>> import landscape
      >>> metric = landscape.manifold_metric(landscape.open_study("digits-mlp"), q=0.4, n=1000)
      >>> metric.sel(checkpoint=0).mean("seed").round(1).values
      array([ 9.6, 24.7, 29.4, 41.7, 52.6])

    References:
      Malviya et al. (2024), equation 2.
    """
    base, barriers = prefix(dataset, n)
    limit = threshold(base, q)
    size = manifold_size(barriers, limit[:, None, None])
    values = 100 * (size - manifold_size(base, limit)[:, None, None])
    return _metric_array(dataset, values, q, n)


@derived
def initial_metric(dataset: xr.Dataset, q: float, n: int) -> xr.DataArray:
    """M₀ in percent, the manifold metric right after the expansion, which needs no training of the candidate.

    Args:
      dataset: a result, as `landscape.open_study` returns it.
      q, n: as for `manifold_metric`.

    Returns:
      M₀ in percent, with dims (seed, candidate).

    Raises:
      ValueError: if q or n is out of range.

    Example:
      >>> import landscape
      >>> from landscape.analysis.metric import initial_metric
      >>> initial_metric(landscape.open_study("digits-mlp"), q=0.4, n=1000).mean("seed").round(1).values
      array([ 9.6, 24.7, 29.4, 41.7, 52.6])

    References:
      Malviya et al. (2024), equation 2 with t = 0; section 4.1.
    """
    return manifold_metric(only_walks(dataset).isel(checkpoint=[0]), q, n).isel(checkpoint=0, drop=True)


def own_metric(dataset: xr.Dataset, q: float, n: int, checkpoint: int) -> xr.DataArray:
    r"""The change in percent of a candidate's manifold size since one of its own checkpoints c, without its base.

    .. math:: 100 \, [m(\theta^{(t)}, \lambda, n) - m(\theta^{(c)}, \lambda, n)], \quad \lambda = B_q(\theta^{(c)})

    The paper follows this, with c = 1, where training starts from random weights.

    Args:
      dataset: a result, as `landscape.open_study` returns it.
      q, n: as for `manifold_metric`; here q is a quantile of the candidate's barriers at checkpoint c.
      checkpoint: c, in epochs since the expansion.

    Returns:
      The change in percent, with dims (seed, candidate, checkpoint); 0 at checkpoint c itself.

    Raises:
      ValueError: if q or n is out of range, or the walk was not measured at the checkpoint.

    Example:
      >>> import landscape
      >>> from landscape.analysis.metric import own_metric
      >>> change = own_metric(landscape.open_study("digits-mlp"), q=0.4, n=1000, checkpoint=1)
      >>> change.sel(candidate="hidden1 → 18", checkpoint=[1, 80]).mean("seed").round(1).values
      array([0. , 0.4])

    References:
      Malviya et al. (2024), section A.2.7 and Figure 11 (i).
    """
    epochs = dataset["checkpoint"].values.tolist()
    if checkpoint not in epochs:
        raise ValueError(f"checkpoint must be one of {', '.join(map(str, epochs))}; got {checkpoint}")
    _, barriers = prefix(dataset, n)
    reference = barriers[:, :, epochs.index(checkpoint)]  # seed candidate n
    limit = threshold(reference, q)
    values = 100 * (manifold_size(barriers, limit[..., None]) - manifold_size(reference, limit)[..., None])
    return _metric_array(dataset, values, q, n)


@derived
def at_ceiling(dataset: xr.Dataset, q: float, n: int) -> xr.DataArray:
    """Where all n steps are edges: there m = 1, M_t = 1 − m(φ*) ≈ 1 − q, and M_t cannot rank candidates.

    Args:
      dataset: a result, as `landscape.open_study` returns it.
      q, n: as for `manifold_metric`.

    Returns:
      Booleans with dims (seed, candidate, checkpoint).

    Raises:
      ValueError: if q or n is out of range.

    Example:
      >>> import landscape
      >>> from landscape.analysis.metric import at_ceiling
      >>> full = at_ceiling(landscape.open_study("digits-mlp"), q=0.9, n=50)
      >>> full.sel(candidate="hidden1 → 18", checkpoint=0).sum("seed").item()
      10

    References:
      Malviya et al. (2024), equation 2, of which this is the greatest value.
    """
    base, barriers = prefix(dataset, n)
    full = manifold_size(barriers, threshold(base, q)[:, None, None]) == 1
    return dataset["barrier"].isel(permutation=0, drop=True).copy(data=full)


def metric_grid(dataset: xr.Dataset, qs: Sequence[float], ns: Sequence[int]) -> xr.DataArray:
    """M₀ in percent for every q and n at once; each cell equals `initial_metric`.

    It is faster than cell by cell, since the barriers of each n are sorted once for all q.

    Args:
      dataset: a result, as `landscape.open_study` returns it.
      qs: quantiles, each strictly between 0 and 1.
      ns: numbers of permutations, each from 1 to those computed.

    Returns:
      M₀ in percent, with dims (seed, candidate, q, n).

    Raises:
      ValueError: if a q or n is out of range.

    Example:
      >>> import landscape
      >>> from landscape.analysis.metric import metric_grid
      >>> grid = metric_grid(landscape.open_study("digits-mlp"), qs=[0.1, 0.4], ns=[100, 1000])
      >>> grid.sel(candidate="hidden1 → 18").mean("seed").round(1).values
      array([[63.8, 62.8],
             [52.8, 52.6]])

    References:
      Malviya et al. (2024), section 4.5 and Figure 6.
    """
    first = only_walks(dataset).isel(checkpoint=[0])
    values = np.stack([_metric_of_prefix(first, np.asarray(qs, np.float64), n) for n in ns], axis=-1)
    template = first["barrier"].isel(permutation=0, checkpoint=0, drop=True)
    coords = {**template.coords, "q": list(qs), "n": list(ns)}
    return xr.DataArray(values, coords, ("seed", "candidate", "q", "n"), "metric", dict(METRIC_ATTRIBUTES))


def edge_counts(ordered: Float[np.ndarray, "s r n"], limits: Float[np.ndarray, "s k"]) -> Int[np.ndarray, "s r k"]:
    """How many barriers of each sorted row are at most each of the thresholds of its seed: m times n.

    Example:
      >>> import numpy as np
      >>> from landscape.analysis.metric import edge_counts
      >>> edge_counts(np.array([[[0.1, 0.2, 0.3]]]), np.array([[0.2, 0.5]]))
      array([[[2, 3]]])

    References:
      Malviya et al. (2024), Algorithm 1, for many thresholds at once.
    """
    pairs = zip(ordered, limits, strict=True)
    return np.array([[np.searchsorted(row, limit, "right") for row in rows] for rows, limit in pairs])


def _metric_array(dataset: xr.Dataset, values: np.ndarray, q: float, n: int) -> xr.DataArray:
    template = dataset["barrier"].isel(permutation=0, drop=True)
    return xr.DataArray(values, template.coords, template.dims, "metric", METRIC_ATTRIBUTES | {"q": q, "n": n})


def _metric_of_prefix(dataset: xr.Dataset, qs: np.ndarray, n: int) -> np.ndarray:
    base, barriers = prefix(dataset, n)  # seed n, seed candidate 1 n
    limits = threshold(base, qs)  # seed q
    walks = np.concatenate([base[:, None], barriers[:, :, 0]], axis=1)  # seed 1+candidate n
    sizes = _sizes(walks, limits)  # seed 1+candidate q
    return 100 * (sizes[:, 1:] - sizes[:, :1])  # seed candidate q


def _sizes(barriers: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """`manifold_size` of the walks (seed, model, n) under each threshold (seed, q) of their seed: (seed, model, q)."""
    ordered = np.sort(barriers.astype(np.float64), axis=-1)  # NaN last
    missing = np.isnan(ordered[..., -1:]) | np.isnan(limits)[:, None]  # seed model q
    return np.where(missing, np.nan, edge_counts(ordered, limits) / barriers.shape[-1])


def _checked_quantiles(q: ArrayLike) -> np.ndarray:
    quantiles = np.asarray(q, np.float64)
    outside = quantiles[~((quantiles > 0) & (quantiles < 1))]
    if outside.size:
        raise ValueError(f"q must lie strictly between 0 and 1; got {outside.flat[0]:g}")
    return quantiles
