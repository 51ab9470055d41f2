"""The loss on the plane through three networks of equal shape (Figure 1; Garipov et al., 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from landscape.barriers.midpoint import node_loss
from landscape.models.functional import Weights, mixed
from landscape.numerics.precision import exact


@exact
@partial(jax.jit, static_argnames="graphdef")
def surface_losses(
    graphdef: nnx.GraphDef,
    minima: Sequence[Weights],
    shares: Float[Array | np.ndarray, "*grid 3"],
    inputs: Any,
    targets: Array,
) -> Float[Array, "*grid"]:
    """L(aθ₁ + bθ₂ + cθ₃) for every (a, b, c) of the grid, in nats on the batch given.

    Running statistics are combined like the parameters. One point after another, so that memory does not grow
    with the grid.
    """

    def point(share: Array) -> Array:
        return node_loss(graphdef, mixed(minima, share), inputs, targets)

    flat = jax.lax.map(point, jnp.asarray(shares, jnp.float32).reshape(-1, 3))
    return flat.reshape(shares.shape[:-1])
