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
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float, Int

from landscape.cut import Cut
from landscape.loss import loss_change
from landscape.weights import Weights, evaluating

Index = Int[Array | np.ndarray, " k"]

CHUNK_BYTES = 256 * 2**20  # activations of the points evaluated together


class Common(NamedTuple):
    """What all paths from one network share: its activations on the batch (shapes as in `landscape.cut`)."""

    z: Array  # b ... l
    h: Array  # b ... l
    y: Array  # b ... out
    logits: Array  # b k
    probabilities: Array  # b k: softmax of the logits
    carry: Any


@partial(jax.jit, static_argnames=("graphdef", "group"))
def common(graphdef: nnx.GraphDef, weights: Weights, group: str, inputs: Any) -> Common:
    """Run the network once."""
    cut = _cut(graphdef, weights, group)
    z, carry = cut.before(inputs)
    h = cut.activation(z)
    y = cut.linear(h, cut.kernel)
    logits = cut.after(y, carry)
    return Common(z, h, y, logits, jax.nn.softmax(logits), carry)


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
    """List the moved units; k is 2⌈log₂ l⌉, or more where a permutation moves more."""
    n, units = permutations.shape
    changed = permutations != np.arange(units)
    k = min(units, max(2 * math.ceil(math.log2(units)), changed.sum(1).max()))
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
    shared: Common,
    permutations: Int[np.ndarray, "n units"],
    alphas: Float[np.ndarray, " m"],
    targets: Array | np.ndarray,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Float[np.ndarray, "n m"]:
    """L((1−α)θ + αP(θ, π)) − L(θ) in nats, for every permutation and α; memory does not grow with n."""
    n, m = len(permutations), len(alphas)
    every = moves(permutations)
    chunk = chunk_size(shared, every.unit.shape[1])
    changes = []
    for start in range(0, n * m, chunk):
        row, column = np.divmod(np.arange(start, start + chunk).clip(max=n * m - 1), m)  # one shape: the last repeats
        some = Moves(*(field[row] for field in every))
        points = _changes(graphdef, weights, group, shared, some, np.asarray(alphas, np.float32)[column], targets)
        changes.append(np.asarray(points))
        report(min(start + chunk, n * m), n * m)
    return np.concatenate(changes)[: n * m].reshape(n, m)


def chunk_size(shared: Common, k: int) -> int:
    """How many points to evaluate together: 1 to 128, within `CHUNK_BYTES`."""
    units = shared.h.shape[-1]
    one = 3 * ((shared.z.nbytes + shared.h.nbytes) * k // units + shared.y.nbytes + shared.logits.nbytes)
    return max(1, min(128, CHUNK_BYTES // one))


def _picked(x: Array, index: Index) -> Array:
    """x[..., index], as a product with a 0/1 matrix: on a CPU several times faster than picking from the last axis."""
    return _product(x, jax.nn.one_hot(index, x.shape[-1], axis=0, dtype=x.dtype))


def _mixed(x: Array, first: Index, second: Index, alpha: Array) -> Array:
    """(1 − α) x[..., first] + α x[..., second]."""
    units = x.shape[-1]
    chosen = [jax.nn.one_hot(index, units, axis=0, dtype=x.dtype) for index in (first, second)]
    return _product(x, (1 - alpha) * chosen[0] + alpha * chosen[1])


def _product(x: Array, matrix: Array) -> Array:
    """In full precision, which accelerators do not use by default."""
    return jnp.matmul(x, matrix, precision="highest")


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
    """One point a row of `moves` and of `alphas`."""
    cut = _cut(graphdef, weights, group)

    def change(point: tuple[Moves, Array]) -> Array:
        move, alpha = point
        s = cut.activation(_mixed(shared.z, move.unit, move.source, alpha))  # b ... k
        delta = _mixed(s, np.arange(len(move.unit)), move.back, alpha) - _picked(shared.h, move.unit)
        y = shared.y + cut.linear(delta * move.moved, cut.kernel[..., move.unit, :])
        moved = cut.after(y, shared.carry) - shared.logits
        return loss_change(shared.probabilities, moved, targets)

    # a batch of convolutions with different kernels would become one slow grouped convolution
    each = jax.lax.map if cut.kernel.ndim == 4 else lambda f, xs: jax.vmap(f)(xs)
    return each(change, (moves, alphas))
