"""How sure a number is: of the share m, of the metric M of one seed, and of a mean over seeds.

Every interval is deterministic: the bootstrap of one seed uses a generator of its own, from the seed given.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from scipy import special, stats

from landscape.analysis.metric import METRIC_ATTRIBUTES, edge_counts, manifold_size
from landscape.analysis.walks import prefix

LEVEL = 0.95
RESAMPLES = 2000


def binomial_interval(successes: ArrayLike, trials: ArrayLike, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
    """The exact interval (Clopper and Pearson, Biometrika 26, 1934) of a share, as `scipy.stats.binomtest`.

    It holds the true share with probability `level` at least, also for few trials and shares near 0 or 1.
    Raises ValueError for a level outside (0, 1).
    """
    k, n, tail = np.asarray(successes, np.float64), np.asarray(trials, np.float64), _tail(level)
    low = np.where(k == 0, 0.0, special.betaincinv(np.maximum(k, 0.5), n - k + 1, tail))
    high = np.where(k == n, 1.0, special.betaincinv(k + 1, np.maximum(n - k, 0.5), 1 - tail))
    return np.where(np.isnan(k), np.nan, low), np.where(np.isnan(k), np.nan, high)


def size_interval(barriers: ArrayLike, limit: ArrayLike, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
    """`binomial_interval` of m over the last axis, for a λ that is given.

    The steps of a walk are drawn independently and the barrier of a step does not depend on where the walk
    stands, so the number of edges is binomial; without replacement it varies less, and the interval is wide.
    """
    n = np.shape(barriers)[-1]
    return binomial_interval(np.round(manifold_size(barriers, limit) * n), n, level)


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
    """Percentile bootstrap interval of M in percent, dims (bound, seed, candidate), bounds "low" and "high".

    The permutations of base and candidate are resampled, so the uncertainty of λ is included; that of the
    training is not, which only further seeds can show. `checkpoint` is epochs after expansion.
    Raises ValueError as `manifold_metric` does, and for a checkpoint that was not measured.
    """
    epochs = dataset["checkpoint"].values
    if checkpoint not in epochs:
        raise ValueError(f"checkpoint must be one of {', '.join(map(str, epochs))}; got {checkpoint}")
    base, barriers = prefix(dataset.sel(checkpoint=[checkpoint]), n)
    draws = 100 * metric_draws(base, barriers[:, :, 0], q, resamples, np.random.default_rng(seed))
    tail = _tail(level)
    values = np.quantile(draws, [tail, 1 - tail], axis=-1)
    coords = {"bound": ["low", "high"], "seed": dataset["seed"], "candidate": dataset["candidate"]}
    return xr.DataArray(values, coords, ("bound", "seed", "candidate"), "metric", METRIC_ATTRIBUTES)


def metric_draws(
    base: np.ndarray, barriers: np.ndarray, q: float, resamples: int, rng: np.random.Generator
) -> np.ndarray:
    """Bootstrap draws of M as a share: base (s, n) and barriers (s, c, n) give (s, c, resamples).

    Drawn by their law instead of by resampling. λ comes from two neighbouring order statistics of a resample,
    whose places in the sorted sample are order statistics of n uniform numbers (beta spacings); given λ, the
    edges of a resampled walk are binomial.
    """
    n = base.shape[-1]
    limits, base_edges = _threshold_draws(np.sort(base.astype(np.float64), -1), q, resamples, rng)
    below = edge_counts(np.sort(barriers.astype(np.float64), -1), limits)
    draws = (rng.binomial(n, below / n) - base_edges[:, None]) / n
    missing = np.isnan(barriers).any(-1) | np.isnan(base).any(-1)[:, None]
    return np.where(missing[..., None], np.nan, draws)


def _threshold_draws(
    ordered: np.ndarray, q: float, resamples: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """λ of resamples of each sorted row (s, n), and how many of the resample are ≤ λ, both (s, resamples)."""
    rows, n = ordered.shape
    position = q * (n - 1)
    k = min(int(position) + 1, n)  # the order statistic under the quantile, counted from 1
    lower = rng.beta(k, n - k + 1, (rows, resamples))
    upper = lower + (1 - lower) * rng.beta(1, n - k, (rows, resamples)) if k < n else lower
    below, above = (np.take_along_axis(ordered, np.minimum(u * n, n - 1).astype(int), 1) for u in (lower, upper))
    limits = below + (position - (k - 1)) * (above - below)
    return limits, k + _tied(ordered, limits, above, upper, n - k, rng)


def _tied(
    ordered: np.ndarray, limits: np.ndarray, above: np.ndarray, upper: np.ndarray, rest: int, rng: np.random.Generator
) -> np.ndarray:
    """How many of the `rest` values from the next order statistic on are ≤ λ all the same, because they equal it."""
    if rest == 0:
        return np.zeros(limits.shape, int)
    share = edge_counts(ordered[:, None], limits)[:, 0] / ordered.shape[1]
    chance = np.clip((share - upper) / (1 - upper), 0, 1)
    return np.where(above <= limits, 1 + rng.binomial(rest - 1, chance), 0)


def spread(values: xr.DataArray) -> xr.Dataset:
    """mean, std and count over the dimension `seed`, of the seeds that are there; std divides by count − 1.

    std is NaN for fewer than two seeds: one cannot say how seeds differ.
    """
    count = values.count("seed")
    std = values.std("seed", ddof=1).where(count > 1)
    return xr.Dataset({"mean": values.mean("seed"), "std": std, "count": count}, attrs=values.attrs)


def over_seeds(
    values: xr.DataArray, *, level: float = LEVEL, within: tuple[float, float] = (-np.inf, np.inf)
) -> xr.Dataset:
    """`spread`, and the bounds low and high of the mean by `mean_interval`.

    `within` is what a mean can be at all, as (−1, 1) for a correlation: bounds beyond it are cut off there.
    """
    last = values.transpose(..., "seed")
    template = last.isel(seed=0, drop=True)
    low, high = np.clip(mean_interval(last.values, level), *within)
    return spread(values).assign(low=template.copy(data=low), high=template.copy(data=high))


def mean_interval(values: ArrayLike, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
    """Student's t interval of the mean over the last axis: x̄ ± t s / √k of the k values that are not NaN.

    As `scipy.stats.t.interval` with k − 1 degrees of freedom (Student, Biometrika 6, 1908); in the values' unit. Of
    independent normal values it holds the mean with probability `level`, for any k from 2 on. NaN for fewer than
    two values, and where all are exactly equal: seeds that agree say nothing of how far they could differ.
    Raises ValueError for a level outside (0, 1).
    """
    values, tail = np.asarray(values, np.float64), _tail(level)
    there = ~np.isnan(values)
    least, greatest = np.min(values, -1, where=there, initial=np.inf), np.max(values, -1, where=there, initial=-np.inf)
    count = np.where(least < greatest, there.sum(-1), np.nan)
    mean = np.sum(values, -1, where=there) / count
    squares = np.sum((values - mean[..., None]) ** 2, -1, where=there)
    half = stats.t.isf(tail, count - 1) * np.sqrt(squares / (count * (count - 1)))
    return mean - half, mean + half


def _tail(level: float) -> float:
    if not 0 < level < 1:
        raise ValueError(f"level must lie strictly between 0 and 1; got {level:g}")
    return (1 - level) / 2
