"""Exact loss along the line from a network to a permuted copy of itself, from one network's activations.

Let θ' = P(θ, π) permute one group, with z its pre-activations, σ its activation and W the next layer's
kernel (rows are units). The network (1−α)θ + αθ' has pre-activations (1−α)z_i + αz_π(i) at unit i, and
outgoing weights (1−α)W_i + αW_π(i). Collecting what each row W_i multiplies gives the next layer's input

    m_i = (1−α)s_i + αs_π⁻¹(i),    s_i = σ((1−α)z_i + αz_π(i)),

with all weights unchanged. Units that π leaves in place have m_i = σ(z_i) = h_i, so the next layer, being
linear, changes only by the moved units' m_i − h_i times their rows: at most 2⌈log₂ l⌉ of l for one step of
the walk. Everything before the group, and the whole next layer on h, are common to all π and α.

Where skip connections tie further layers to the group, those are asked of the network (1−α)θ + αθ' itself, and what
they read of the group beside the next layer's output is s.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float, Int

from landscape.models.cut import Cut
from landscape.models.functional import Weights, evaluating, merge
from landscape.models.symmetry import between
from landscape.numerics.loss import IGNORED
from landscape.numerics.loss_change import Standing, excess, standing
from landscape.numerics.memory import device_bytes, largest_array, room, tree_bytes
from landscape.numerics.microbatch import POINTS, in_groups, in_turns, slice_size, summed_changes

CHUNK_BYTES = 256 * 2**20  # arrays of the points evaluated together, on a CPU
LIVE = 3  # arrays as large as the largest that are there at once
MOST = 128  # points evaluated together: more do not pay


class Common(NamedTuple):
    """What all paths from one network share: its activations on the batch (shapes as in `landscape.models.cut`)."""

    z: Array  # b ... l
    y: Array  # b ... out
    carry: Any
    start: Standing


@partial(jax.jit, static_argnames=("graphdef", "group"))
def common(graphdef: nnx.GraphDef, weights: Weights, group: str, inputs: Any) -> Common:
    """Run the network once."""
    cut = _cut(graphdef, weights, group)
    z, carry = cut.before(inputs)
    h = cut.activation(z)
    y, carry = cut.linear(h, cut.kernel), h if cut.tied else carry
    return Common(z, y, carry, standing(cut.features(y, carry), cut.head))


def _cut(graphdef: nnx.GraphDef, weights: Weights, group: str) -> Cut:
    return evaluating(graphdef, weights).cut(group)


class Moves(NamedTuple):
    """The moved units of some permutations, padded to a common number k.

    unit: places whose unit changes; source: the unit that comes there; back: position within `unit` of the
    place where this unit goes; moved: false in the padding.
    """

    unit: Int[np.ndarray, "n k"]
    source: Int[np.ndarray, "n k"]
    back: Int[np.ndarray, "n k"]
    moved: Bool[np.ndarray, "n k"]


def moves(permutations: Int[np.ndarray, "n units"]) -> Moves:
    """List the moved units; k is the bound on how many they are."""
    n, units = permutations.shape
    changed = permutations != np.arange(units)
    k = moved_at_most(permutations).max()
    unit = np.argsort(~changed, axis=1, kind="stable")[:, :k]  # moved units first
    source = np.take_along_axis(permutations, unit, 1)
    position = np.empty((n, units), np.int64)
    np.put_along_axis(position, unit, np.arange(k)[None], 1)
    back = np.take_along_axis(position, np.take_along_axis(np.argsort(permutations, 1), unit, 1), 1)
    return Moves(unit, source, back, np.take_along_axis(changed, unit, 1))


def loss_changes(
    graphdef: nnx.GraphDef,
    weights: Weights,
    group: str,
    inputs: Any,
    permutations: Int[np.ndarray, "n units"],
    alphas: Float[np.ndarray, " m"],
    targets: Array | np.ndarray,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Float[np.ndarray, "n m"]:
    """L((1−α)θ + αP(θ, π)) − L(θ) in nats, for every permutation and α; memory does not grow with n."""
    counts, found = moved_at_most(permutations), np.empty((len(permutations), len(alphas)))
    for count in np.unique(counts) if len(alphas) else ():
        rows = counts == count
        found[rows] = _alike(graphdef, weights, group, inputs, permutations[rows], alphas, np.asarray(targets), report)
    return found


def moved_at_most(permutations: Int[np.ndarray, "n units"]) -> Int[np.ndarray, " n"]:
    """For each permutation a bound on how many units it moves: 2⌈log₂ l⌉, as a step of the walk, or a power of two
    times that. Those of one bound are evaluated together, and so share a program.
    """
    units = permutations.shape[1]
    step = max(1, 2 * math.ceil(math.log2(units)))
    moved = (permutations != np.arange(units)).sum(1)
    return np.minimum(units, step * 2 ** np.ceil(np.log2(np.maximum(moved / step, 1))).astype(int))


def _alike(
    graphdef: nnx.GraphDef,
    weights: Weights,
    group: str,
    inputs: Any,
    permutations: np.ndarray,
    alphas: np.ndarray,
    targets: np.ndarray,
    report: Callable[[int, int], None],
) -> np.ndarray:
    """`loss_changes` of permutations that move about as many units each."""
    n, m = len(permutations), len(alphas)
    every, points = moves(permutations), np.asarray(alphas, np.float32)
    size, chunk, turns = sizes(graphdef, weights, group, inputs, every)

    def change(shared: Common, rows: np.ndarray, count: int, some_targets: np.ndarray) -> Array:
        step, place = np.divmod(rows, m)
        some = Moves(*(field[step] for field in every))
        return _changes(graphdef, weights, group, shared, some, points[place], count, some_targets, turns)

    begin = partial(common, graphdef, weights, group)
    total = summed_changes(begin, change, inputs, targets, size, n * m, chunk, report)
    return (total / np.sum(targets != IGNORED)).reshape(n, m)


class Sizes(NamedTuple):
    """How much of the batch, and how many points, one call takes; whether points take turns behind the next layer."""

    examples: int
    points: int
    turns: bool


def sizes(graphdef: nnx.GraphDef, weights: Weights, group: str, inputs: Any, some: Moves) -> Sizes:
    """By the largest array that one point needs.

    On a processor, points take turns where `Cut.settle` works on images or tokens, in a slice of the batch that stays
    in the cache with what an operation reads and makes. On an accelerator only those do that have weights of their own
    there. All others are taken together: as many, up to 128, as there is room for with the whole batch.
    """
    cut, accelerated = _cut(graphdef, weights, group), device_bytes() is not None
    whole = jax.eval_shape(partial(common, graphdef, group=group), weights, inputs=inputs)
    one = {"moves": Moves(*(field[:1] for field in some)), "alphas": np.zeros(1, np.float32), "count": np.ones((), int)}
    static = {"graphdef": graphdef, "group": group, "turns": True}
    examples, largest = len(whole.start.logits), largest_array(_features, static, weights=weights, shared=whole, **one)
    if cut.settle is None or (accelerated and not cut.tied):
        return Sizes(examples, max(1, min(MOST, room(CHUNK_BYTES) // (LIVE * largest))), turns=False)
    read = tree_bytes((whole.y, whole.carry))  # by every point, in the midst of what it makes
    return Sizes(slice_size(examples, read + 2 * largest), POINTS, turns=True)


def _picked(cut: Cut, z: Array, move: Moves, alpha: Array) -> tuple[Array, Array]:
    """s and h at the moved units, (b ... k) each; equal in the padding.

    Both are activations of picked pre-activations, which one product with a matrix of few numbers picks: on a CPU
    that is several times faster than indexing the last axis, and than units on the first axis, which a convolution
    wants last. In full precision, which accelerators do not use by default.
    """
    units = z.shape[-1]
    unit, source = (jax.nn.one_hot(index, units, axis=0, dtype=z.dtype) for index in (move.unit, move.source))
    picked = jnp.concatenate([(1 - alpha) * unit + alpha * source, unit], axis=1)  # l 2k
    s, h = jnp.split(cut.activation(jnp.matmul(z, picked, precision="highest")), 2, axis=-1)
    return s, h


def _between(graphdef: nnx.GraphDef, weights: Weights, group: str, move: Moves, alpha: Array) -> Cut:
    """The network at a point."""
    table = merge(graphdef, weights).groups()[group]
    permutation = jnp.arange(table.size(weights)).at[move.unit].set(move.source)
    return _cut(graphdef, between(weights, table, permutation, alpha), group)


@partial(jax.jit, static_argnames=("graphdef", "group", "turns"))
def _changes(
    graphdef: nnx.GraphDef,
    weights: Weights,
    group: str,
    shared: Common,
    moves: Moves,
    alphas: Float[Array, " n"],
    count: int | Array,
    targets: Array,
    turns: bool,
) -> Float[Array, " n"]:
    """One point a row of `moves` and of `alphas`, of the first `count` of them; summed over the targets."""
    cut = _cut(graphdef, weights, group)

    def change(points: tuple[Moves, Array], count: int | Array) -> Array:
        return excess(
            shared.start, cut.head, _features(graphdef, weights, group, shared, *points, count, turns), targets
        )

    points = (moves, alphas)
    return in_groups(change, points, count) if turns else change(points, count)


@partial(jax.jit, static_argnames=("graphdef", "group", "turns"))
def _features(
    graphdef: nnx.GraphDef,
    weights: Weights,
    group: str,
    shared: Common,
    moves: Moves,
    alphas: Float[Array, " n"],
    count: int | Array,
    turns: bool,
) -> Float[Array, "n b *d"]:
    cut = _cut(graphdef, weights, group)

    def read(point: tuple[Moves, Array]) -> tuple[Array, Array]:
        """y, and what the point changes of h, at the moved units."""
        move, alpha = point
        s, h = _picked(cut, shared.z, move, alpha)
        m = (1 - alpha) * s + alpha * s[..., move.back]
        y = shared.y + cut.linear(jnp.where(move.moved, m - h, 0), cut.kernel[..., move.unit, :])
        return y, s - h

    def settle(point: tuple[Moves, Array]) -> Array:
        y, change = read(point)
        if not cut.tied:
            return cut.settled(y, shared.carry)
        move, alpha = point
        places = jax.nn.one_hot(move.unit, shared.z.shape[-1], dtype=change.dtype)
        h = shared.carry + jnp.matmul(change, places, precision="highest")
        return _between(graphdef, weights, group, move, alpha).settled(y, h)

    points = (moves, alphas)
    settled = in_turns(settle, points, count) if turns else jax.vmap(settle)(points)
    return jax.vmap(lambda settled: cut.after(settled, shared.carry))(settled)
