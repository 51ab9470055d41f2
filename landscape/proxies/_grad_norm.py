"""GradNorm: how steep the loss is."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Int

from landscape.models.functional import Network
from landscape.proxies._network import batch_loss, scored_weights, total
from landscape.proxies._score import Score


def grad_norm(model: nnx.Module, inputs: Any, targets: Int[Array, "*b"], *, reference: bool = False) -> float:
    r"""$\sum_l \lVert \partial L / \partial W_l \rVert_2$ over dense and convolution layers l.

    L is the mean cross-entropy on the batch, in nats; BatchNorm evaluates, or with `reference` uses the batch's
    statistics as the published code does. Raises ValueError for a network without such layers.

    Abdelfattah et al., arXiv 2101.08134.
    """
    return score(model, inputs, targets, reference=reference)


def _kernel(network: Network, inputs: Any, targets: Array, reference: bool) -> Array:
    scored = scored_weights(network)
    gradients = jax.grad(batch_loss(network, inputs, targets, reference))(scored)
    return total(jnp.linalg.norm(g.ravel()) for g in gradients.values())


score = Score(_kernel)
