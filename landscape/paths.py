"""Exact loss along the line from a network to a permuted copy of itself, from one network's activations.

Let θ' = P(θ, π) permute one group, with z its pre-activations, σ its activation and W the next layer's
kernel (rows are units). The network (1−α)θ + αθ' has pre-activations (1−α)z_i + αz_π(i) at unit i, and
outgoing weights (1−α)W_i + αW_π(i). Collecting what each row W_i multiplies gives the next layer's input

    m_i = (1−α)s_i + αs_π⁻¹(i),    s_i = σ((1−α)z_i + αz_π(i)),

with all weights unchanged. Units that π leaves in place have m_i = σ(z_i) = h_i, so the next layer, being
linear, changes only by the moved units' m_i − h_i times their rows: at most 2⌈log₂ l⌉ of l for one step of
the walk. Everything before the group, and the whole next layer on h, are common to all π and α.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from operator import itemgetter
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float, Int

from landscape.cut import Cut
from landscape.loss import IGNORED, in_blocks, loss_change, loss_change_of_features, shares
from landscape.memory import device_bytes, made
from landscape.weights import Weights, evaluating

Index = Int[Array | np.ndarray, " k"]

CHUNK_BYTES = 256 * 2**20  # arrays of the points evaluated together, on a CPU
LIVE = 3  # arrays as large as the largest that are there at once
MOST = 128  # points evaluated together: more do not pay
SLICE_BYTES = 8 * 2**20  # activations of a slice of the batch, on a CPU
MINIMUM_SLICE = 16  # examples
ONE_BY_ONE = 16  # points of a call that evaluates them in turn

Item = TypeVar("Item")


class Common(NamedTuple):
    """What all paths from one network share: its activations on the batch (shapes as in `landscape.cut`)."""

    z: Array  # b ... l
    y: Array  # b ... out
    features: Array  # b d; the logits where the cut has no head
    logits: Array  # b k
    shares: Array  # b k: those of the logits (`landscape.loss`), in blocks where the cut has a head
    carry: Any


@partial(jax.jit, static_argnames=("graphdef", "group"))
def common(graphdef: nnx.GraphDef, weights: Weights, group: str, inputs: Any) -> Common:
    """Run the network once."""
    cut = _cut(graphdef, weights, group)
    z, carry = cut.before(inputs)
    y = cut.linear(cut.activation(z), cut.kernel)
    features = cut.after(cut.settle(y, carry), carry)
    logits = features if cut.head is None else features @ cut.head[0] + cut.head[1]
    parts = shares(logits)
    return Common(z, y, features, logits, parts if cut.head is None else in_blocks(parts), carry)


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
    """L((1−α)θ + αP(θ, π)) − L(θ) in nats, for every permutation and α; memory does not grow with n.

    The batch is taken a slice after the other where its activations would not stay in the processor's cache, and
    the slices are summed in float64.
    """
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
    step = 2 * math.ceil(math.log2(units))
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
    every = moves(permutations)
    whole = jax.eval_shape(partial(common, graphdef, group=group), weights, inputs=inputs)
    slices = list(_slices(inputs, targets, slice_size(whole)))
    chunk = chunk_size(graphdef, weights, group, whole, every)
    starts = range(0, n * m, chunk)
    total = np.zeros(len(starts) * chunk)

    def calls() -> Iterator[tuple[int, Array]]:
        for some_inputs, some_targets in slices:
            shared = common(graphdef, weights, group, some_inputs)
            for start in starts:
                row, column = np.divmod(np.arange(start, start + chunk).clip(max=n * m - 1), m)  # the last repeats
                some = Moves(*(field[row] for field in every))
                points = np.asarray(alphas, np.float32)[column]
                yield start, _changes(graphdef, weights, group, shared, some, points, some_targets)

    for done, (start, changes) in enumerate(_late(calls()), 1):
        total[start : start + chunk] += np.asarray(changes)
        report(n * m * done // (len(slices) * len(starts)), n * m)
    return (total[: n * m] / np.sum(targets != IGNORED)).reshape(n, m)


def _late(items: Iterator[Item]) -> Iterator[Item]:
    """The items, each after the next has been asked for: the device computes one while the host prepares another."""
    waiting = next(items)
    for item in items:
        yield waiting
        waiting = item
    yield waiting


def slice_size(whole: Common) -> int:
    """Examples in a slice of the batch, from what the network keeps of the whole batch.

    A processor's cache holds `SLICE_BYTES`; an accelerator has none that matters, and takes the batch whole. So
    do layers whose moved units are gathered by `vmap`: a slice would be multiplied by the number of points anyway.
    """
    examples = whole.logits.shape[0]
    if jax.default_backend() != "cpu" or not _convolves(whole):
        return examples
    one = 4 * (2 * whole.z.size + whole.y.size) // examples
    return min(examples, 2 ** int(math.log2(max(SLICE_BYTES // one, MINIMUM_SLICE))))


def _convolves(whole: Common) -> bool:
    """Whether the next layer is a convolution, over pixels that are still there."""
    return whole.y.ndim == 4


def _slices(inputs: Any, targets: np.ndarray, size: int) -> Iterator[tuple[Any, np.ndarray]]:
    """Parts of the batch of equal size; the last is filled up with examples that do not count."""
    examples = len(targets)
    for start in range(0, examples, size):
        rows = np.arange(start, start + size)
        places = rows.clip(max=examples - 1)
        there = (rows < examples).reshape(-1, *[1] * (targets.ndim - 1))
        yield jax.tree.map(itemgetter(places), inputs), np.where(there, targets[places], IGNORED)


def chunk_size(graphdef: nnx.GraphDef, weights: Weights, group: str, shared: Common, some: Moves) -> int:
    """How many points one call evaluates: 1 to 128, within `chunk_bytes` where they are evaluated together."""
    if _convolves(shared):
        return ONE_BY_ONE
    one = {"moves": Moves(*(field[:1] for field in some)), "alphas": np.zeros(1, np.float32)}
    static = {"graphdef": graphdef, "group": group}
    largest = made(_features, static, weights=weights, shared=shared, **one).largest
    return max(1, min(MOST, chunk_bytes() // (LIVE * largest)))


def chunk_bytes() -> int:
    """For the arrays of the points evaluated together: an eighth of an accelerator's memory."""
    limit = device_bytes()
    return CHUNK_BYTES if limit is None else limit // 8


def _difference(cut: Cut, z: Array, move: Moves, alpha: Array) -> Array:
    """m − h at the moved units, (b ... k); 0 in the padding.

    Both are activations of picked pre-activations, which one product with a matrix of few numbers picks: on a CPU
    that is several times faster than indexing the last axis. In full precision, which accelerators do not use by
    default.
    """
    units = z.shape[-1]
    unit, source = (jax.nn.one_hot(index, units, axis=0, dtype=z.dtype) for index in (move.unit, move.source))
    picked = jnp.concatenate([(1 - alpha) * unit + alpha * source, unit], axis=1)  # l 2k
    s, h = jnp.split(cut.activation(jnp.matmul(z, picked, precision="highest")), 2, axis=-1)
    return jnp.where(move.moved, (1 - alpha) * s + alpha * s[..., move.back] - h, 0)


@partial(jax.jit, static_argnames=("graphdef", "group"))
def _changes(
    graphdef: nnx.GraphDef,
    weights: Weights,
    group: str,
    shared: Common,
    moves: Moves,
    alphas: Float[Array, " n"],
    targets: Array,
) -> Float[Array, " n"]:
    """One point a row of `moves` and of `alphas`; summed over the targets."""
    head, change = _cut(graphdef, weights, group).head, _features(graphdef, weights, group, shared, moves, alphas)
    change = change - shared.features
    if head is None:
        changes = loss_change(shared.logits, shared.shares, change, targets)
    else:
        changes = loss_change_of_features(head[0], shared.logits, shared.shares, change, targets)
    return changes.reshape(len(changes), -1).sum(1)


@partial(jax.jit, static_argnames=("graphdef", "group"))
def _features(
    graphdef: nnx.GraphDef, weights: Weights, group: str, shared: Common, moves: Moves, alphas: Float[Array, " n"]
) -> Float[Array, "n b *d"]:
    cut = _cut(graphdef, weights, group)

    def settled(point: tuple[Moves, Array]) -> Array:
        move, alpha = point
        moved = _difference(cut, shared.z, move, alpha)
        y = shared.y + cut.linear(moved, cut.kernel[..., move.unit, :])
        return cut.settle(y, shared.carry)

    # a batch of convolutions with different kernels would become one slow grouped convolution
    each = jax.lax.map if cut.kernel.ndim == 4 else lambda f, xs: jax.vmap(f)(xs)
    return jax.vmap(lambda settled: cut.after(settled, shared.carry))(each(settled, (moves, alphas)))
