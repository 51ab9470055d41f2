"""A batch in slices, so that the activations of one slice stay in a processor's cache.

An accelerator has no such cache, and takes the whole batch where its memory holds it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from itertools import cycle
from operator import itemgetter
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from landscape.numerics.loss import IGNORED
from landscape.numerics.memory import room
from landscape.numerics.progress import OnProgress
from landscape.numerics.threads import side_by_side

SLICE_BYTES = 20 * 2**20  # arrays held at once for a slice; chosen on a processor whose last cache has 32 MiB
# Points that one call evaluates one after another: enough for the call itself to cost nothing beside them, while the
# arrays of a point exist only once, in the cache.
POINTS = 128
GROUP = 16  # points that go through the last layers together, so that these layers' weights are read once for all

Shared = TypeVar("Shared")


def slice_size(examples: int, held: int, most: int | None = None) -> int:
    """How many examples a slice has, a power of two, if all together hold `held` bytes, and a slice `most` of them."""
    most = SLICE_BYTES if most is None else most
    return min(examples, 2 ** int(math.log2(max(1, room(most) * examples // held))))


def in_turns(function: Callable[[Any], Array], points: Any, count: int | Array) -> Float[Array, "n ..."]:
    """`function` of the first `count` points, one after another; 0 for the rest, on which no time is spent."""
    one = jax.eval_shape(function, jax.tree.map(itemgetter(0), points))
    nothing = jnp.zeros((len(jax.tree.leaves(points)[0]), *one.shape), one.dtype)

    def add(i: Array, found: Array) -> Array:
        return found.at[i].set(function(jax.tree.map(itemgetter(i), points)))

    return jax.lax.fori_loop(0, count, add, nothing)


def in_groups(
    function: Callable[[Any, int | Array], Array], points: Any, count: int | Array, size: int
) -> Float[Array, "n ..."]:
    """`function(group, count)` of `size` points at a time, of which the first `count` matter, group after group."""
    if len(jax.tree.leaves(points)[0]) == size:
        return function(points, count)
    groups = jax.tree.map(lambda array: array.reshape(-1, size, *array.shape[1:]), points)
    counts = jnp.clip(count - size * jnp.arange(len(jax.tree.leaves(groups)[0])), 0, size)
    found = in_turns(lambda group: function(*group), (groups, counts), -(-count // size))  # n/size size ...
    return found.reshape(-1, *found.shape[2:])


class CallSize(NamedTuple):
    """How many examples one call takes, how many points together, and how many groups of these one after another."""

    examples: int
    points: int
    groups: int = 1


def summed_changes(
    begin: Callable[[Any], Shared],
    change: Callable[[Shared, Int[np.ndarray, " rows"], int, Int[np.ndarray, "*b"], bool], Array],
    batch: tuple[Any, Int[np.ndarray, "*b"]],
    points: int,
    size: CallSize,
    on_progress: OnProgress,
) -> Float[np.ndarray, " points"]:
    """Σ over targets and slices of a batch of `change(begin(inputs), rows, count, targets, by_logs)`, for each row.

    `change` always gets `size.groups` times `size.points` of the rows 0 … points − 1, so that it is compiled once, of
    which the first `count` matter. It gives a number, or one for each target; they are added up in float64, since the
    sum of hundreds of targets in float32 is less exact than each of them. Where one is NaN, all of them are asked for
    again, by logarithms.
    """
    many = size.groups * size.points
    slices, starts = list(_slices(*batch, size.examples)), range(0, points, many)
    total = np.zeros(points)

    def calls() -> Iterator[Callable[[], Float[np.ndarray, " rows"]]]:
        for inputs, targets in slices:
            shared = begin(inputs)
            for start in starts:
                rows = np.arange(start, start + many).clip(max=points - 1)
                count = min(many, points - start)
                yield partial(_sums, partial(change, shared, rows, count, targets), count)

    for done, (start, sums) in enumerate(zip(cycle(starts), side_by_side(calls())), 1):
        total[start : start + len(sums)] += sums
        on_progress(points * done // (len(slices) * len(starts)), points)
    return total


def _sums(change: Callable[[bool], Array], count: int) -> Float[np.ndarray, " count"]:
    """What the first `count` points add up to over the targets, by logarithms only where a number is lost."""
    for by_logs in (False, True):
        found = np.asarray(change(by_logs), np.float64)[:count]
        sums = found.reshape(count, -1).sum(1)
        if not np.isnan(sums).any():
            break
    return sums


def _slices(inputs: Any, targets: np.ndarray, size: int) -> Iterator[tuple[Any, np.ndarray]]:
    """Parts of the batch of equal size; the last is filled up with examples whose targets are ignored."""
    examples = len(targets)
    if size == examples:
        yield inputs, targets
        return
    for start in range(0, examples, size):
        rows = np.arange(start, start + size)
        places = rows.clip(max=examples - 1)
        there = (rows < examples).reshape(-1, *[1] * (targets.ndim - 1))
        yield _rows(inputs, places), np.where(there, targets[places], IGNORED)


@jax.jit
def _rows(inputs: Any, places: Int[Array, " size"]) -> Any:
    """Some examples; compiled, for indexing array by array takes milliseconds of a processor."""
    return jax.tree.map(itemgetter(places), inputs)


def stacked(inputs: Any, targets: Any, size: int) -> tuple[Any, Array]:
    """Arrays of examples as (slices, size, ...), for a loop over slices.

    The last slice is filled up with examples whose targets are ignored.
    """
    missing = -len(targets) % size

    def cut(array: Any, fill: int) -> Array:
        padding = [(0, missing)] + [(0, 0)] * (array.ndim - 1)
        return jnp.pad(array, padding, constant_values=fill).reshape(-1, size, *array.shape[1:])

    return jax.tree.map(lambda array: cut(array, 0), inputs), cut(targets, IGNORED)
