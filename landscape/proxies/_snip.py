"""SNIP: how much the loss depends on single connections."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Int

from landscape.models.functional import Network
from landscape.proxies._network import batch_loss, scored_weights, total
from landscape.proxies._score import Score


def snip(model: nnx.Module, inputs: Any, targets: Int[Array, "*b"], *, reference: bool = False) -> float:
    r"""$\sum \lvert W \odot \partial L / \partial W \rvert$ over all weights of dense and convolution layers.

    L is the mean cross-entropy on the batch, in nats; BatchNorm evaluates, or with `reference` uses the batch's
    statistics as the published code does. Raises ValueError for a network without such layers.

    Lee et al., arXiv 1810.02340; summed into a score by Abdelfattah et al., arXiv 2101.08134.
    """
    return score(model, inputs, targets, reference=reference)


def _kernel(network: Network, inputs: Any, targets: Array, reference: bool) -> Array:
    scored = scored_weights(network)
    gradients = jax.grad(batch_loss(network, inputs, targets, reference))(scored)
    return total(jnp.sum(jnp.abs(w * gradients[path])) for path, w in scored.items())


score = Score(_kernel)
