"""How sure the metric M of one seed is: its bootstrap over the permutations of the walks.

The interval is deterministic: the random numbers come from a generator of its own, from the seed given.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from jaxtyping import Float, Int

from landscape.analysis.intervals import LEVEL, tail_probability
from landscape.analysis.metric import METRIC_ATTRIBUTES, edge_counts
from landscape.analysis.walks import only_walks, prefix
from landscape.store.derived import derived

RESAMPLES = 2000  # the bounds of 95 % then have 50 draws beyond them on either side


@derived
def metric_interval(
    dataset: xr.Dataset,
    q: float,
    n: int,
    *,
    checkpoint: int = 0,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> xr.DataArray:
    """The percentile bootstrap interval of the metric M_t of each seed and candidate, in percent.

    The permutations of base and candidate are resampled, so the interval includes the uncertainty of the threshold.
    It does not include that of training, which only further seeds can show.

    Args:
      dataset: a result, as `landscape.open_study` returns it.
      q, n: as for `landscape.manifold_metric`.
      checkpoint: t, in epochs since the expansion.
      level: strictly between 0 and 1.
      resamples: how many times the permutations are resampled.
      seed: of the random numbers.

    Returns:
      The bounds in percent, with dims (bound, seed, candidate); the bounds are "low" and "high".

    Raises:
      ValueError: if q, n or the level is out of range, or the walk was not measured at the checkpoint.

    Example:
      >>> import landscape
      >>> from landscape.analysis.bootstrap import metric_interval
      >>> found = metric_interval(landscape.open_study("digits-mlp"), q=0.4, n=1000)
      >>> found.sel(seed=0, candidate="hidden1 → 18").round().values
      array([51., 55.])

    References:
      Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 7 (1979).
    """
    epochs = dataset["checkpoint"].values
    if checkpoint not in epochs:
        raise ValueError(f"checkpoint must be one of {', '.join(map(str, epochs))}; got {checkpoint}")
    base, barriers = prefix(only_walks(dataset).sel(checkpoint=[checkpoint]), n)
    draws = 100 * metric_draws(base, barriers[:, :, 0], q, resamples, np.random.default_rng(seed))
    tail = tail_probability(level)
    values = np.quantile(draws, [tail, 1 - tail], axis=-1)
    coords = {"bound": ["low", "high"], "seed": dataset["seed"], "candidate": dataset["candidate"]}
    return xr.DataArray(values, coords, ("bound", "seed", "candidate"), "metric", METRIC_ATTRIBUTES)


def metric_draws(
    base: Float[np.ndarray, "s n"],
    barriers: Float[np.ndarray, "s c n"],
    q: float,
    resamples: int,
    rng: np.random.Generator,
) -> Float[np.ndarray, "s c resamples"]:
    """Bootstrap draws of the metric M, from −1 to 1, by their law instead of by resampling.

    λ comes from two neighbouring order statistics of a resample. Their places in the sorted sample are order
    statistics of n uniform numbers, which beta distributions generate. Given λ, the number of edges of a resampled
    walk is binomial. So a draw costs a few random numbers, where resampling costs 2n and a sort.

    Args:
      base: barriers of the base of each seed, in nats.
      barriers: barriers of each seed's candidates, in nats.
      q: the quantile, strictly between 0 and 1.
      resamples: how many draws.
      rng: the generator of random numbers, which is advanced.

    Returns:
      The draws; NaN where a barrier of the base or of the candidate is missing.

    Example:
      >>> import numpy as np
      >>> from landscape.analysis.bootstrap import metric_draws
      >>> rng = np.random.default_rng(0)
      >>> base, barriers = rng.exponential(size=(1, 10**5)), rng.exponential(0.5, size=(1, 1, 10**5))
      >>> metric_draws(base, barriers, 0.4, 2000, rng).mean().round(2)  # of 1 − 0.6² − 0.4
      np.float64(0.24)

    References:
      David and Nagaraja, "Order Statistics" (2003), for the order statistics of uniform numbers.
    """
    n = base.shape[-1]
    limits, base_edges = _threshold_draws(np.sort(base.astype(np.float64), -1), q, resamples, rng)  # s resamples
    below = edge_counts(np.sort(barriers.astype(np.float64), -1), limits)  # s c resamples
    draws = (rng.binomial(n, below / n) - base_edges[:, None]) / n  # s c resamples
    missing = np.isnan(barriers).any(-1) | np.isnan(base).any(-1)[:, None]  # s c
    return np.where(missing[..., None], np.nan, draws)


def _threshold_draws(
    ordered: Float[np.ndarray, "s n"], q: float, resamples: int, rng: np.random.Generator
) -> tuple[Float[np.ndarray, "s resamples"], Int[np.ndarray, "s resamples"]]:
    """λ of resamples of each sorted row, and how many barriers of the resample are ≤ λ."""
    rows, n = ordered.shape
    position = q * (n - 1)  # as `numpy.quantile` counts, from 0
    k = min(int(position) + 1, n)  # the order statistic under the quantile, counted from 1
    lower = rng.beta(k, n - k + 1, (rows, resamples))  # the k-th of n uniform numbers
    upper = lower + (1 - lower) * rng.beta(1, n - k, (rows, resamples)) if k < n else lower  # the next one
    below, above = (np.take_along_axis(ordered, np.minimum(u * n, n - 1).astype(int), 1) for u in (lower, upper))
    limits = below + (position - (k - 1)) * (above - below)  # s resamples
    return limits, k + _further_ties(ordered, limits, above, upper, n - k, rng)


def _further_ties(
    ordered: np.ndarray,
    limits: np.ndarray,
    above: np.ndarray,
    upper: np.ndarray,
    remaining: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """How many of the `remaining` order statistics, the one at λ's upper neighbour first, equal λ and count as edges.

    ordered: (s, n); limits, above, upper: (s, resamples), as in `_threshold_draws`.
    """
    if remaining == 0:
        return np.zeros(limits.shape, int)
    at_most = edge_counts(ordered[:, None], limits)[:, 0] / ordered.shape[1]  # s resamples, of the sample
    chance = np.clip((at_most - upper) / (1 - upper), 0, 1)  # of a further uniform number, which exceeds `upper`
    return np.where(above <= limits, 1 + rng.binomial(remaining - 1, chance), 0)  # s resamples
