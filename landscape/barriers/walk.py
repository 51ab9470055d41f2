"""The walk over permuted copies of a network: swaps, permutations, nodes (Algorithm 1, A.2.1).

Sections and algorithms are those of Malviya et al., "Predicting the Impact of Model Expansion through the Minima
Manifold" (2024), arXiv 2405.15895.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

import numpy as np
from flax import nnx
from jaxtyping import Int, PRNGKeyArray
from numpy.typing import ArrayLike

from landscape.models.functional import split
from landscape.models.prng import host_generator
from landscape.models.symmetry import named_group, take
from landscape.study import MINIMUM_WIDTH

Start = Literal["current", "first"]  # node that a step permutes; see `landscape.study.Walk`
ROUNDS = 1000  # of redrawing steps before a walk without replacement counts as exhausted


def swaps_per_step(units: int) -> int:
    """⌈log₂ l⌉, the number of swaps in a step of the walk (A.2.1). Raises ValueError below 4 units."""
    if units < MINIMUM_WIDTH:
        raise ValueError(f"a walk needs at least {MINIMUM_WIDTH} units; got {units}")
    return math.ceil(math.log2(units))


def draw_swaps(
    key: PRNGKeyArray, n: int, units: int, *, distinct: bool = False, start: Start = "current"
) -> Int[np.ndarray, "n swaps 2"]:
    """The swaps of a walk of n steps: in each step ⌈log₂ l⌉ pairs of different units, drawn with replacement.

    A step whose swaps undo each other is drawn again, since the paper asks for a *new* permutation. The first m steps
    of a walk of n steps are the walk of m steps with the same key.

    Args:
      key: decides every draw; the draws are made on the host.
      n: number of steps, at least 1.
      units: number l of units in the group, at least 4.
      distinct: whether no permutation may come twice (Algorithm 1's "without replacement").
      start: the node that each step permutes, as for `compose`. A step from the "first" node is drawn again as well
        where it leads to the node that the walk is at.

    Returns:
      Units to be swapped, in order, as integers of shape (n, ⌈log₂ l⌉, 2).

    Raises:
      ValueError: if n or `units` is too small, or no further distinct permutation turns up.

    Example:
      >>> import jax
      >>> import landscape
      >>> swaps = landscape.draw_swaps(jax.random.key(0), n=5, units=8)
      >>> swaps.shape
      (5, 3, 2)
      >>> bool((landscape.draw_swaps(jax.random.key(0), n=2, units=8) == swaps[:2]).all())
      True

    References:
      Malviya et al. (2024), A.2.1 and Algorithm 1.
    """
    if n < 1:
        raise ValueError(f"a walk needs at least one step; got {n}")
    shape = (n, swaps_per_step(units))
    steps = _draw(host_generator(key), shape, units)
    for attempt in range(1, ROUNDS + 1):
        stale = _stale(compose(steps, units), distinct) | _stale(compose(steps, units, start=start), distinct=False)
        if not stale.any():
            return steps
        steps = np.where(stale[:, None, None], _draw(host_generator(key, attempt), shape, units), steps)
    raise ValueError(f"only {n - stale.sum()} distinct permutations of {units} units found; {n} were asked for")


def _draw(generator: np.random.Generator, shape: tuple[int, int], units: int) -> Int[np.ndarray, "n swaps 2"]:
    """Pairs of different units, drawn row by row, so that fewer rows are a prefix of more."""
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


def compose(swaps: Int[np.ndarray, "n swaps 2"], units: int, *, start: Start = "current") -> Int[np.ndarray, "n units"]:
    """The steps of a walk, from node to node, that these swaps make.

    With π_i the permutation that the swaps of step i make, applied in order, a step leads from θ_i

        to θ_{i+1} = P(θ_i, π_i) where steps start at the "current" node, and
        to θ_{i+1} = P(θ, π_i) where they start at the "first" one, which is Algorithm 1 read literally.

    The default keeps neighbours one draw of swaps apart, as A.2.1 describes them ("iteratively generated minima do not
    lie too far from one another"). From the first node they are two draws apart, so barriers are higher; a study of the
    digits with either reading ranks its candidates alike.

    Args:
      swaps: pairs of units of shape (n, k, 2), as `draw_swaps` returns them for the same `start`.
      units: number l of units.
      start: the node that each step permutes, "current" or "first".

    Returns:
      One permutation per step, of shape (n, l), which takes node i to node i + 1: the unit in place π[j] moves to
      place j. `midpoint_barriers` walks them.

    Raises:
      ValueError: if `start` is neither.

    Example:
      >>> import numpy as np
      >>> import landscape
      >>> swaps = np.array([[[0, 1], [1, 2]], [[2, 3], [0, 1]]])
      >>> landscape.compose(swaps, units=4)
      array([[1, 2, 0, 3],
             [1, 0, 3, 2]])
      >>> landscape.compose(swaps, units=4, start="first")  # from [1, 2, 0, 3] to [1, 0, 3, 2]
      array([[1, 2, 0, 3],
             [0, 2, 3, 1]])

    References:
      Malviya et al. (2024), A.2.1 and Algorithm 1.
    """
    if start not in get_args(Start):
        raise ValueError(f"start must be 'current' or 'first'; got {start!r}")
    permutations = np.tile(np.arange(units), (len(swaps), 1))
    steps = np.arange(len(swaps))
    for a, b in np.moveaxis(swaps, 0, -1):
        permutations[steps, a], permutations[steps, b] = permutations[steps, b], permutations[steps, a]
    return permutations if start == "current" else _between(permutations)


def _between(permutations: Int[np.ndarray, "n units"]) -> Int[np.ndarray, "n units"]:
    """The steps of a walk through P(θ, π_1), P(θ, π_2), … from θ: each undoes the permutation before."""
    before = np.concatenate([np.arange(permutations.shape[1])[None], permutations[:-1]])
    return np.take_along_axis(np.argsort(before, 1), permutations, 1)


def nodes(permutations: Int[np.ndarray, "n units"]) -> Int[np.ndarray, "n+1 units"]:
    """The nodes of the walk as permutations of its start: node 0 is the identity, node i the first i steps together.

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


def permute(model: nnx.Module, group: str, permutation: ArrayLike) -> nnx.Module:
    """P(θ, π): a copy of the network whose units are permuted; it computes the same function.

    Args:
      model: a module with a method `groups()`; it is left as it is.
      group: the unit group to permute, by name.
      permutation: π of shape (l,): unit π[j] of the group moves to place j.

    Returns:
      A new module of the same type.

    Raises:
      ValueError: if there is no such group, or the list is not a permutation of its units.

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> import landscape
      >>> from landscape.models.mlp import mlp
      >>> model, x = mlp(4, (5,), 3, nnx.Rngs(0)), jnp.ones((1, 4))
      >>> copy = landscape.permute(model, "hidden1", [4, 0, 1, 2, 3])
      >>> bool((copy.hidden1.kernel[:, 0] == model.hidden1.kernel[:, 4]).all())
      True
      >>> bool(jnp.allclose(copy(x), model(x), atol=1e-6))
      True

    References:
      Malviya et al. (2024), section 3.2.
    """
    table, network = named_group(model, group), split(model)
    index = np.asarray(permutation)
    check_permutations(index[None], table.size(network.weights))
    return network.replace(take(network.weights, table, index)).module()


def check_permutations(permutations: np.ndarray, units: int) -> None:
    """Raises ValueError that names the first row that is not a permutation of `units` units."""
    if permutations.ndim != 2 or permutations.shape[1] != units:
        raise ValueError(f"permutations must have shape (n, {units}); got {permutations.shape}")
    wrong = np.flatnonzero((np.sort(permutations, 1) != np.arange(units)).any(1))
    if wrong.size:
        raise ValueError(f"row {wrong[0]} is not a permutation of 0..{units - 1}: {permutations[wrong[0]].tolist()}")
