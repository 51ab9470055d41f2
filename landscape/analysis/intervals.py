"""How sure a number is: intervals of a manifold size, of a mean over seeds, and of differences within seeds."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from jaxtyping import Float
from numpy.typing import ArrayLike
from scipy import special

from landscape.analysis.metric import initial_metric, manifold_size, threshold
from landscape.analysis.walks import prefix
from landscape.store.derived import derived

LEVEL = 0.95

Bounds = tuple[Float[np.ndarray, "..."], Float[np.ndarray, "..."]]


def binomial_interval(successes: ArrayLike, trials: ArrayLike, level: float = LEVEL) -> Bounds:
    r"""The exact interval of a proportion by Clopper and Pearson, for many counts at once.

    With k successes in n trials and tails of a = (1 − level) / 2, the bounds are quantiles of beta distributions:

    .. math:: \left[B_a(k, n - k + 1), \; B_{1-a}(k + 1, n - k)\right]

    It holds the true proportion with probability `level` at least, also for few trials and proportions near 0 or 1.
    The values are those of `scipy.stats.binomtest`, which finds the bounds of one count by searching for a root: in a
    loop over 2,000 counts SciPy 1.17 takes 1,000 times as long.

    Args:
      successes, trials: k and n; they broadcast against each other. A bound is NaN where k is.
      level: strictly between 0 and 1.

    Returns:
      The lower and the upper bounds.

    Raises:
      ValueError: if the level is out of range.

    Example:
      >>> from landscape.analysis.intervals import binomial_interval
      >>> low, high = binomial_interval([0, 5, 10], 10)
      >>> low.round(3), high.round(3)
      (array([0.   , 0.187, 0.692]), array([0.308, 0.813, 1.   ]))

    References:
      Clopper and Pearson, "The use of confidence or fiducial limits", Biometrika 26 (1934).
    """
    k, n, tail = np.asarray(successes, np.float64), np.asarray(trials, np.float64), tail_probability(level)
    # 0.5 only keeps the branch that is not chosen free of warnings: k and n are whole.
    low = np.where(k == 0, 0.0, special.betaincinv(np.maximum(k, 0.5), n - k + 1, tail))
    high = np.where(k == n, 1.0, special.betaincinv(k + 1, np.maximum(n - k, 0.5), 1 - tail))
    return np.where(np.isnan(k), np.nan, low), np.where(np.isnan(k), np.nan, high)


def size_interval(barriers: ArrayLike, threshold: ArrayLike, level: float = LEVEL) -> Bounds:
    """The exact interval of the manifold size m under a threshold that is given.

    The steps of a walk are drawn independently, and the barrier of a step does not depend on where the walk stands,
    so the number of edges is binomial. Steps drawn without replacement vary less, so that their interval is wider than
    it needs to be.

    Args:
      barriers: midpoint barriers of the steps of one or more walks, of shape (..., n), in nats.
      threshold: λ in nats; it broadcasts against the axes (...) of the walks.
      level: strictly between 0 and 1.

    Returns:
      The lower and the upper bounds of m, of shape (...).

    Raises:
      ValueError: if there is no barrier, or the level is out of range.

    Example:
      >>> from landscape.analysis.intervals import size_interval
      >>> low, high = size_interval([0.1, 0.2, 0.3, 0.4], threshold=0.2)
      >>> low.round(2), high.round(2)
      (np.float64(0.07), np.float64(0.93))

    References:
      Malviya et al. (2024), arXiv 2405.15895, Algorithm 1, for m; Clopper and Pearson (1934) for its interval.
    """
    n = np.shape(barriers)[-1]
    return binomial_interval(np.round(manifold_size(barriers, threshold) * n), n, level)


def spread(values: xr.DataArray) -> xr.Dataset:
    """The mean, the standard deviation, the extremes and the number of the seeds that have a value.

    Args:
      values: with the dimension `seed` and any others.

    Returns:
      mean, std, least and greatest in the unit of the values, and count. std divides by count − 1 and is NaN for fewer
      than two seeds; the others are for none.

    Example:
      >>> import xarray as xr
      >>> from landscape.analysis.intervals import spread
      >>> {name: value.item() for name, value in spread(xr.DataArray([1.0, 2.0, 3.0], dims="seed")).items()}
      {'mean': 2.0, 'std': 1.0, 'count': 3, 'least': 1.0, 'greatest': 3.0}

    References:
      Malviya et al. (2024), arXiv 2405.15895, section 4.1: means and standard deviations over seeds.
    """
    numbers = values.transpose(..., "seed").values
    known = ~np.isnan(numbers)
    least, greatest = (
        np.where(known.any(-1), extreme(numbers, -1, where=known, initial=bound), np.nan)
        for extreme, bound in ((np.min, np.inf), (np.max, -np.inf))
    )
    return _labelled(values, _moments(values) | {"least": least, "greatest": greatest})


def over_seeds(
    values: xr.DataArray, *, level: float = LEVEL, within: tuple[float, float] = (-np.inf, np.inf)
) -> xr.Dataset:
    """`spread` over seeds, and the bounds of the mean by `mean_interval`.

    Args:
      values: with the dimension `seed` and any others.
      level: strictly between 0 and 1.
      within: the least and the greatest value that a mean can have, as (−1, 1) for a correlation; bounds beyond them
        are cut off there.

    Returns:
      mean, std, low and high in the unit of the values, and count.

    Raises:
      ValueError: if the level is out of range.

    Example:
      >>> import landscape
      >>> from landscape.analysis.intervals import over_seeds
      >>> gain = over_seeds(landscape.best_gain(landscape.open_study("digits-mlp"), "accuracy"))
      >>> gain.sel(candidate="hidden1 → 18")[["mean", "low", "high"]].to_array().round(1).values
      array([3.9, 1.7, 6.1])

    References:
      Student, "The probable error of a mean", Biometrika 6 (1908).
    """
    low, high = np.clip(mean_interval(values.transpose(..., "seed").values, level), *within)
    return _labelled(values, _moments(values) | {"low": low, "high": high})


def _moments(values: xr.DataArray) -> dict[str, np.ndarray]:
    """mean, std and count of the seeds that have a value, as bare arrays: labels cost more than the arithmetic."""
    numbers = values.transpose(..., "seed").values.astype(np.float64)  # ... seed
    known = ~np.isnan(numbers)
    count = known.sum(-1)
    with np.errstate(invalid="ignore", divide="ignore"):  # of no seed, and of one
        mean = np.sum(numbers, -1, where=known) / count
        std = np.sqrt(np.sum((numbers - mean[..., None]) ** 2, -1, where=known) / (count - 1))
    return {"mean": mean, "std": np.where(count > 1, std, np.nan), "count": count}


def _labelled(values: xr.DataArray, found: Mapping[str, np.ndarray]) -> xr.Dataset:
    """Arrays over all dimensions but `seed`, with the coordinates of the values."""
    rest = values.transpose(..., "seed").isel(seed=0, drop=True)
    return xr.Dataset({name: (rest.dims, each) for name, each in found.items()}, rest.coords, values.attrs)


@derived
def metric_over_seeds(dataset: xr.Dataset, q: float, n: int) -> xr.Dataset:
    r"""`over_seeds` of the metric M₀, with bounds that M₀ can reach.

    The base has ⌊q(n − 1)⌋ + 1 edges at least, which is qn but for rounding, and a candidate n at most. So M₀ is at
    most 1 − q. It is at least −m(φ*), whose mean over seeds is known: q, or more where barriers are equal. The true
    mean lies between the two, so cutting Student's interval off there keeps its probability of holding it.

    Args:
      dataset: a result, as `landscape.open_study` returns it.
      q, n: as for `landscape.manifold_metric`.

    Returns:
      mean, std, low and high in percent, and count, all with the dimension `candidate`.

    Raises:
      ValueError: if q or n is out of range.

    Example:
      >>> import landscape
      >>> from landscape.analysis.intervals import metric_over_seeds
      >>> bool((metric_over_seeds(landscape.open_study("cnn-cifar10"), q=0.4, n=250)["high"] <= 60).all())
      True

    References:
      Malviya et al. (2024), arXiv 2405.15895, equation 2; Student (1908).
    """
    return over_seeds(initial_metric(dataset, q, n), within=metric_limits(dataset, q, n))


def metric_limits(dataset: xr.Dataset, q: float, n: int) -> tuple[float, float]:
    """The least and the greatest mean of M₀ (equation 2) that there can be, in percent; see `metric_over_seeds`.

    Example:
      >>> import landscape
      >>> from landscape.analysis.intervals import metric_limits
      >>> [round(bound, 1) for bound in metric_limits(landscape.open_study("cnn-cifar10"), q=0.4, n=250)]
      [-40.0, 60.0]
    """
    base, _ = prefix(dataset, n)
    fewest = (int(q * (n - 1)) + 1) / n
    sizes = manifold_size(base, threshold(base, q))  # seed
    own = max(float(np.nanmean(sizes)), fewest) if np.isfinite(sizes).any() else 1.0
    return -100 * own, 100 * (1 - fewest)


def mean_interval(values: ArrayLike, level: float = LEVEL) -> Bounds:
    r"""Student's t interval of the mean over the last axis, of the k values that are not NaN.

    .. math:: \bar x \pm t_{k-1} \frac{s}{\sqrt k}

    Of independent normal values it holds the mean with probability `level`, for any k from 2 on. It is
    `scipy.stats.t.interval` with k − 1 degrees of freedom.

    Args:
      values: of shape (..., n).
      level: strictly between 0 and 1.

    Returns:
      The lower and the upper bounds, of shape (...), in the unit of the values. They are NaN for fewer than two
      values, and where all are exactly equal: seeds that agree do not say how far they could differ.

    Raises:
      ValueError: if the level is out of range.

    Example:
      >>> from landscape.analysis.intervals import mean_interval
      >>> low, high = mean_interval([[1.0, 2.0, 3.0], [2.0, 2.0, 2.0]])
      >>> low.round(2), high.round(2)
      (array([-0.48,   nan]), array([4.48,  nan]))

    References:
      Student, "The probable error of a mean", Biometrika 6 (1908).
    """
    values, tail = np.asarray(values, np.float64), tail_probability(level)
    known = ~np.isnan(values)
    least, greatest = np.min(values, -1, where=known, initial=np.inf), np.max(values, -1, where=known, initial=-np.inf)
    count = np.where(least < greatest, known.sum(-1), np.nan)
    mean = np.sum(values, -1, where=known) / count
    squares = np.sum((values - mean[..., None]) ** 2, -1, where=known)
    half = -special.stdtrit(count - 1, tail) * np.sqrt(squares / (count * (count - 1)))
    return mean - half, mean + half


def leads(values: xr.DataArray) -> xr.Dataset:
    """How far the best candidate is ahead of each of the others, by the differences within seeds.

    The candidates of a seed share their base, so that differences within seeds are surer than differences of means.
    The best candidate is the one with the greatest mean, the first of several.

    Args:
      values: with dims (seed, candidate). Candidates without any value are left out.

    Returns:
      mean, std, low and high of the differences, in the unit of the values, and count, as in `over_seeds`; `tied`
      where the difference is 0 in every seed. The dimension `candidate` holds the others in their order, and the
      coordinate `best` names the best candidate. Each interval holds at 95 % by itself.

    Raises:
      ValueError: if no candidate has a value.

    Example:
      >>> import xarray as xr
      >>> from landscape.analysis.intervals import leads
      >>> values = xr.DataArray([[1.0, 3.0], [2.0, 5.0]], {"candidate": ["A", "B"]}, ("seed", "candidate"))
      >>> found = leads(values)
      >>> found["best"].item(), found["mean"].sel(candidate="A").item()
      ('B', 2.5)

    References:
      Student, "The probable error of a mean", Biometrika 6 (1908), for paired differences.
    """
    known = values.dropna("candidate", how="all")
    if known.size == 0:
        raise ValueError("no candidate has a value in any seed")
    best = known["candidate"].values[int(known.mean("seed").argmax("candidate"))]
    lead = known.sel(candidate=best, drop=True) - known.drop_sel(candidate=best)
    return over_seeds(lead).assign(tied=abs(lead).max("seed") == 0).assign_coords(best=best)


def tail_probability(level: float) -> float:
    """The probability that an interval of this level leaves on either side.

    Raises:
      ValueError: unless the level lies strictly between 0 and 1.

    Example:
      >>> from landscape.analysis.intervals import tail_probability
      >>> tail_probability(0.5)
      0.25
    """
    if not 0 < level < 1:
        raise ValueError(f"level must lie strictly between 0 and 1; got {level:g}")
    return (1 - level) / 2
