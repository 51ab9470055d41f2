"""Loss and gradient of a batch: of the whole batch at once, or of slices that stay in a processor's cache, added up.

Slices are faster where activations outgrow weights, as those of convolutions do. A network that reads the statistics of
a batch needs the whole batch.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from landscape.data import Split
from landscape.models.functional import Network, Weights, split
from landscape.numerics.loss import IGNORED, cross_entropies
from landscape.numerics.memory import device_bytes, largest_array
from landscape.numerics.microbatch import slice_size, stacked
from landscape.training.convolution import with_fast_gradients


def loss_and_gradients(
    network: Network, parameters: Weights, batch: Split
) -> tuple[Float[Array, ""], Weights, Weights]:
    """Mean cross-entropy in training mode, the arrays after it, and the gradient with respect to the parameters.

    Training mode moves the running statistics among the arrays. A batch of which no target counts has loss and gradient
    0.
    """
    size, counted = _examples_at_once(network, parameters, batch), jnp.sum(batch.targets != IGNORED).clip(min=1)
    differentiate = jax.value_and_grad(partial(_loss, network, counted), has_aux=True)
    if size == len(batch):
        (value, moved), gradients = differentiate(parameters, batch)
        return value, moved, gradients

    def add(found: tuple[Array, Weights], some: tuple[Any, Array]) -> tuple[tuple[Array, Weights], None]:
        (value, _), gradients = differentiate(parameters, some)
        return jax.tree.map(jnp.add, found, (value, gradients)), None

    nothing = (jnp.zeros(()), jax.tree.map(jnp.zeros_like, parameters))
    value, gradients = jax.lax.scan(add, nothing, stacked(*batch, size))[0]
    return value, network.weights, gradients


def _loss(network: Network, counted: Array, parameters: Weights, examples: Any) -> tuple[Array, Weights]:
    """What these examples add to the mean over all `counted` targets, and the arrays afterwards."""
    model = network.replace(network.weights | parameters).module()
    model = with_fast_gradients(model) if device_bytes() is None else model
    model.train()
    inputs, targets = examples
    return jnp.sum(cross_entropies(model(inputs), targets)) / counted, split(model).weights


def _examples_at_once(network: Network, parameters: Weights, batch: Split) -> int:
    convolves = any(array.ndim == 4 for array in parameters.values())
    if not convolves or parameters.keys() != network.weights.keys():
        return len(batch)
    largest = largest_array(Network.logits, {}, self=network, inputs=batch.inputs)
    return slice_size(len(batch), 2 * largest)  # with its gradient
