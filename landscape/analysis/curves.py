"""What a loss curve between two networks says: its chord, its barrier, and the barriers between a walk's nodes.

A curve holds the loss L(αθ₁ + (1 − α)θ₂) at each α that was measured, from 0 to 1. Definitions are those of Malviya et
al. (2024), arXiv 2405.15895.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float
from numpy.typing import ArrayLike

from landscape.study.schema import BASE


def chord(losses: ArrayLike, alphas: ArrayLike) -> Float[np.ndarray, "... alpha"]:
    r"""The straight line between the ends of each curve, above which a barrier rises.

    .. math:: \alpha L(\theta_1) + (1 - \alpha) L(\theta_2)

    Args:
      losses: curves of shape (..., alpha), in nats.
      alphas: the α of each point, of shape (alpha,), from 0 to 1.

    Returns:
      The chord of each curve at each α, in the unit of the losses.

    Raises:
      ValueError: unless the α run from 0 to 1.

    Example:
      >>> from landscape.analysis.curves import chord
      >>> chord([1.0, 5.0, 2.0], alphas=[0, 0.5, 1])
      array([1. , 1.5, 2. ])

    References:
      Malviya et al. (2024), Definition 1 (equation 1).
    """
    losses, alphas = np.asarray(losses, np.float64), np.asarray(alphas, np.float64)
    if alphas[0] != 0 or alphas[-1] != 1:
        raise ValueError(f"α must run from 0 to 1; got {alphas[0]:g} to {alphas[-1]:g}")
    return alphas * losses[..., -1:] + (1 - alphas) * losses[..., :1]


def greatest_barrier(losses: ArrayLike, alphas: ArrayLike) -> tuple[Float[np.ndarray, ...], Float[np.ndarray, ...]]:
    r"""The loss barrier of each curve, over the α that were measured, and the α where it is reached.

    .. math:: b(\theta_1, \theta_2) = \sup_\alpha L(\alpha\theta_1 + (1 - \alpha)\theta_2)
       - [\alpha L(\theta_1) + (1 - \alpha) L(\theta_2)]

    It is 0 at least, since the ends lie on the chord.

    Args:
      losses: curves of shape (..., alpha), in nats.
      alphas: the α of each point, of shape (alpha,), from 0 to 1.

    Returns:
      b in nats and its α, both of shape (...); NaN where a point of the curve is missing.

    Raises:
      ValueError: unless the α run from 0 to 1.

    Example:
      >>> from landscape.analysis.curves import greatest_barrier
      >>> barrier, alpha = greatest_barrier([1.0, 5.0, 2.0], alphas=[0, 0.5, 1])
      >>> float(barrier), float(alpha)
      (3.5, 0.5)

    References:
      Malviya et al. (2024), Definition 1 (equation 1), after Entezari et al. (2021), arXiv 2110.06296.
    """
    above = np.asarray(losses, np.float64) - chord(losses, alphas)  # ... alpha
    missing = np.isnan(above).any(-1)
    at = np.where(missing, np.nan, np.asarray(alphas)[np.argmax(above, axis=-1)])
    return np.asarray(np.max(above, axis=-1)), at


def midpoint_barrier(losses: ArrayLike, alphas: ArrayLike) -> Float[np.ndarray, ...]:
    r"""The midpoint barrier of each curve, which is what the manifold metric counts.

    .. math:: \hat b = \left| L(\tfrac12\theta_1 + \tfrac12\theta_2)
       - \tfrac12 \left(L(\theta_1) + L(\theta_2)\right) \right|

    Args:
      losses: curves of shape (..., alpha), in nats.
      alphas: the α of each point, of shape (alpha,), from 0 to 1.

    Returns:
      b̂ in nats, of shape (...).

    Raises:
      ValueError: if α = ½ was not measured, or the α do not run from 0 to 1.

    Example:
      >>> from landscape.analysis.curves import midpoint_barrier
      >>> float(midpoint_barrier([1.0, 0.5, 2.0], alphas=[0, 0.5, 1]))
      1.0

    References:
      Malviya et al. (2024), section 3.2.
    """
    return np.abs(_above_the_middle(losses, alphas))


def dips(losses: ArrayLike, alphas: ArrayLike) -> Bool[np.ndarray, ...]:
    r"""Whether the midpoint of each curve lies below its chord by more than rounding: b̂ counts what b does not.

    Both are barriers, yet b̂ is a magnitude and b only rises: along a curve that sags, b = 0 and b̂ > 0.

    Args:
      losses: curves of shape (..., alpha), in nats.
      alphas: the α of each point, of shape (alpha,), from 0 to 1.

    Returns:
      A truth value for each curve, of shape (...); false where it is not known.

    Raises:
      ValueError: as `midpoint_barrier` does.

    Example:
      >>> from landscape.analysis.curves import dips
      >>> dips([[1.0, 0.5, 1.0], [1.0, 1.5, 1.0]], alphas=[0, 0.5, 1])
      array([ True, False])

    References:
      Malviya et al. (2024), equation 1 for b and section 3.2 for b̂.
    """
    rounding = np.finfo(np.float32).eps * np.max(np.abs(losses), axis=-1)
    return np.asarray(_above_the_middle(losses, alphas) < -rounding)


def _above_the_middle(losses: ArrayLike, alphas: ArrayLike) -> np.ndarray:
    """By how much each curve lies above its chord at α = ½."""
    middle = np.flatnonzero(np.asarray(alphas) == 0.5)
    if middle.size == 0:
        raise ValueError("the curve has no point at α = 0.5")
    return np.asarray((np.asarray(losses, np.float64) - chord(losses, alphas))[..., middle[0]])


def pair_barriers(dataset: xr.Dataset, seed: int, model: str, moment: str) -> xr.DataArray:
    """The midpoint barriers on the training batch between every two of a walk's first nodes.

    Neighbours on the walk have the barrier that the metric counts, where the walk was measured at that moment. All
    others take theirs from their curve, where it is a difference of rounded losses.

    Args:
      dataset: a result, as `landscape.open_study` returns it.
      seed: the number of a seed.
      model: "base", or the label of a candidate.
      moment: "start", right after the expansion, or "end", after training.

    Returns:
      b̂ in nats, with dim (pair); the coordinates `pair_from` and `pair_to` number the nodes.

    Raises:
      KeyError: for a seed, model or moment that the result does not have.

    Example:
      >>> import landscape
      >>> from landscape.analysis.curves import pair_barriers
      >>> barriers = pair_barriers(landscape.open_study("digits-mlp"), seed=0, model="base", moment="start")
      >>> barriers.sizes["pair"], bool((barriers >= 0).all())
      (45, True)

    References:
      Malviya et al. (2024), section 3.2, where only neighbours on the walk count.
    """
    curves = dataset["curve"].sel(seed=seed, model=model, moment=moment, split="train").transpose("pair", "alpha")
    barriers = curves.isel(alpha=0, drop=True).copy(data=midpoint_barrier(curves.values, dataset["alpha"].values))
    start, end = dataset["pair_from"].values, dataset["pair_to"].values
    steps = np.flatnonzero(end == start + 1)
    walked = walk_barriers(dataset, seed, model, moment)[start[steps]]
    barriers[steps] = np.where(np.isnan(walked), barriers[steps], walked)
    return barriers


def walk_barriers(dataset: xr.Dataset, seed: int, model: str, moment: str) -> Float[np.ndarray, " permutation"]:
    """The midpoint barriers of the steps of one walk, right after the expansion or at the end of training.

    Args:
      dataset, seed, model, moment: as for `pair_barriers`.

    Returns:
      b̂ in nats, of shape (permutation,). It is NaN at the end where the last epoch is not a checkpoint, and for the
      base, which has no end.

    Raises:
      KeyError: for a seed or model that the result does not have.

    Example:
      >>> import landscape
      >>> from landscape.analysis.curves import walk_barriers
      >>> walk_barriers(landscape.open_study("digits-mlp"), seed=0, model="hidden1 → 18", moment="end").shape
      (1000,)

    References:
      Malviya et al. (2024), Algorithm 1.
    """
    if model == BASE:
        barriers = dataset["base_barrier"].sel(seed=seed).values
        return barriers if moment == "start" else np.full_like(barriers, np.nan)
    epoch = 0 if moment == "start" else int(dataset["epoch"][-1])
    walks = dataset["barrier"].sel(seed=seed, candidate=model).reindex(checkpoint=[epoch])
    return walks.isel(checkpoint=0).values
