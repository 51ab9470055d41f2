"""Initial weights: the draws of Flax's initialisers, by programs that compile several times faster, and PyTorch's.

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


def drawn_as_pytorch(model: nnx.Module, key: PRNGKeyArray) -> nnx.Module:
    """A copy of the network whose dense and convolution layers are drawn anew, as PyTorch draws them by default.

    Kernels and biases are independent and uniform between −1/√fan_in and 1/√fan_in, so kernels have a third of the
    variance that Flax gives them, and biases, which are 0 in Flax, have any at all. Embeddings and normalisation stay
    as they are.

    Args:
      model: a Flax NNX module; it is left as it is.
      key: decides every draw.

    Example:
      >>> import jax
      >>> from flax import nnx
      >>> from landscape.models.initializers import drawn_as_pytorch
      >>> layer = drawn_as_pytorch(nnx.Linear(100, 50, rngs=nnx.Rngs(0)), jax.random.key(0))
      >>> bool(abs(layer.kernel[...]).max() <= 0.1), bool(abs(layer.bias[...]).min() > 0)
      (True, True)

    References:
      `reset_parameters` of torch.nn.Linear and torch.nn.Conv2d: `kaiming_uniform_` with a = √5, after He et al. (2015),
      arXiv 1502.01852.
    """
    redrawn, rngs = nnx.clone(model), nnx.Rngs(key)
    for _, layer in nnx.iter_modules(redrawn):
        if isinstance(layer, nnx.Linear | nnx.Conv):
            bound = 1 / math.sqrt(math.prod(layer.kernel.shape[:-1]))
            for parameter in (layer.kernel, layer.bias):
                if parameter is not None:
                    drawn = jax.random.uniform(rngs(), parameter.shape, parameter.dtype, -bound, bound)
                    parameter[...] = drawn
    return redrawn


LECUN_NORMAL, HE_NORMAL = (
    normal_by_inputs(1.0),
    normal_by_inputs(2.0),
)  # Flax's default; He's, for relu
