"""By how much a point changes what the next layer makes, from the units that it moves.

This is the change of y = linear(h, W) in terms of `landscape.models.cut.Cut`; `landscape.barriers.by_activations` says
what a point's activations are.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from landscape.barriers.moves import Moves, Points
from landscape.models.cut import Cut


def of_units_alone(cut: Cut) -> Float[Array, "*out l"]:
    """y of each unit alone, where it is 1 and all other units are 0."""
    one = jnp.ones((1, 1), cut.kernel.dtype)
    return jax.vmap(lambda kernel: cut.linear(one, kernel)[0], -3, -1)(cut.kernel[..., None, :])


def changed(cut: Cut, z: Array, alone: Float[Array, "*out l"] | None, point: Points) -> tuple[Array, Array]:
    """What a point changes of y (b *out), and of h at the moved units (b ... k).

    Where the units of an example are one vector, z is (l b), and `alone` is y of each unit alone.
    """
    move, alpha = point
    if alone is not None:
        moved, change = _changed_rows(cut, z, move, alpha)  # k b
        return jnp.moveaxis(jnp.tensordot(alone[..., move.unit], moved, 1), -1, 0), change.T
    kernel = cut.kernel[..., move.unit, :]
    s, h = _picked(cut, z, move, alpha)  # b ... k
    m = (1 - alpha) * s + alpha * s[..., move.back]  # b ... k
    return cut.linear(jnp.where(move.moved, m - h, 0), kernel), s - h


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
