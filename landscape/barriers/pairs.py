r"""Midpoints as sums over pairs of units, which are computed once for all midpoints of a network.

At α = ½, what stands at a moved place i is s_i = σ(½z_i + ½z_π(i)): it depends on a pair of units, in either order, and
so does what it does to the next layer's output y = linear(h, W). With the terms of `landscape.barriers.by_activations`
collected by s_i rather than by rows of W,

.. math:: y(\pi) - y = \sum_{i:\ \pi(i) \neq i} E_{i \pi(i)}, \qquad
          E_{ij} = \tfrac12 (s_{ij} - h_i) W_i + \tfrac12 (s_{ij} - h_j) W_j = E_{ji}.

So l(l−1)/2 terms serve every step of a walk: no midpoint has to pass units through the next layer. It pays where units
are few and have many activations an example each, as in a convolution: a midpoint then reads as many terms as it moves
units. Of one activation an example it reads more numbers than it saves operations.
"""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from landscape.barriers.moves import SEGMENT, Moves
from landscape.models.cut import Cut
from landscape.numerics.loss import at_least_float32

TABLE_BYTES = 8 * 2**20  # all terms of a slice of the batch: midpoints read them from a processor's last cache


def are_few(units: int, moved: int) -> bool:
    """Whether fewer units pass through the next layer for all terms than for one segment of a walk without them.

    A walk's segments have `SEGMENT` steps or more, and steps move `moved` units. What is chosen follows from sizes
    alone, so that a walk has the same numbers in however many segments it is computed.
    """
    return units * (units - 1) <= SEGMENT * moved


def terms(cut: Cut, z: Float[Array, "rows ... l"], h: Float[Array, "b ... l"]) -> Float[Array, "terms b ..."]:
    """E_ij of every pair of units, (b *out) each, and 0 at last, for units that stay.

    Behind its examples z may have rows of parameters (see `landscape.models.cut`), as a ResNet's has.
    """
    pairs = np.stack(np.triu_indices(z.shape[-1], 1), axis=-1)  # pairs 2
    y = jax.eval_shape(cut.linear, h, cut.kernel)
    none = jnp.zeros((1, *y.shape), jnp.promote_types(y.dtype, jnp.float32))
    if not len(pairs):
        return none

    def term(pair: Array) -> Array:
        s = cut.activation(z[..., pair].sum(-1, keepdims=True) / 2)  # b ... 1
        return at_least_float32(cut.linear((s - h[..., pair]) / 2, cut.kernel[..., pair, :]))  # b *out

    return jnp.concatenate([jax.lax.map(term, jnp.asarray(pairs)), none])


def places(moves: Moves, units: int) -> Int[Array, "n k"]:
    """Where the terms of some permutations stand: E_iπ(i) of each moved place i."""
    first, second = np.triu_indices(units, 1)
    of_pair = np.full((units, units), len(first))  # units that stay have the last
    of_pair[first, second] = of_pair[second, first] = np.arange(len(first))
    return jnp.asarray(of_pair)[moves.unit, moves.source]


def summed(terms: Float[Array, "terms ..."], places: Int[Array, " k"]) -> Float[Array, ...]:
    """Σ E_iπ(i) over the moved places of one permutation."""
    return reduce(add, (jax.lax.dynamic_index_in_dim(terms, place, keepdims=False) for place in places))


def table_bytes(y: Any, units: int) -> int:
    """Bytes of all terms, where y is what the next layer makes."""
    return (units * (units - 1) // 2 + 1) * y.size * jnp.promote_types(y.dtype, jnp.float32).itemsize
