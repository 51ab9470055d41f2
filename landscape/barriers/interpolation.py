"""Loss along the straight line between two networks of equal shape."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int

from landscape.barriers import by_activations
from landscape.barriers.checks import check_batch, check_model
from landscape.barriers.midpoint import node_loss
from landscape.barriers.walk import check_permutations
from landscape.models.cut import cut_at
from landscape.models.functional import Weights, mixed, split
from landscape.models.net2net import named_group
from landscape.models.symmetry import take
from landscape.numerics.precision import exact


@exact
def interpolate(
    a: nnx.Module,
    b: nnx.Module,
    alphas: Float[Array | np.ndarray, " m"],
    inputs: Any,
    targets: Int[Array | np.ndarray, "*b"],
) -> Float[Array, " m"]:
    """L(α·a + (1−α)·b) for each α, in nats (Definition 1): mean cross-entropy on the batch given.

    Running statistics are interpolated like the parameters. Raises ValueError if the shapes differ.
    """
    graphdef, start = split(a)
    _, end = split(b)
    shapes = [jax.tree.map(jnp.shape, weights) for weights in (start, end)]
    if shapes[0] != shapes[1]:
        names = [name for name in shapes[0] | shapes[1] if shapes[0].get(name) != shapes[1].get(name)]
        raise ValueError(f"the networks differ in the shape of {', '.join(names)}")
    return path_losses(graphdef, start, end, jnp.asarray(alphas), inputs, targets)


@exact
@partial(jax.jit, static_argnames="graphdef")
def path_losses(
    graphdef: nnx.GraphDef, a: Weights, b: Weights, alphas: Float[Array, " m"], inputs: Any, targets: Array
) -> Float[Array, " m"]:
    """`interpolate` on weights: one point of the line after another, so that memory does not grow with m."""

    def point(alpha: Array) -> Array:
        return node_loss(graphdef, mixed((a, b), (alpha, 1 - alpha)), inputs, targets)

    return jax.lax.map(point, alphas)


@exact
def permuted_curves(
    model: nnx.Module,
    permutations: Int[np.ndarray, "n units"],
    alphas: Float[np.ndarray, " m"],
    inputs: Any,
    targets: Int[Array | np.ndarray, "*b"],
    *,
    group: str,
) -> Float[np.ndarray, "n m"]:
    """L(α·P(θ, π) + (1−α)·θ) for each permutation and α, in nats; exact, by activations where the model has a cut.

    Raises ValueError as `midpoint_barriers` does.
    """
    permutations, table = np.asarray(permutations), named_group(model, group)
    graphdef, weights = split(model)
    check_permutations(permutations, table.size(weights))
    check_batch(inputs, targets)
    check_model(model, group, permutations, inputs, targets)
    alphas = np.asarray(alphas, np.float32)
    if cut_at(model, group) is None:
        copies = (take(weights, table, permutation) for permutation in permutations)
        return np.stack([path_losses(graphdef, copy, weights, alphas, inputs, targets) for copy in copies])
    changes = np.zeros((len(permutations), len(alphas)))
    for rows, places in ((involutions := _involutions(permutations), _folded(alphas)), (~involutions, alphas)):
        inner = (places != 0) & (places != 1)  # the ends are copies
        _, first, position = np.unique(places[inner].round(6), return_index=True, return_inverse=True)
        points = places[inner][first]
        found = by_activations.loss_changes(graphdef, weights, group, inputs, permutations[rows], points, targets)
        changes[np.ix_(rows, inner)] = found[:, position]
    return changes + np.asarray(node_loss(graphdef, weights, inputs, jnp.asarray(targets)))


def _involutions(permutations: np.ndarray) -> np.ndarray:
    """Which rows undo themselves, as disjoint swaps do: for them the line from copy to network is the line back."""
    return (np.take_along_axis(permutations, permutations, 1) == np.arange(permutations.shape[1])).all(1)


def _folded(alphas: np.ndarray) -> np.ndarray:
    """Each α or 1 − α, whichever is the smaller."""
    return np.minimum(alphas, 1 - alphas)
