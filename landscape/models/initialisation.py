"""PyTorch's default initial weights, as an alternative to those of Flax."""

from __future__ import annotations

import math

import jax
from flax import nnx
from jaxtyping import PRNGKeyArray


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
      >>> from landscape.models.initialisation import drawn_as_pytorch
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
