"""Barriers between tiny networks: along a line, at its midpoint, and along a walk over permuted copies."""

from __future__ import annotations

import math
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, Int

from landscape.lessons.network import Batch, Tiny, loss, mixed, take

StepSize = Literal["one swap", "⌈log₂ l⌉ swaps", "full shuffle"]
STEP_SIZES: tuple[StepSize, ...] = get_args(StepSize)


def losses_along(
    first: Tiny, second: Tiny, alphas: Float[np.ndarray, " alpha"], batch: Batch
) -> Float[np.ndarray, " alpha"]:
    """The loss at each α on the line between two networks, in nats."""
    return loss(mixed(first, second, alphas), batch)


def midpoint_barriers(first: Tiny, second: Tiny, batch: Batch) -> Float[np.ndarray, ...]:
    """b̂ = |L(½θ₁ + ½θ₂) − ½(L(θ₁) + L(θ₂))| in nats, for one pair of networks or for many along leading axes."""
    return np.abs(loss(mixed(first, second, 0.5), batch) - (loss(first, batch) + loss(second, batch)) / 2)


def swaps(step: StepSize, units: int) -> int:
    """How many pairs of units a step swaps; 0 for a full shuffle."""
    return {"one swap": 1, "⌈log₂ l⌉ swaps": math.ceil(math.log2(units)), "full shuffle": 0}[step]


def steps(step: StepSize, n: int, units: int, seed: int = 1) -> Int[np.ndarray, "n units"]:
    """The steps of a walk as permutations, none of which leaves all units in their places.

    Example:
      >>> from landscape.lessons.barriers import steps
      >>> steps("one swap", n=1, units=4)
      array([[0, 2, 1, 3]])
    """
    generator, found = np.random.default_rng(seed), list[np.ndarray]()
    while len(found) < n:
        permutation = generator.permutation(units) if step == "full shuffle" else np.arange(units)
        for _ in range(swaps(step, units)):
            pair = generator.choice(units, 2, replace=False)
            permutation[pair] = permutation[pair[::-1]]
        if (permutation != np.arange(units)).any():
            found.append(permutation)
    return np.stack(found)


def nodes(permutations: Int[np.ndarray, "n units"]) -> Int[np.ndarray, "n+1 units"]:
    """The nodes of a walk as permutations of its start: node i is the first i steps together."""
    places = [np.arange(permutations.shape[1])]
    for permutation in permutations:
        places.append(places[-1][permutation])
    return np.stack(places)


def walk_barriers(network: Tiny, permutations: Int[np.ndarray, "n units"], batch: Batch) -> Float[np.ndarray, " n"]:
    """b̂ of every step of a walk (Algorithm 1), in nats."""
    places = nodes(permutations)
    return midpoint_barriers(take(network, places[:-1]), take(network, places[1:]), batch)


def swap_barriers(network: Tiny, batch: Batch) -> Float[np.ndarray, "units units"]:
    """b̂ between a network and its copy with units i and j swapped, in nats; 0 on the diagonal."""
    places = np.tile(np.arange(network.units), (network.units, network.units, 1))
    first, second = np.meshgrid(np.arange(network.units), np.arange(network.units), indexing="ij")
    np.put_along_axis(places, first[..., None], second[..., None], -1)
    np.put_along_axis(places, second[..., None], first[..., None], -1)
    return midpoint_barriers(network, take(network, places), batch)
