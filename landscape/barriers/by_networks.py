"""Loss at the midpoint between a network and a permuted copy of itself, by running the network that lies there.

For groups at which no layer can be opened; `landscape.barriers.by_activations` is for the others. What comes before
the group runs once, everything else once per midpoint, on one slice of the batch after another.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int

from landscape.models.batch_norm import is_reestimated
from landscape.models.cut import opened
from landscape.models.functional import Weights, evaluating, merge
from landscape.models.symmetry import between
from landscape.numerics.loss import IGNORED
from landscape.numerics.loss_change import Standing, excess, standing
from landscape.numerics.memory import largest_array, tree_bytes
from landscape.numerics.microbatch import POINTS, in_groups, in_turns, slice_size, summed_changes


def loss_changes(
    graphdef: nnx.GraphDef,
    weights: Weights,
    group: str,
    inputs: Any,
    permutations: Int[np.ndarray, "n units"],
    targets: Array | np.ndarray,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Float[np.ndarray, " n"]:
    """L(½θ + ½P(θ, π)) − L(θ) in nats, for every permutation; memory does not grow with n."""
    size = _slice_size(graphdef, weights, group, inputs, len(targets))

    def change(begun: tuple[Any, Standing], rows: np.ndarray, count: int, some_targets: np.ndarray) -> Array:
        return _changes(graphdef, weights, group, permutations[rows], count, *begun, some_targets)

    begin, targets = partial(_start, graphdef, weights, group), np.asarray(targets)
    total = summed_changes(begin, change, inputs, targets, size, len(permutations), POINTS, report)
    return total / np.sum(targets != IGNORED)


def _slice_size(graphdef: nnx.GraphDef, weights: Weights, group: str, inputs: Any, examples: int) -> int:
    """How many examples are taken together: all where their statistics count."""
    if is_reestimated(merge(graphdef, weights)):
        return examples
    carry, _ = jax.eval_shape(partial(_start, graphdef, group=group), weights, inputs=inputs)
    largest = largest_array(_rest, {"graphdef": graphdef, "group": group}, weights=weights, carry=carry)
    return slice_size(examples, tree_bytes(carry) + 2 * largest)


@partial(jax.jit, static_argnames=("graphdef", "group"))
def _start(graphdef: nnx.GraphDef, weights: Weights, group: str, inputs: Any) -> tuple[Any, Standing]:
    """θ on the batch: what reaches the group, and from where midpoints are measured."""
    network = opened(evaluating(graphdef, weights), group)
    carry = network.before(inputs)
    return carry, standing(network.between(carry), network.head)


def _rest(graphdef: nnx.GraphDef, weights: Weights, group: str, carry: Any) -> Array:
    return opened(evaluating(graphdef, weights), group).between(carry)


@partial(jax.jit, static_argnames=("graphdef", "group"))
def _changes(
    graphdef: nnx.GraphDef,
    weights: Weights,
    group: str,
    permutations: Int[Array, "n units"],
    count: int | Array,
    carry: Any,
    start: Standing,
    targets: Array,
) -> Float[Array, " n"]:
    """Of the first `count` midpoints, summed over the targets."""
    model = evaluating(graphdef, weights)

    def features(permutation: Array) -> Array:
        middle = between(weights, model.groups()[group], permutation, 0.5)
        return _rest(graphdef, middle, group, carry)

    def change(permutations: Array, count: int | Array) -> Array:
        return excess(start, opened(model, group).head, in_turns(features, permutations, count), targets)

    return in_groups(change, permutations, count)
