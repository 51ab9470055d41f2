"""Exact loss along the line from a network to a permuted copy of itself, from one network's activations.

Let θ' = P(θ, π) permute one group, with z its pre-activations, σ its activation and W the next layer's
kernel, whose rows are units. The network (1−α)θ + αθ' has pre-activations (1−α)z_i + αz_π(i) at unit i, and
outgoing weights (1−α)W_i + αW_π(i). Collecting what each row W_i multiplies gives the next layer's input

    m_i = (1−α)s_i + αs_π⁻¹(i),    s_i = σ((1−α)z_i + αz_π(i)),

with all weights unchanged. Units that π leaves in place have m_i = σ(z_i) = h_i, so the next layer, being
linear, changes only by the moved units' m_i − h_i times their rows: at most 2⌈log₂ l⌉ of l for one step of
the walk. Everything before the group, and the whole next layer on h, are common to all π and α.

Where skip connections tie further layers to the group, these layers are those of the network (1−α)θ + αθ' itself, and
what they read of the group, beside the next layer's output, is s.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from landscape.models.cut import Cut
from landscape.models.site import Site
from landscape.numerics.loss import IGNORED, at_least_float32
from landscape.numerics.loss_change import Origin, loss_excess, origin_at
from landscape.numerics.memory import device_bytes, largest_array, room, tree_bytes
from landscape.numerics.microbatch import GROUP, POINTS, CallSize, in_groups, in_turns, slice_size, summed_changes
from landscape.numerics.progress import OnProgress, ignore_progress
from landscape.numerics.structure import once_a_structure

CHUNK_BYTES = 2**20  # arrays of the points evaluated together on a processor, whose second cache holds them
LIVE = 3  # how many arrays as large as the largest exist at once
MOST = 128  # points that one call evaluates: more are no faster
SEGMENT = 50  # segments of a walk that end at the paper's values of n have a multiple of this many steps


class Common(NamedTuple):
    """What all lines from one network share: its activations on the batch (shapes as in `landscape.models.cut`)."""

    z: Float[Array, ...]  # b ... l; but l b where the units of an example are one vector
    y: Float[Array, ...]  # b ... out
    carry: Any
    origin: Origin


@jax.jit
def common(site: Site, inputs: Any) -> Common:
    """Run the network once."""
    cut = _cut(site)
    z, carry = cut.before(inputs)  # b ... l
    h = cut.activation(z)  # b ... l
    y, carry = cut.linear(h, cut.kernel), h if cut.tied else carry  # b ... out
    return Common(z.T if z.ndim == 2 else z, y, carry, origin_at(cut.features(y, carry), cut.head))


def _cut(site: Site) -> Cut:
    return site.network.evaluating().cut(site.group)


class Moves(NamedTuple):
    """The moved units of some permutations, padded to a common number k.

    unit: places whose unit changes; source: the unit that comes there; back: position within `unit` of the
    place where this unit goes; moved: false in the padding.
    """

    unit: Int[Array | np.ndarray, "n k"]
    source: Int[Array | np.ndarray, "n k"]
    back: Int[Array | np.ndarray, "n k"]
    moved: Bool[Array | np.ndarray, "n k"]


class Points(NamedTuple):
    """Networks (1−α)θ + αP(θ, π), each by the moved units of its π and by its α."""

    moves: Moves
    alphas: Float[Array | np.ndarray, " n"]


def moves(permutations: Int[np.ndarray, "n units"]) -> Moves:
    """List the moved units; k is the bound on how many they are."""
    n, units = permutations.shape
    changed = permutations != np.arange(units)  # n units
    k = moved_at_most(permutations).max()
    unit = np.argsort(~changed, axis=1, kind="stable")[:, :k]  # n k: moved units first
    source = np.take_along_axis(permutations, unit, 1)  # n k
    position = np.empty((n, units), np.int64)
    np.put_along_axis(position, unit, np.arange(k)[None], 1)  # of each place, within `unit`
    back = np.take_along_axis(position, np.take_along_axis(np.argsort(permutations, 1), unit, 1), 1)  # n k
    return Moves(unit, source, back, np.take_along_axis(changed, unit, 1))


def loss_changes(
    site: Site,
    permutations: Int[np.ndarray, "n units"],
    alphas: Float[np.ndarray, " m"],
    inputs: Any,
    targets: Int[Array | np.ndarray, "*b"],
    on_progress: OnProgress = ignore_progress,
) -> Float[np.ndarray, "n m"]:
    """L((1−α)θ + αP(θ, π)) − L(θ) in nats, for every permutation and α; memory does not grow with n."""
    counts, found = moved_at_most(permutations), np.empty((len(permutations), len(alphas)))
    batch = (inputs, np.asarray(targets))
    for count in np.unique(counts) if len(alphas) else ():
        rows = counts == count
        found[rows] = _changes_of_alike(site, permutations[rows], alphas, batch, on_progress)
    return found


def moved_at_most(permutations: Int[np.ndarray, "n units"]) -> Int[np.ndarray, " n"]:
    """For each permutation a bound on how many units it moves: 2⌈log₂ l⌉, as for a step of the walk, or 2ⁱ times that.

    Permutations with the same bound are evaluated together, by one program.
    """
    units = permutations.shape[1]
    step = max(1, 2 * math.ceil(math.log2(units)))
    moved = (permutations != np.arange(units)).sum(1)  # n
    return np.minimum(units, step * 2 ** np.ceil(np.log2(np.maximum(moved / step, 1))).astype(int))


def _changes_of_alike(
    site: Site,
    permutations: np.ndarray,
    alphas: np.ndarray,
    batch: tuple[Any, np.ndarray],
    on_progress: OnProgress,
) -> np.ndarray:
    """`loss_changes` of permutations that move about as many units each."""
    n, m = len(permutations), len(alphas)
    every, alphas = moves(permutations), np.asarray(alphas, np.float32)
    size, turns = call_size(site, every, batch[0])

    def change(shared: Common, rows: np.ndarray, count: int, targets: np.ndarray) -> Array:
        step, place = np.divmod(rows, m)
        points = Points(Moves(*(field[step] for field in every)), alphas[place])
        return changes(site, shared, points, count, jnp.asarray(targets), turns, size.points)

    total = summed_changes(partial(common, site), change, batch, n * m, size, on_progress)
    return (total / np.sum(batch[1] != IGNORED)).reshape(n, m)


def call_size(site: Site, some: Moves, inputs: Any) -> tuple[CallSize, bool]:
    """How much one call evaluates, and whether points take turns behind the next layer.

    It follows from the largest array that one point needs. On a processor, points take turns where `Cut.settle` works
    on images or tokens, with a slice of the batch that stays in the cache together with what an operation reads and
    makes. On an accelerator, points take turns only where they have weights of their own there. Otherwise as many as
    there is room for, at most 128, are evaluated together, with the whole batch; a processor's room is its cache, and
    one call evaluates several such groups.
    """
    need, accelerated = _need_of(site, Moves(*(field[:1] for field in some)), inputs), device_bytes() is not None
    if not need.settles or (accelerated and not need.tied):
        points = max(1, min(MOST, room(CHUNK_BYTES) // (LIVE * need.largest)))
        groups = (_dividing(points), 1) if accelerated else (points, MOST // points)
        return CallSize(need.examples, *groups), False
    return CallSize(slice_size(need.examples, need.read + 2 * need.largest), GROUP, POINTS // GROUP), True


class Need(NamedTuple):
    """What a point takes on a batch of so many examples: the bytes of its largest array, and of what all points read.

    settles, tied: whether `Cut.settle` works there, and with weights of the point's own.
    """

    examples: int
    largest: int
    read: int
    settles: bool
    tied: bool


@once_a_structure
def _need_of(site: Site, move: Moves, inputs: Any) -> Need:
    cut, whole = _cut(site), jax.eval_shape(common, site, inputs)
    given = {"site": site, "shared": whole, "points": Points(move, np.zeros(1, np.float32)), "count": np.ones((), int)}
    largest = largest_array(feature_changes, {"turns": True}, **given)
    read = tree_bytes((whole.y, whole.carry))
    return Need(len(whole.origin.logits), largest, read, cut.settle is not None, cut.tied)


def _dividing(points: int) -> int:
    """At most so many points, and calls of a segment are full: an accelerator computes a call's empty rows too."""
    divisors = [size for size in range(1, SEGMENT + 1) if SEGMENT % size == 0]
    return points if points >= MOST else max(size for size in divisors if size <= points)


def _picked(cut: Cut, z: Array, move: Moves, alpha: Array | np.ndarray) -> tuple[Array, Array]:
    """s and h at the moved units, (b ... k) each; equal in the padding.

    Both are activations of picked pre-activations. A product with a matrix of few entries picks them: on a processor
    that is several times faster than indexing the last axis, and than having units on the first axis, since a
    convolution wants them last. The product is in full precision, which accelerators do not use by default.
    """
    units = z.shape[-1]
    unit, source = (jax.nn.one_hot(index, units, axis=0, dtype=z.dtype) for index in (move.unit, move.source))  # l k
    picked = jnp.concatenate([(1 - alpha) * unit + alpha * source, unit], axis=1)  # l 2k
    s, h = jnp.split(cut.activation(jnp.matmul(z, picked, precision="highest")), 2, axis=-1)  # b ... k
    return s, h


def _changed_rows(cut: Cut, z: Float[Array, "l b"], move: Moves, alpha: Array | np.ndarray) -> tuple[Array, Array]:
    """m − h and s − h at the moved units, (k b) each, where the units of an example are one vector.

    Units are rows here, and picking them copies rows. Examples stay on the last axis up to the loss: no sum over a few
    units or classes then runs on the axis that processors take several numbers of at a time.
    """

    def activated(rows: Any) -> Array:
        return cut.activation(rows.T).T

    own, ahead, behind = (z[place] for place in (move.unit, move.source, move.unit[move.back]))  # k b
    h, s = activated(own), activated((1 - alpha) * own + alpha * ahead)
    m = (1 - alpha) * s + alpha * activated((1 - alpha) * behind + alpha * own)
    return jnp.where(move.moved[:, None], m - h, 0), s - h


def _changed(cut: Cut, z: Array, point: Points) -> tuple[Array, Array]:
    """What a point changes of y (b *out), and of h at the moved units (b ... k)."""
    move, alpha = point
    kernel = cut.kernel[..., move.unit, :]
    if z.ndim == 2:
        moved, change = _changed_rows(cut, z, move, alpha)  # k b
        rows = cut.linear(jnp.eye(len(moved), dtype=moved.dtype), kernel)  # k *out: what each unit alone makes
        return jnp.moveaxis(jnp.tensordot(rows, moved, (0, 0)), -1, 0), change.T
    s, h = _picked(cut, z, move, alpha)  # b ... k
    m = (1 - alpha) * s + alpha * s[..., move.back]  # b ... k
    return cut.linear(jnp.where(move.moved, m - h, 0), kernel), s - h


def _cut_between(site: Site, move: Moves, alpha: Array | np.ndarray) -> Cut:
    """The network at a point, cut open."""
    units = site.table.size(site.network.weights)
    return _cut(site.between(jnp.arange(units).at[move.unit].set(move.source), alpha))


@partial(jax.jit, static_argnames=("turns", "together"))
def changes(
    site: Site,
    shared: Common,
    points: Points,
    count: int | Array,
    targets: Int[Array, "*b"],
    turns: bool,
    together: int,
) -> Float[Array, " n *b"]:
    """How much the loss at the first `count` points exceeds that at θ, in nats, target by target."""
    head = _cut(site).head

    def change(points: Points, count: int | Array) -> Array:
        return loss_excess(shared.origin, head, feature_changes(site, shared, points, count, turns), targets)

    return in_groups(change, points, count, together)


@partial(jax.jit, static_argnames="turns")
def feature_changes(
    site: Site, shared: Common, points: Points, count: int | Array, turns: bool
) -> Float[Array, "n b *d"]:
    """By how much what the head reads at the first `count` points exceeds that at θ. Other rows mean nothing."""
    cut = _cut(site)

    def every(function: Callable[[Points], Array]) -> Array:
        return in_turns(function, points, count) if turns else jax.vmap(function)(points)

    if _adds_constants(cut, shared):
        return at_least_float32(every(lambda point: _changed(cut, shared.z, point)[0]))

    def settle(point: Points) -> Array:
        of_y, of_h = _changed(cut, shared.z, point)
        y = shared.y + of_y
        if not cut.tied:
            return cut.settled(y, shared.carry)
        places = jax.nn.one_hot(point.moves.unit, cut.kernel.shape[-2], dtype=of_h.dtype)  # k l
        h = shared.carry + jnp.matmul(of_h, places, precision="highest")  # b ... l
        return _cut_between(site, *point).settled(y, h)

    return shared.origin.change_to(jax.vmap(lambda settled: cut.after(settled, shared.carry))(every(settle)))


def _adds_constants(cut: Cut, shared: Common) -> bool:
    """Whether the features are y plus what does not depend on it, as behind the last hidden layer.

    A change of y is then one of the features, which loses no digits to what does not change.
    """

    def tangent(change: Array) -> Array:
        return jax.jvp(lambda y: cut.features(y, shared.carry), (shared.y,), (change,))[1]

    traced = jax.make_jaxpr(tangent)(shared.y).jaxpr
    return not cut.tied and traced.outvars == traced.invars
