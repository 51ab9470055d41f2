"""GraSP: how much connections help the gradient flow."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Int

from landscape.models.functional import Network
from landscape.proxies._network import batch_loss, scored_weights, total
from landscape.proxies._score import Score


def grasp(model: nnx.Module, inputs: Any, targets: Int[Array | np.ndarray, "*b"], *, reference: bool = False) -> float:
    r"""GraSP: how much the connections help the gradient flow, summed over all of them.

    .. math:: -\sum W \odot (H g), \quad g = \frac{\partial L}{\partial W}, \quad H = \frac{\partial^2 L}{\partial W^2}

    L is the mean cross-entropy on the batch in nats, and W holds the kernels of all dense and convolution layers;
    biases, normalisations and embeddings are not scored. Gradient and Hessian are of the same batch, and g counts as a
    constant.

    Args:
      model: a Flax NNX network; it is scored in evaluation mode, and is not changed.
      inputs: one batch, b examples on the first axis of each array.
      targets: a class for each vector of logits, of shape (b,) or (b, predictions); targets of −1 do not count.
      reference: let BatchNorm use the statistics of the batch, as the published code does.

    Returns:
      The score in nats², of either sign.

    Raises:
      ValueError: if the network has no dense or convolution layer, or targets are not classes, one for each vector of
        logits.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from flax import nnx
      >>> from landscape import proxies
      >>> from landscape.models.mlp import mlp
      >>> model = mlp(4, (3,), 2, nnx.Rngs(0))
      >>> inputs, targets = jax.random.normal(jax.random.key(1), (5, 4)), jnp.array([0, 1, 1, 0, 1])
      >>> isinstance(proxies.grasp(model, inputs, targets), float)
      True

    References:
      Wang et al., "Picking Winning Tickets Before Training by Preserving Gradient Flow", 2020, arXiv 2002.07376; summed
      into a score by Abdelfattah et al., 2021, arXiv 2101.08134.
    """
    return score(model, inputs, targets, reference=reference)


def _kernel(network: Network, inputs: Any, targets: Array, reference: bool) -> Array:
    scored = scored_weights(network, inputs)
    g, hessian = jax.linearize(jax.grad(batch_loss(network, inputs, targets, reference)), scored)
    curved = hessian(g)  # forward over reverse: g itself is a by-product
    return -total(jnp.sum(w * curved[path]) for path, w in scored.items())


score = Score(_kernel)
