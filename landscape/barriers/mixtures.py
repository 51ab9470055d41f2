"""The loss of mixtures of a few networks: on the line through two, and on the plane through three.

Malviya et al. (2024), Figure 1; Garipov et al. (2018), arXiv 1802.10026.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from landscape.barriers.midpoint import network_loss
from landscape.models.functional import Network, mixed
from landscape.numerics.microbatch import POINTS, in_turns
from landscape.numerics.precision import exact

MOST = 3  # networks; fewer are filled up, so that one program serves points, lines and planes


@exact
def mixture_losses(
    networks: Sequence[Network],
    coefficients: Float[Array | np.ndarray, "*grid k"],
    inputs: Any,
    targets: Int[Array | np.ndarray, "*b"],
) -> Float[Array, "*grid"]:
    """L(Σ cᵢ θᵢ) for every c of the grid and k ≤ 3 networks of equal shape, in nats on the batch given.

    Running statistics are combined like the parameters. Points are evaluated one after another, so that memory does not
    grow with the grid.
    """
    points = np.asarray(coefficients).reshape(-1, len(networks))
    n, filled = len(points), [(0, -len(points) % POINTS), (0, MOST - len(networks))]
    three = (*networks, *[networks[0]] * (MOST - len(networks)))
    given = jax.device_put((three, inputs, targets))
    calls = np.pad(points, filled).reshape(-1, POINTS, MOST)
    losses = [_losses(*given, call, min(POINTS, n - POINTS * i)) for i, call in enumerate(calls)]
    return jnp.asarray(np.concatenate([np.empty(0, np.float32), *losses])[:n].reshape(coefficients.shape[:-1]))


@jax.jit
def _losses(
    networks: Sequence[Network], inputs: Any, targets: Array, points: Float[Array, "n 3"], count: int | Array
) -> Float[Array, " n"]:
    """The losses at the first `count` points."""

    def loss(coefficients: Array) -> Array:
        return network_loss(mixed(networks, coefficients), inputs, targets)

    return in_turns(loss, points, count)
