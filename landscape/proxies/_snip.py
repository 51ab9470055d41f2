"""SNIP: how much the loss depends on single connections."""

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


def snip(model: nnx.Module, inputs: Any, targets: Int[Array | np.ndarray, "*b"], *, reference: bool = False) -> float:
    r"""SNIP: how much the loss depends on single connections, summed over all of them.

    .. math:: \sum_l \left\lVert W_l \odot \frac{\partial L}{\partial W_l} \right\rVert_1

    L is the mean cross-entropy on the batch in nats, and W_l the kernel of the dense or convolution layer l; biases,
    normalisations and embeddings are not scored. Copies of a unit share its score, so that Net2Net's exact widening
    does not change the sum.

    Args:
      model: a Flax NNX network; it is scored in evaluation mode, and is not changed.
      inputs: one batch, b examples on the first axis of each array.
      targets: a class for each vector of logits, of shape (b,) or (b, predictions); targets of −1 do not count.
      reference: let BatchNorm use the statistics of the batch, as the published code does.

    Returns:
      The score in nats.

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
      >>> proxies.snip(model, inputs, targets) > 0
      True

    References:
      Lee et al., "SNIP: Single-shot Network Pruning based on Connection Sensitivity", 2018, arXiv 1810.02340; summed
      into a score by Abdelfattah et al., 2021, arXiv 2101.08134.
    """
    return score(model, inputs, targets, reference=reference)


def _kernel(network: Network, inputs: Any, targets: Array, reference: bool) -> Array:
    scored = scored_weights(network, inputs)
    gradients = jax.grad(batch_loss(network, inputs, targets, reference))(scored)
    return total(jnp.sum(jnp.abs(w * gradients[path])) for path, w in scored.items())


score = Score(_kernel)
