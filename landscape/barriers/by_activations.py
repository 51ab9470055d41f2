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

At α = ½ and with few units of many activations each, a processor adds up terms of pairs of units instead
(`landscape.barriers.pairs`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from landscape.barriers import pairs
from landscape.barriers.moves import SEGMENT, Moves, Points, moved_at_most, moves
from landscape.barriers.next_layer import changed, of_units_alone
from landscape.models.cut import Cut
from landscape.models.site import Site
from landscape.numerics.loss import IGNORED, at_least_float32
from landscape.numerics.loss.change import Origin, loss_excess, origin_at
from landscape.numerics.memory import device_bytes, largest_array, room, tree_bytes
from landscape.numerics.microbatch import GROUP, POINTS, CallSize, in_groups, in_turns, slice_size, summed_changes
from landscape.numerics.progress import OnProgress, ignore_progress
from landscape.numerics.structure import once_a_structure

CHUNK_BYTES = 2**20  # arrays of the points evaluated together on a processor, whose second cache holds them
LIVE = 3  # how many arrays as large as the largest exist at once
MOST = 128  # points that one call evaluates: more are no faster
ROWS = 256  # examples of all points that go through the last layers together, at least: their weights are read for all


class Common(NamedTuple):
    """What all lines from one network share: its activations on the batch (shapes as in `landscape.models.cut`)."""

    z: Float[Array, ...]  # b ... l; but l b where the units of an example are one vector
    y: Float[Array, ...]  # b ... out
    carry: Any
    origin: Origin
    alone: Float[Array, "*out l"] | None = None  # y of each unit alone, where the units of an example are one vector
    terms: Float[Array, "terms ..."] | None = None  # see `landscape.barriers.pairs`


@partial(jax.jit, static_argnames="pairwise")
def common(site: Site, inputs: Any, pairwise: bool = False) -> Common:
    """Run the network once; `pairwise` computes the terms of all pairs of units too."""
    cut = _cut(site)
    z, carry = cut.before(inputs)  # b ... l
    h = cut.activation(z)  # b ... l
    y, carry = cut.linear(h, cut.kernel), h if cut.tied else carry  # b ... out
    terms = pairs.terms(cut, z, h) if pairwise else None
    flat = z.ndim == 2
    alone = of_units_alone(cut) if flat else None  # *out l
    return Common(z.T if flat else z, y, carry, origin_at(cut.features(y, carry), cut.head), alone, terms)


def _cut(site: Site) -> Cut:
    return site.network.evaluating().cut(site.group)


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
    how = plan(site, every, alphas, batch[0])

    def change(shared: Common, rows: np.ndarray, count: int, targets: np.ndarray, by_logs: bool) -> Array:
        step, place = np.divmod(rows, m)
        points = Points(Moves(*(field[step] for field in every)), alphas[place])
        return changes(site, shared, points, count, targets, how.turns, how.size.points, by_logs)

    begin = partial(common, site, pairwise=how.pairwise)
    total = summed_changes(begin, change, batch, n * m, how.size, on_progress)
    return (total / np.sum(batch[1] != IGNORED)).reshape(n, m)


class Plan(NamedTuple):
    """How points are evaluated.

    size: how much one call evaluates; turns: whether points take turns behind the next layer; pairwise: whether they
    are sums over pairs of units.
    """

    size: CallSize
    turns: bool
    pairwise: bool


def plan(site: Site, some: Moves, alphas: Float[np.ndarray, " m"], inputs: Any) -> Plan:
    """How the points of some permutations are evaluated, which follows from sizes.

    What one call evaluates follows from the largest array that one point needs. On a processor, points take turns where
    `Cut.settle` works on images or tokens, with a slice of the batch that stays in the cache together with what an
    operation reads and makes, and midpoints are sums over pairs of units where pairs are few. On an accelerator, points
    take turns only where they have weights of their own there. Otherwise as many as there is room for, at most 128, are
    evaluated together, with the whole batch; a processor's room is its cache, and one call evaluates several such
    groups.
    """
    one, accelerated = Moves(*(field[:1] for field in some)), device_bytes() is not None
    need = NEEDS[False](site, one, inputs)
    pairwise = not accelerated and bool(np.all(alphas == 0.5)) and _are_few_pairs(need, one)
    if pairwise:
        need = NEEDS[True](site, one, inputs)
    examples = slice_size(need.examples, need.terms, pairs.TABLE_BYTES) if pairwise else need.examples
    if not need.settles or (accelerated and not need.tied):
        points = max(1, min(MOST, room(CHUNK_BYTES) * need.examples // (LIVE * need.largest * examples)))
        groups = (_dividing(points), 1) if accelerated else (points, MOST // points)
        return Plan(CallSize(examples, *groups), False, pairwise)
    examples = min(examples, slice_size(need.examples, need.read + 2 * need.largest))
    points = min(POINTS, max(GROUP, ROWS // examples)) if pairwise else GROUP
    return Plan(CallSize(examples, points, POINTS // points), True, pairwise)


class Need(NamedTuple):
    """What points take on a batch of so many examples.

    largest, read, terms: bytes of a point's largest array, of what all points read, and of all pairs' terms.
    settles, tied: whether `Cut.settle` works there, and with weights of the point's own.
    units: how many the group has; images: whether each unit has many activations an example.
    """

    examples: int
    largest: int
    read: int
    terms: int
    settles: bool
    tied: bool
    units: int
    images: bool


def _need(pairwise: bool, site: Site, move: Moves, inputs: Any) -> Need:
    cut, whole = _cut(site), jax.eval_shape(partial(common, pairwise=pairwise), site, inputs)
    given = {"site": site, "shared": whole, "points": Points(move, np.zeros(1, np.float32)), "count": np.int32(1)}
    largest = largest_array(feature_changes, {"turns": True}, **given)
    read, examples = tree_bytes((whole.y, whole.carry)), len(whole.origin.logits)
    units = cut.kernel.shape[-2]
    terms = pairs.table_bytes(whole.y, units)
    return Need(examples, largest, read, terms, cut.settle is not None, cut.tied, units, whole.z.ndim > 2)


NEEDS = {pairwise: once_a_structure(partial(_need, pairwise)) for pairwise in (False, True)}


def _are_few_pairs(need: Need, some: Moves) -> bool:
    """Whether midpoints had better be sums over pairs of units: these are few, and those of an example are cached."""
    few = need.images and not need.tied and pairs.are_few(need.units, some.unit.shape[-1])
    return few and need.terms <= need.examples * pairs.TABLE_BYTES


def _dividing(points: int) -> int:
    """At most so many points, and calls of a segment are full: an accelerator computes a call's empty rows too."""
    divisors = [size for size in range(1, SEGMENT + 1) if SEGMENT % size == 0]
    return points if points >= MOST else max(size for size in divisors if size <= points)


def _cut_between(site: Site, move: Moves, alpha: Array | np.ndarray) -> Cut:
    """The network at a point, cut open."""
    units = site.table.size(site.network.weights)
    return _cut(site.between(jnp.arange(units).at[move.unit].set(move.source), alpha))


@partial(jax.jit, static_argnames=("turns", "together", "by_logs"))
def changes(
    site: Site,
    shared: Common,
    points: Points,
    count: int | Array,
    targets: Int[Array | np.ndarray, "*b"],
    turns: bool,
    together: int,
    by_logs: bool,
) -> Float[Array, " n *b"]:
    """How much the loss at the first `count` points exceeds that at θ, in nats, target by target."""
    head = _cut(site).head

    def change(points: Points, count: int | Array) -> Array:
        features = feature_changes(site, shared, points, count, turns)
        return loss_excess(shared.origin, head, features, jnp.asarray(targets), by_logs)

    return in_groups(change, points, count, together)


@partial(jax.jit, static_argnames="turns")
def feature_changes(
    site: Site, shared: Common, points: Points, count: int | Array, turns: bool
) -> Float[Array, "n b *d"]:
    """By how much what the head reads at the first `count` points exceeds that at θ. Other rows mean nothing."""
    cut, terms = _cut(site), shared.terms
    each = points if terms is None else pairs.places(points.moves, cut.kernel.shape[-2])

    def every(function: Callable[..., Array]) -> Array:
        return jax.vmap(function)(each) if terms is None and not turns else in_turns(function, each, count)

    def of_y(point: Any) -> Array:
        return changed(cut, shared.z, shared.alone, point)[0] if terms is None else pairs.summed(terms, point)

    if _adds_constants(cut, shared):
        return at_least_float32(every(of_y))

    def settle(point: Any) -> Array:
        return cut.settled(shared.y + of_y(point), shared.carry)

    def settle_between(point: Points) -> Array:
        of_y, of_h = changed(cut, shared.z, shared.alone, point)
        places = jax.nn.one_hot(point.moves.unit, cut.kernel.shape[-2], dtype=of_h.dtype)  # k l
        h = shared.carry + jnp.matmul(of_h, places, precision="highest")  # b ... l
        return _cut_between(site, *point).settled(shared.y + of_y, h)

    settled = every(settle_between if cut.tied else settle)
    return shared.origin.change_to(jax.vmap(lambda settled: cut.after(settled, shared.carry))(settled))


def _adds_constants(cut: Cut, shared: Common) -> bool:
    """Whether the features are y plus what does not depend on it, as behind the last hidden layer.

    A change of y is then one of the features, which loses no digits to what does not change.
    """

    def tangent(change: Array) -> Array:
        return jax.jvp(lambda y: cut.features(y, shared.carry), (shared.y,), (change,))[1]

    traced = jax.make_jaxpr(tangent)(shared.y).jaxpr
    return not cut.tied and traced.outvars == traced.invars
