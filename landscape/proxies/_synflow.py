"""SynFlow: how much positive flow passes through the connections."""

from __future__ import annotations

from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array

from landscape.models.functional import Network, Weights
from landscape.proxies._network import differentiable_inputs, evaluating, scored_weights, total
from landscape.proxies._score import Score

NORMALISATIONS = (nnx.BatchNorm, nnx.LayerNorm, nnx.RMSNorm, nnx.GroupNorm, nnx.InstanceNorm)


def synflow(model: nnx.Module, inputs: Any, targets: Array | None = None) -> float:
    r"""$\sum \lvert W \odot \partial R / \partial W \rvert$, R the sum of the outputs on one all-ones input.

    Every parameter is replaced by its absolute value, biases too, which stay in the forward pass but are not
    scored, as in the published code; all in float64. BatchNorm is the identity. Inputs give the shape only:
    neither their values nor the targets matter.

    Our convention for Transformers, which have no reference: the embeddings of the first example are all ones
    (see `TokenModel`), and every other normalisation is the identity too, since it would cancel the flow.

    Spans many decades: compare logarithms. Raises ValueError for a network without dense or convolution layers.

    Tanaka et al., arXiv 2006.05467; as a score by Abdelfattah et al., arXiv 2101.08134.
    """
    return score(model, inputs, targets)


def _kernel(network: Network, inputs: Any, targets: None, reference: bool) -> Array:
    positive = network.replace({path: _positive(array) for path, array in network.weights.items()})
    scored = scored_weights(positive)
    first = jax.tree.map(lambda array: array[:1], inputs)

    def flow(scored: Weights) -> Array:
        def build() -> nnx.Module:
            flowing = positive.replace(positive.weights | scored)
            return _without_normalisation(evaluating(flowing, reference))

        x, outputs = differentiable_inputs(build, first)
        return jnp.sum(outputs(jnp.ones(x.shape, jnp.float64)))

    gradients = jax.grad(flow)(scored)
    return total(jnp.sum(jnp.abs(w * gradients[path])) for path, w in scored.items())


def _positive(array: Array) -> Array:
    """|array| in float64; what is not a real number, as the state of a random stream, stays."""
    return jnp.abs(array).astype(jnp.float64) if jnp.issubdtype(array.dtype, jnp.floating) else array


def _without_normalisation(model: nnx.Module) -> nnx.Module:
    for path, layer in list(nnx.iter_modules(model)):
        if isinstance(layer, NORMALISATIONS):
            *parents, name = map(str, path)
            setattr(reduce(getattr, parents, model), name, _identity)
    return model


def _identity(x: Array, **_: Any) -> Array:
    return x


score = Score(_kernel, double=True)
