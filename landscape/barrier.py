"""Midpoint barriers along the walk (Definition 1, Algorithm 1).

The reference form follows the paper: build the parameters of consecutive nodes, average them, evaluate the
loss. The fast form evaluates each distinct midpoint once, by three symmetries: permuted copies have equal loss;
a step from node i is, seen from node 0, a conjugate permutation of θ itself; and π and π⁻¹ have equal barriers.
It takes midpoints from activations (`landscape.paths`) where the model has a cut, and else runs their networks.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from operator import itemgetter
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int

from landscape import paths
from landscape.compiler import exact
from landscape.cut import cut_at, opened
from landscape.expand import named_group
from landscape.loss import IGNORED, cross_entropy
from landscape.memory import made
from landscape.slices import POINTS, in_groups, in_turns, slice_size, summed_changes
from landscape.standing import Standing, excess, standing
from landscape.statistics import is_reestimated
from landscape.units import between, take
from landscape.walk import check_permutations, seen_from_start
from landscape.weights import Weights, evaluating, logits, merge, split

Report = Callable[[int, int], None]  # midpoints done, and in all

FEW, AGREES = 64, 1e-4  # examples on which a cut is compared with its network, and nats by which they may differ
SYMMETRIC = 1e-2  # of the largest logit: what rounding may change in a permuted copy, and a wrong table exceeds


@exact
def midpoint_barriers(
    model: nnx.Module,
    permutations: Int[np.ndarray, "n units"],
    inputs: Any,
    targets: Int[Array | np.ndarray, "*b"],
    *,
    group: str,
    method: Literal["fast", "reference"] = "fast",
    known: Float[np.ndarray, " m"] | None = None,
    report: Report = lambda done, total: None,
) -> Float[np.ndarray, " n"]:
    """b̂_i = |L(½θ_i + ½θ_{i+1}) − ½(L(θ_i) + L(θ_{i+1}))| with θ_{i+1} = P(θ_i, π_i), in nats.

    L is the mean cross-entropy on the one batch given, in evaluation mode. `reference` follows Algorithm 1 as
    written; `fast` gives the same numbers up to rounding, from activations where the model has a `cut` at this
    group. `known` are the barriers of the first m ≤ n steps where they are at hand: a longer walk goes on from them.

    Raises ValueError for an unknown group or method, a group whose permutations change the function, a `cut` that does
    not follow the network, rows that are no permutations of its units, or more known barriers than steps.
    """
    permutations = np.asarray(permutations)
    table = named_group(model, group)
    graphdef, weights = split(model)
    check_permutations(permutations, table.size(weights))
    if method not in ("fast", "reference"):
        raise ValueError(f"method must be 'fast' or 'reference'; got {method!r}")
    known = np.empty(0) if known is None else np.asarray(known)
    if len(known) > len(permutations):
        raise ValueError(f"{len(known)} barriers are known of a walk of {len(permutations)} steps")
    if method == "reference":
        return _reference(graphdef, weights, group, permutations, inputs, jnp.asarray(targets), report)
    distinct, position = distinct_midpoints(seen_from_start(permutations))
    heights = np.empty(position[: len(known)].max(initial=-1) + 1)
    heights[position[: len(known)]] = known
    if len(rest := distinct[len(heights) :]):
        changes = _by_networks if cut_at(model, group) is None else _by_activations
        if changes is _by_activations and not type(model).__module__.startswith("landscape.models."):
            _check_cut(graphdef, weights, group, rest, inputs, targets)
        heights = np.append(heights, np.abs(changes(graphdef, weights, group, rest, inputs, targets, report)))
    return heights[position]


def _reference(
    graphdef: nnx.GraphDef,
    weights: Weights,
    group: str,
    permutations: np.ndarray,
    inputs: Any,
    targets: Array,
    report: Report,
) -> np.ndarray:
    barriers = []
    loss = node_loss(graphdef, weights, inputs, targets)
    for permutation in permutations:
        barrier, weights, loss = _reference_step(graphdef, weights, loss, group, permutation, inputs, targets)
        barriers.append(np.asarray(barrier))
        report(len(barriers), len(permutations))
    return np.array(barriers)


@partial(jax.jit, static_argnames="graphdef")
def node_loss(graphdef: nnx.GraphDef, weights: Weights, inputs: Any, targets: Array) -> Float[Array, ""]:
    """L(θ): mean cross-entropy on the batch, in nats."""
    return cross_entropy(logits(graphdef, weights, inputs), targets)


@partial(jax.jit, static_argnames=("graphdef", "group"))
def _reference_step(
    graphdef: nnx.GraphDef,
    weights: Weights,
    loss: Array,
    group: str,
    permutation: Array,
    inputs: Any,
    targets: Array,
) -> tuple[Array, Weights, Array]:
    """One iteration of Algorithm 1: the barrier to the next node, that node and its loss."""
    following = take(weights, merge(graphdef, weights).groups()[group], permutation)
    between = jax.tree.map(lambda a, b: (a + b) / 2, weights, following)
    following_loss = node_loss(graphdef, following, inputs, targets)
    barrier = jnp.abs(node_loss(graphdef, between, inputs, targets) - (loss + following_loss) / 2)
    return barrier, following, following_loss


def _by_activations(
    graphdef: nnx.GraphDef,
    weights: Weights,
    group: str,
    permutations: np.ndarray,
    inputs: Any,
    targets: Array | np.ndarray,
    report: Report,
) -> np.ndarray:
    half = np.array([0.5], np.float32)
    return paths.loss_changes(graphdef, weights, group, inputs, permutations, half, targets, report)[:, 0]


def _by_networks(
    graphdef: nnx.GraphDef,
    weights: Weights,
    group: str,
    permutations: np.ndarray,
    inputs: Any,
    targets: Array | np.ndarray,
    report: Report,
) -> np.ndarray:
    """L(½θ + ½P(θ, π)) − L(θ): what comes before the group runs once, all else once a midpoint."""
    size = _slice_size(graphdef, weights, group, inputs, len(targets))

    def change(begun: tuple[Any, Standing], rows: np.ndarray, count: int, some_targets: np.ndarray) -> Array:
        return _midpoint_changes(graphdef, weights, group, permutations[rows], count, *begun, some_targets)

    _check_symmetry(graphdef, weights, group, permutations, jax.tree.map(itemgetter(slice(size)), inputs))
    begin, targets = partial(_start, graphdef, weights, group), np.asarray(targets)
    total = summed_changes(begin, change, inputs, targets, size, len(permutations), POINTS, report)
    return total / np.sum(targets != IGNORED)


def _check_cut(
    graphdef: nnx.GraphDef,
    weights: Weights,
    group: str,
    permutations: np.ndarray,
    inputs: Any,
    targets: Array | np.ndarray,
) -> None:
    """Raises ValueError where one's own model, opened at a group, is another network than the model; tried at the
    midpoint to the farthest copy, on a few examples.
    """
    farthest = _farthest(permutations)[None]
    some_inputs, some_targets = jax.tree.map(itemgetter(slice(FEW)), (inputs, targets))
    fast, slow = (
        float(changes(graphdef, weights, group, farthest, some_inputs, some_targets, lambda done, total: None)[0])
        for changes in (_by_activations, _by_networks)
    )
    if abs(fast - slow) > max(AGREES, SYMMETRIC * abs(slow)):
        name = type(merge(graphdef, weights)).__name__
        raise ValueError(
            f"the cut of {name} at group {group!r} does not follow the network: at a midpoint the loss changes by "
            f"{fast:.3g} nats, of the network itself by {slow:.3g}. cut() must compose to the model's own forward pass"
        )


def _farthest(permutations: np.ndarray) -> np.ndarray:
    """The one that moves most units."""
    return permutations[np.argmax((permutations != np.arange(permutations.shape[1])).sum(1))]


def _check_symmetry(
    graphdef: nnx.GraphDef, weights: Weights, group: str, permutations: np.ndarray, inputs: Any
) -> None:
    """Raises ValueError where a permuted copy is another function, so that its table of the group must be wrong."""
    model = merge(graphdef, weights)
    copy = take(weights, model.groups()[group], _farthest(permutations))
    own, other = (_start(graphdef, each, group, inputs)[1].logits for each in (weights, copy))
    if (apart := float(jnp.abs(own - other).max())) > SYMMETRIC * float(jnp.abs(own).max()):
        raise ValueError(
            f"group {group!r} of {type(model).__name__} is no symmetry: permuting its units changes logits by up to "
            f"{apart:.3g}. groups() must list every axis of every array that indexes these units, and no other"
        )


def _slice_size(graphdef: nnx.GraphDef, weights: Weights, group: str, inputs: Any, examples: int) -> int:
    """How many examples are taken together: all where their statistics count."""
    if is_reestimated(merge(graphdef, weights)):
        return examples
    carry, _ = jax.eval_shape(partial(_start, graphdef, group=group), weights, inputs=inputs)
    largest = made(_rest, {"graphdef": graphdef, "group": group}, weights=weights, carry=carry).largest
    return slice_size(examples, largest)


@partial(jax.jit, static_argnames=("graphdef", "group"))
def _start(graphdef: nnx.GraphDef, weights: Weights, group: str, inputs: Any) -> tuple[Any, Standing]:
    """θ on the batch: what reaches the group, and from where midpoints are measured."""
    network = opened(evaluating(graphdef, weights), group)
    carry = network.before(inputs)
    return carry, standing(network.between(carry), network.head)


def _rest(graphdef: nnx.GraphDef, weights: Weights, group: str, carry: Any) -> Array:
    return opened(evaluating(graphdef, weights), group).between(carry)


@partial(jax.jit, static_argnames=("graphdef", "group"))
def _midpoint_changes(
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


def distinct_midpoints(
    permutations: Int[np.ndarray, "n units"],
) -> tuple[Int[np.ndarray, "m units"], Int[np.ndarray, " n"]]:
    """The permutations up to inversion, each once in order of appearance, and where each row's stands."""
    inverse = np.argsort(permutations, axis=1)
    first = np.argmax(permutations != inverse, axis=1)[:, None]
    smaller = np.take_along_axis(permutations, first, 1) <= np.take_along_axis(inverse, first, 1)
    representative = np.where(smaller, permutations, inverse)
    _, chosen, position = np.unique(representative, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(chosen)
    return representative[chosen[order]], np.argsort(order)[position]
