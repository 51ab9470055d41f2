"""What a loss curve between two networks says: its chord, its barrier, and the barriers between a walk's nodes."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from landscape.study.schema import BASE


def chord(losses: ArrayLike, alphas: ArrayLike) -> np.ndarray:
    """αL(θ₁) + (1−α)L(θ₂): the straight line between the ends of each curve (..., α), in the losses' unit.

    Raises ValueError unless the α run from 0 to 1.
    """
    losses, alphas = np.asarray(losses, np.float64), np.asarray(alphas, np.float64)
    if alphas[0] != 0 or alphas[-1] != 1:
        raise ValueError(f"α must run from 0 to 1; got {alphas[0]:g} to {alphas[-1]:g}")
    return alphas * losses[..., -1:] + (1 - alphas) * losses[..., :1]


def greatest_barrier(losses: ArrayLike, alphas: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """b = sup over α of loss − chord, over the α measured, and the α where it is reached (Definition 1).

    Both (...) for curves (..., α); b is 0 at least, since the ends lie on the chord. NaN for a missing curve.
    """
    above = np.asarray(losses, np.float64) - chord(losses, alphas)
    missing = np.isnan(above).any(-1)
    at = np.where(missing, np.nan, np.asarray(alphas)[np.argmax(above, axis=-1)])
    return np.max(above, axis=-1), at


def midpoint_barrier(losses: ArrayLike, alphas: ArrayLike) -> np.ndarray:
    """b̂ = |L(½θ₁ + ½θ₂) − ½(L(θ₁) + L(θ₂))| of each curve (..., α). Raises ValueError if α = ½ was not measured."""
    middle = np.flatnonzero(np.asarray(alphas) == 0.5)
    if middle.size == 0:
        raise ValueError("the curve has no point at α = 0.5")
    return np.abs(np.asarray(losses, np.float64) - chord(losses, alphas))[..., middle[0]]


def pair_barriers(dataset: xr.Dataset, seed: int, model: str, moment: str) -> xr.DataArray:
    """b̂ on the training batch between every two of the walk's first nodes, in nats, dim (pair).

    Neighbours on the walk have the barrier that the metric counts, where the walk was measured at that moment; all
    others come from their curve, where it is a difference of rounded losses.
    """
    curves = dataset["curve"].sel(seed=seed, model=model, moment=moment, split="train").transpose("pair", "alpha")
    barriers = curves.isel(alpha=0, drop=True).copy(data=midpoint_barrier(curves.values, dataset["alpha"].values))
    start, end = dataset["pair_from"].values, dataset["pair_to"].values
    steps = np.flatnonzero(end == start + 1)
    walked = walk_barriers(dataset, seed, model, moment)[start[steps]]
    barriers[steps] = np.where(np.isnan(walked), barriers[steps], walked)
    return barriers


def walk_barriers(dataset: xr.Dataset, seed: int, model: str, moment: str) -> np.ndarray:
    """b̂ of each step of one walk (permutation), at the expansion or at the end of training.

    NaN at the end where no checkpoint is the last epoch, and for the base, which has no end.
    """
    if model == BASE:
        barriers = dataset["base_barrier"].sel(seed=seed).values
        return barriers if moment == "start" else np.full_like(barriers, np.nan)
    epoch = 0 if moment == "start" else int(dataset["epoch"][-1])
    walks = dataset["barrier"].sel(seed=seed, candidate=model).reindex(checkpoint=[epoch])
    return walks.isel(checkpoint=0).values
