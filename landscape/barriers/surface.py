"""The loss on the plane through three networks of equal shape (Figure 1; Garipov et al., 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from landscape.barriers.midpoint import network_loss
from landscape.models.functional import Network, mixed
from landscape.numerics.precision import exact


@exact
@jax.jit
def surface_losses(
    minima: Sequence[Network],
    coefficients: Float[Array | np.ndarray, "*grid 3"],
    inputs: Any,
    targets: Int[Array | np.ndarray, "*b"],
) -> Float[Array, "*grid"]:
    """L(aθ₁ + bθ₂ + cθ₃) for every (a, b, c) of the grid, in nats on the batch given.

    Running statistics are combined like the parameters. Points are evaluated one after another, so that memory does not
    grow with the grid.
    """

    def point(coefficients: Array) -> Array:
        return network_loss(mixed(minima, coefficients), inputs, targets)

    flat = jax.lax.map(point, jnp.asarray(coefficients, jnp.float32).reshape(-1, 3))  # points
    return flat.reshape(coefficients.shape[:-1])
