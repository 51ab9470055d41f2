"""SynFlow: how much positive flow passes through the connections."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int

from landscape.models.functional import Network, Weights
from landscape.proxies._network import differentiable_inputs, evaluating, scored_weights, total
from landscape.proxies._score import Score

NORMALISATIONS = (nnx.BatchNorm, nnx.LayerNorm, nnx.RMSNorm, nnx.GroupNorm, nnx.InstanceNorm)


def synflow(model: nnx.Module, inputs: Any, targets: Int[Array | np.ndarray, "*b"] | None = None) -> float:
    r"""SynFlow: how much positive flow passes through the connections, without data.

    .. math:: \sum_l \left\lVert W_l \odot \frac{\partial R}{\partial W_l} \right\rVert_1, \quad
        R = \sum f(\mathbf 1; \lvert\theta\rvert)

    R is the sum of the outputs on one input of ones, after every parameter has been replaced by its absolute value and
    every BatchNorm by the identity; all in float64. W_l is the kernel of the dense or convolution layer l. Biases stay
    in the forward pass but are not scored, as in the published code. Net2Net's exact widening does not change the sum.
    Scores span many decades: compare their logarithms.

    Our convention for Transformers, which have no reference: the embeddings of the first example are all ones
    (`TokenModel`), and every other normalisation is the identity too, since it would cancel the flow. Tokens are alike
    then, so that each attends to all alike, and queries and keys score 0. Rounding would decide otherwise, since the
    scores of attention grow as the square of the flow, which reaches 10²⁵ in four blocks of width 256. So a layer with
    an attribute `attention_weights`, a function that makes weights of scores as softmax does, is given equal weights.

    Args:
      model: a Flax NNX network; it is not changed.
      inputs: one batch, of which only the shape and the type of the first example matter.
      targets: not used; it is here so that all proxies are called alike.

    Returns:
      The score, without a unit.

    Raises:
      ValueError: if the network has no dense or convolution layer, or the inputs are integers and the network is not a
        `TokenModel`.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from flax import nnx
      >>> from landscape import proxies
      >>> from landscape.models.mlp import mlp
      >>> model = mlp(4, (3,), 2, nnx.Rngs(0))
      >>> inputs, targets = jax.random.normal(jax.random.key(1), (5, 4)), jnp.array([0, 1, 1, 0, 1])
      >>> proxies.synflow(model, inputs) == proxies.synflow(model, 0 * inputs)
      True

    References:
      Tanaka et al., "Pruning neural networks without any data by iteratively conserving synaptic flow", 2020,
      arXiv 2006.05467; as a score of networks by Abdelfattah et al., 2021, arXiv 2101.08134.
    """
    return score(model, inputs, None)


def _kernel(network: Network, inputs: Any, targets: None, reference: bool) -> Array:
    positive = network.replace({path: _positive(array) for path, array in network.weights.items()})
    first = jax.tree.map(lambda array: array[:1], inputs)
    scored = scored_weights(positive, first)

    def flow(scored: Weights) -> Array:
        def build() -> nnx.Module:
            flowing = positive.replace(positive.weights | scored)
            return _without_normalisation(evaluating(flowing, reference))

        x, outputs = differentiable_inputs(build, first)
        return jnp.sum(outputs(jnp.ones(x.shape, jnp.float64)))

    gradients = jax.grad(flow)(scored)
    return total(jnp.sum(jnp.abs(w * gradients[path])) for path, w in scored.items())


def _positive(array: Array) -> Array:
    """|array| in float64; arrays that do not hold real numbers, such as the state of a random stream, stay."""
    return jnp.abs(array).astype(jnp.float64) if jnp.issubdtype(array.dtype, jnp.floating) else array


class _Identity(nnx.Module):
    """What stands in the place of a normalisation."""

    def __call__(self, x: Array, **_: Any) -> Array:
        return x


def _without_normalisation(model: nnx.Module) -> nnx.Module:
    flowing = nnx.recursive_map(lambda _, node: _Identity() if isinstance(node, NORMALISATIONS) else node, model)
    flowing.set_attributes(attention_weights=_equally, raise_if_not_found=False)
    flowing.set_attributes(nnx.RNNCellBase, param_dtype=jnp.float64, raise_if_not_found=False)  # what they start from
    return flowing


def _equally(scores: Float[Array, "*b s"]) -> Float[Array, "*b s"]:
    """What softmax makes of scores that are alike."""
    return jnp.full_like(scores, 1 / scores.shape[-1])


score = Score(_kernel, double=True)
