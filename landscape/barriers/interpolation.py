"""Loss along the straight line between two networks of equal shape."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int

from landscape.barriers import by_activations
from landscape.barriers.checks import check_model
from landscape.barriers.mixtures import mixture_losses
from landscape.barriers.walk import check_permutations
from landscape.models.functional import Network, split
from landscape.models.site import Site
from landscape.models.symmetry import take
from landscape.numerics.batch import checked_batch
from landscape.numerics.precision import exact


@exact
def interpolate(
    a: nnx.Module,
    b: nnx.Module,
    alphas: Float[Array | np.ndarray, " m"],
    inputs: Any,
    targets: Int[Array | np.ndarray, "*b"],
) -> Float[Array, " m"]:
    """The loss along the straight line between two networks, L(α·a + (1−α)·b).

    Its greatest height above the straight line between L(a) and L(b) is the loss barrier of Definition 1,

        b(a, b) = sup_α L(α·a + (1−α)·b) − [α·L(a) + (1−α)·L(b)].

    L is the mean cross-entropy on the batch, in evaluation mode. Running statistics are interpolated like the
    parameters.

    Args:
      a: the network at α = 1.
      b: the network at α = 0, with arrays of the same shapes.
      alphas: places on the line, of shape (m,); below 0 and above 1 the line goes on.
      inputs: a batch of b examples: an array, or a tree of arrays, with the examples on the first axis.
      targets: classes of shape (b,), or (b, p) for p positions of a text; −1 does not count.

    Returns:
      The loss at each α, of shape (m,), in nats.

    Raises:
      ValueError: if the networks differ in the shape of an array, or targets are not classes, one for each vector of
        logits.

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> import landscape
      >>> from landscape.models.mlp import mlp
      >>> a, b = (mlp(4, (5,), 3, nnx.Rngs(seed)) for seed in (0, 1))
      >>> inputs, targets = jnp.eye(4), jnp.array([0, 1, 2, 0])
      >>> losses = landscape.interpolate(a, b, jnp.linspace(0, 1, 5), inputs, targets)
      >>> losses.shape
      (5,)
      >>> ends = losses[0] + (losses[-1] - losses[0]) * jnp.linspace(0, 1, 5)
      >>> barrier = (losses - ends).max()  # on these five points

    References:
      Malviya et al. (2024), Definition 1 (equation 1); Frankle et al. (2020), arXiv 1912.05671.
    """
    start, end = split(a), split(b)
    shapes = [jax.tree.map(np.shape, network.weights) for network in (start, end)]
    if shapes[0] != shapes[1]:
        names = [name for name in shapes[0] | shapes[1] if shapes[0].get(name) != shapes[1].get(name)]
        raise ValueError(f"the networks differ in the shape of {', '.join(names)}")
    return line_losses(start, end, np.asarray(alphas), *checked_batch(start, inputs, targets))


def line_losses(
    a: Network,
    b: Network,
    alphas: Float[Array | np.ndarray, " m"],
    inputs: Any,
    targets: Int[Array | np.ndarray, "*b"],
) -> Float[Array, " m"]:
    """`interpolate` on pytrees."""
    return mixture_losses((a, b), np.stack([alphas, 1 - alphas], -1), inputs, targets)


@exact
def permuted_curves(
    model: nnx.Module | Network,
    permutations: Int[np.ndarray, "n units"],
    alphas: Float[np.ndarray, " m"],
    inputs: Any,
    targets: Int[Array | np.ndarray, "*b"],
    *,
    group: str,
) -> Float[np.ndarray, "n m"]:
    """L(α·P(θ, π) + (1−α)·θ) for each permutation and α, in nats; exact, from activations where the model has a cut.

    Raises ValueError as `midpoint_barriers` does.
    """
    permutations, alphas = np.asarray(permutations), np.asarray(alphas, np.float32)
    site = Site.of(model, group)
    table, network = site.table, site.network
    check_permutations(permutations, table.size(network.weights))
    inputs, targets = checked_batch(network, inputs, targets)
    check_model(model, group, permutations, inputs, targets)
    if not site.has_cut:
        copies = (network.replace(take(network.weights, table, permutation)) for permutation in permutations)
        return np.stack([line_losses(copy, network, alphas, inputs, targets) for copy in copies])
    at_ends = np.asarray(mixture_losses([network], np.ones((1, 1)), inputs, targets))
    return at_ends + _changes(site, permutations, alphas, inputs, targets)


def _changes(site: Site, permutations: np.ndarray, alphas: np.ndarray, inputs: Any, targets: Any) -> np.ndarray:
    """How much the loss along each line exceeds that at its ends: no two equal points of a line are evaluated."""
    changes = np.zeros((len(permutations), len(alphas)))  # n m
    involutions = _involutions(permutations)  # n
    for rows, places in ((involutions, _folded(alphas)), (~involutions, alphas)):
        inner = (places != 0) & (places != 1)  # m: the ends are copies
        _, first, position = np.unique(places[inner].round(6), return_index=True, return_inverse=True)
        points = places[inner][first]
        found = by_activations.loss_changes(site, permutations[rows], points, inputs, targets)  # rows points
        changes[np.ix_(rows, inner)] = found[:, position]
    return changes


def _involutions(permutations: np.ndarray) -> np.ndarray:
    """Which rows undo themselves, as disjoint swaps do: for them the line from copy to network is the line back."""
    return (np.take_along_axis(permutations, permutations, 1) == np.arange(permutations.shape[1])).all(1)


def _folded(alphas: np.ndarray) -> np.ndarray:
    """Each α or 1 − α, whichever is the smaller."""
    return np.minimum(alphas, 1 - alphas)
