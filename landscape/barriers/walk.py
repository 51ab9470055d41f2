"""The walk over permuted copies of a network: swaps, permutations, nodes (Algorithm 1, A.2.1)."""

from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Int, PRNGKeyArray

from landscape.models.functional import split
from landscape.models.prng import host_generator
from landscape.models.symmetry import named_group, take
from landscape.study import MINIMUM_WIDTH

ROUNDS = 1000  # of redrawing steps before a walk without replacement counts as exhausted


def swaps_per_step(units: int) -> int:
    """⌈log₂ l⌉ swaps a step (A.2.1). Raises ValueError below 4 units."""
    if units < MINIMUM_WIDTH:
        raise ValueError(f"a walk needs at least {MINIMUM_WIDTH} units; got {units}")
    return math.ceil(math.log2(units))


def draw_swaps(key: PRNGKeyArray, n: int, units: int, *, distinct: bool = False) -> Int[np.ndarray, "n swaps 2"]:
    """n steps of ⌈log₂ l⌉ pairs of different units, drawn with replacement (A.2.1).

    A step whose swaps undo each other is drawn again, since it makes no *new* permutation. With `distinct` no
    permutation comes twice (Algorithm 1's "without replacement"). The first m steps of a walk of n are the
    walk of m. Raises ValueError when no further distinct permutation turns up.
    """
    if n < 1:
        raise ValueError(f"a walk needs at least one step; got {n}")
    shape = (n, swaps_per_step(units))
    steps = _draw(host_generator(key), shape, units)
    for attempt in range(1, ROUNDS + 1):
        stale = _stale(compose(steps, units), distinct)
        if not stale.any():
            return steps
        steps = np.where(stale[:, None, None], _draw(host_generator(key, attempt), shape, units), steps)
    raise ValueError(f"only {n - stale.sum()} distinct permutations of {units} units found; {n} were asked for")


def _draw(generator: np.random.Generator, shape: tuple[int, int], units: int) -> Int[np.ndarray, "n swaps 2"]:
    """Pairs of different units, row by row: fewer rows are a prefix of more."""
    draws = generator.integers(0, (units, units - 1), size=(*shape, 2))
    first = draws[..., 0]
    return np.stack([first, (first + 1 + draws[..., 1]) % units], -1)


def _stale(permutations: np.ndarray, distinct: bool) -> np.ndarray:
    """Which rows are the identity or, where they must be distinct, equal an earlier row."""
    stale = (permutations == np.arange(permutations.shape[1])).all(1)
    if distinct:
        first = np.unique(permutations, axis=0, return_index=True)[1]
        stale |= ~np.isin(np.arange(len(permutations)), first)
    return stale


def compose(swaps: Int[np.ndarray, "n swaps 2"], units: int) -> Int[np.ndarray, "n units"]:
    """The permutation that each step's swaps make, applied in order: unit `permutation[j]` moves to place j."""
    permutations = np.tile(np.arange(units), (len(swaps), 1))
    steps = np.arange(len(swaps))
    for a, b in np.moveaxis(swaps, 0, -1):
        permutations[steps, a], permutations[steps, b] = permutations[steps, b], permutations[steps, a]
    return permutations


def nodes(permutations: Int[np.ndarray, "n units"]) -> Int[np.ndarray, "n+1 units"]:
    """Where the walk stands: node 0 is the identity, node i the first i steps together.

    `take` by row i gives the parameters of node i.
    """
    places = [np.arange(permutations.shape[1])]
    for permutation in permutations:
        places.append(places[-1][permutation])
    return np.stack(places)


def seen_from_start(permutations: Int[np.ndarray, "n units"]) -> Int[np.ndarray, "n units"]:
    """The walk's steps as permutations of node 0: ρ_i = σ_i π_i σ_i⁻¹, where σ_i is node i.

    Nodes i and i+1 are θ and P(θ, ρ_i), both permuted by σ_i; so they have the same barrier between them.
    """
    places = nodes(permutations)
    steps = np.empty_like(permutations)
    np.put_along_axis(steps, places[:-1], places[1:], axis=1)
    return steps


def permute(model: nnx.Module, group: str, permutation: Int[Array | np.ndarray, " units"]) -> nnx.Module:
    """The model with unit `permutation[j]` of `group` in place j; the function is unchanged.

    Raises ValueError for an unknown group or an index list that is no permutation of its units.
    """
    table, network = named_group(model, group), split(model)
    check_permutations(np.asarray(permutation)[None], table.size(network.weights))
    return network.replace(take(network.weights, table, jnp.asarray(permutation))).module()


def check_permutations(permutations: np.ndarray, units: int) -> None:
    """Raises ValueError that names the first row that is no permutation of `units` units."""
    if permutations.ndim != 2 or permutations.shape[1] != units:
        raise ValueError(f"permutations must have shape (n, {units}); got {permutations.shape}")
    wrong = np.flatnonzero((np.sort(permutations, 1) != np.arange(units)).any(1))
    if wrong.size:
        raise ValueError(f"row {wrong[0]} is no permutation of 0..{units - 1}: {permutations[wrong[0]].tolist()}")
