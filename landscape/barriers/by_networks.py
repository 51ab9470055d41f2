"""Loss at the midpoint between a network and a permuted copy of itself, by running the network that lies there.

This is for groups at which the network cannot be cut open; `landscape.barriers.by_activations` is for the others. What
comes before the group runs once, everything else once per midpoint, on one slice of the batch after another.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from landscape.models.batch_norm import is_reestimated
from landscape.models.site import Site
from landscape.numerics.loss import IGNORED
from landscape.numerics.loss.change import Origin, loss_excess, origin_at
from landscape.numerics.memory import largest_array, tree_bytes
from landscape.numerics.microbatch import GROUP, POINTS, CallSize, in_groups, in_turns, slice_size, summed_changes
from landscape.numerics.progress import OnProgress, ignore_progress


def loss_changes(
    site: Site,
    permutations: Int[np.ndarray, "n units"],
    inputs: Any,
    targets: Int[Array | np.ndarray, "*b"],
    on_progress: OnProgress = ignore_progress,
) -> Float[np.ndarray, " n"]:
    """L(½θ + ½P(θ, π)) − L(θ) in nats, for every permutation; memory does not grow with n."""
    targets = np.asarray(targets)
    size = CallSize(_slice_size(site, inputs, len(targets)), GROUP, POINTS // GROUP)

    def change(begun: tuple[Any, Origin], rows: np.ndarray, count: int, targets: np.ndarray, by_logs: bool) -> Array:
        return _changes(site, permutations[rows], count, *begun, targets, by_logs)

    total = summed_changes(partial(_begin, site), change, (inputs, targets), len(permutations), size, on_progress)
    return total / np.sum(targets != IGNORED)


def _slice_size(site: Site, inputs: Any, examples: int) -> int:
    """How many examples are evaluated together: all of them where their statistics matter."""
    if is_reestimated(site.network.module()):
        return examples
    carry, _ = jax.eval_shape(_begin, site, inputs)
    return slice_size(examples, tree_bytes(carry) + 2 * largest_array(_features, {}, site=site, carry=carry))


@jax.jit
def _begin(site: Site, inputs: Any) -> tuple[Any, Origin]:
    """θ on the batch: what reaches the group, and the origin from which midpoints are measured."""
    network = site.opened()
    carry = network.before(inputs)
    return carry, origin_at(network.between(carry), network.head)


def _features(site: Site, carry: Any) -> Array:
    """What the head reads, from what reaches the group."""
    return site.opened().between(carry)


@partial(jax.jit, static_argnames="by_logs")
def _changes(
    site: Site,
    permutations: Int[Array | np.ndarray, "n units"],
    count: int | Array,
    carry: Any,
    origin: Origin,
    targets: Int[Array | np.ndarray, "*b"],
    by_logs: bool,
) -> Float[Array, " n *b"]:
    """How much the loss at the first `count` midpoints exceeds that at θ, in nats, target by target."""
    head = site.opened().head

    def features(permutation: Array) -> Array:
        return _features(site.between(permutation, 0.5), carry)

    def change(permutations: Array, count: int | Array) -> Array:
        excess = origin.change_to(in_turns(features, permutations, count))
        return loss_excess(origin, head, excess, jnp.asarray(targets), by_logs)

    return in_groups(change, permutations, count, GROUP)
