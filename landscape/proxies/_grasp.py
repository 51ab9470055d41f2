"""GraSP: how much connections help the gradient flow."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Int

from landscape.models.functional import Network
from landscape.proxies._network import batch_loss, scored_weights, total
from landscape.proxies._score import Score


def grasp(model: nnx.Module, inputs: Any, targets: Int[Array, "*b"], *, reference: bool = False) -> float:
    r"""$-\sum W \odot (H g)$ over all weights of dense and convolution layers.

    g is the gradient of the mean cross-entropy on the batch with respect to those weights and H the Hessian,
    on the same batch; g counts as a constant. BatchNorm evaluates, or with `reference` uses the batch's
    statistics as the published code does. Raises ValueError for a network without such layers.

    Wang et al., arXiv 2002.07376; summed into a score by Abdelfattah et al., arXiv 2101.08134.
    """
    return score(model, inputs, targets, reference=reference)


def _kernel(network: Network, inputs: Any, targets: Array, reference: bool) -> Array:
    scored = scored_weights(network)
    g, hessian = jax.linearize(jax.grad(batch_loss(network, inputs, targets, reference)), scored)
    curved = hessian(g)  # forward over reverse: g itself is a by-product
    return -total(jnp.sum(w * curved[path]) for path, w in scored.items())


score = Score(_kernel)
