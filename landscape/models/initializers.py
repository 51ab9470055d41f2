"""The draws of Flax's initialisers, by programs that compile several times faster.

JAX numbers the elements of an array by their indices along each axis, and on a processor XLA takes the longer over that
the more axes there are: about a second for the kernel of a small convolution, against a fifth for as many numbers in a
row. An element's number is its place in the row (`jax_threefry_partitionable`), so both are the same draws.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from flax.typing import Initializer
from jaxtyping import PRNGKeyArray

CUT_AT_TWO = 0.87962566103423978  # standard deviation of a standard normal variable cut at ±2


def truncated_normal(deviation: float) -> Initializer:
    """What `nnx.initializers.truncated_normal(deviation)` draws: a normal variable cut at ±2, times `deviation`.

    Example:
      >>> import jax
      >>> from landscape.models.initializers import truncated_normal
      >>> truncated_normal(0.02)(jax.random.key(0), (3, 3, 4, 8)).shape
      (3, 3, 4, 8)
    """
    in_a_row = nnx.initializers.truncated_normal(deviation)

    def drawn(key: PRNGKeyArray, shape: Any, dtype: Any = jnp.float32, out_sharding: Any = None) -> jax.Array:
        return in_a_row(key, (math.prod(shape),), dtype, out_sharding).reshape(shape)

    return drawn


def normal_by_inputs(variance: float) -> Initializer:
    """A normal variable cut at two standard deviations, whose variance is `variance` over the inputs of a unit.

    It draws what `nnx.initializers.lecun_normal()` does with a variance of 1, and `he_normal()` with 2. The inputs are
    all axes of a kernel but the last.

    Example:
      >>> import jax
      >>> from landscape.models.initializers import normal_by_inputs
      >>> round(float(normal_by_inputs(2.0)(jax.random.key(0), (200, 50)).std()), 2)
      0.1

    References:
      He et al., "Delving Deep into Rectifiers", 2015, arXiv 1502.01852, section 2.2.
    """

    def drawn(key: PRNGKeyArray, shape: Any, dtype: Any = jnp.float32, out_sharding: Any = None) -> jax.Array:
        inputs = math.prod(shape[:-1])
        deviation = np.sqrt(np.array(variance / inputs, dtype)) / np.array(CUT_AT_TWO, dtype)
        return truncated_normal(float(deviation))(key, shape, dtype, out_sharding)

    return drawn


def identity(key: PRNGKeyArray, shape: Any, dtype: Any = jnp.float32, out_sharding: Any = None) -> jax.Array:
    """The kernel, of a dense or convolution layer, by which output j is input j; it draws nothing.

    The centre of a convolution passes a channel on. Outputs start over where there are fewer inputs.

    Example:
      >>> import jax
      >>> from landscape.models.initializers import identity
      >>> print(identity(jax.random.key(0), (2, 3)))
      [[1. 0. 1.]
       [0. 1. 0.]]
    """
    *window, inputs, outputs = shape
    kernel = np.zeros(shape)
    kernel[tuple(size // 2 for size in window)] = np.arange(inputs)[:, None] == np.arange(outputs) % inputs
    return jnp.asarray(kernel, dtype)


LECUN_NORMAL, HE_NORMAL = (
    normal_by_inputs(1.0),
    normal_by_inputs(2.0),
)  # Flax's default; He's, for relu
