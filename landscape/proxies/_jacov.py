"""Jacov: how differently a network responds around different examples."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int

from landscape.models.functional import Network
from landscape.proxies._network import differentiable_inputs, evaluating
from landscape.proxies._score import Score

K = 1e-5  # the published code's guard against vanishing eigenvalues


def jacov(
    model: nnx.Module, inputs: Any, targets: Int[Array | np.ndarray, "*b"] | None = None, *, reference: bool = False
) -> float:
    r"""Jacov: how differently a network responds around different examples.

    .. math:: -\sum_i \left[ \log(v_i + k) + \frac{1}{v_i + k} \right], \quad k = 10^{-5}

    v are the eigenvalues of the matrix of Pearson's correlations between the examples' Jacobians

    .. math:: J_i = \frac{\partial \sum f(x_i)}{\partial x_i}

    which are gradients of an example's summed outputs with respect to its inputs, flattened, or with respect to its
    embeddings in a Transformer (`TokenModel`), which is our convention. The whole spectrum counts, as in every
    published code, though the paper's text says "highest eigenvalue". The score depends on the function alone, so an
    exact expansion does not change it.

    Eigenvalues are computed in float64, as squared singular values of the normalised Jacobians, of which the matrix of
    correlations is the product: one that vanishes does so to 30 digits, where rounding of the matrix would leave 15,
    which 1/(v + k) magnifies. With b examples of fewer than b features, at least b − features + 1 eigenvalues vanish,
    and each of them adds −1/k = −100,000: only the rest of the sum then tells networks apart.

    Args:
      model: a Flax NNX network; it is scored in evaluation mode, and is not changed.
      inputs: one batch, b examples on the first axis of each array.
      targets: not used; it is here so that all proxies are called alike.
      reference: let BatchNorm use the statistics of the batch, as the published code does.

    Returns:
      The score, without a unit; NaN where the Jacobian of an example is constant, so that it has no correlation.

    Raises:
      ValueError: if the inputs are integers and the network is not a `TokenModel`.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from flax import nnx
      >>> from landscape import proxies
      >>> from landscape.models.mlp import mlp
      >>> model = mlp(4, (3,), 2, nnx.Rngs(0))
      >>> inputs, targets = jax.random.normal(jax.random.key(1), (5, 4)), jnp.array([0, 1, 1, 0, 1])
      >>> proxies.jacov(model, inputs) < 0
      True

    References:
      Mellor et al., "Neural Architecture Search without Training", 2021, arXiv 2006.04647.
    """
    return score(model, inputs, None, reference=reference)


def _kernel(network: Network, inputs: Any, targets: None, reference: bool) -> Array:
    x, outputs = differentiable_inputs(lambda: evaluating(network, reference), inputs)
    jacobians = jax.grad(lambda x: jnp.sum(outputs(x)))(x)
    rows = _standardised(jacobians.reshape(len(jacobians), -1).astype(jnp.float64))  # b features
    singular = jnp.linalg.svd(_triangle(rows), compute_uv=False)  # min(b, features)
    v = jnp.pad(singular**2, (0, len(rows) - len(singular)))  # b
    return -jnp.sum(jnp.log(v + K) + 1 / (v + K))


def _standardised(rows: Float[Array, "b features"]) -> Float[Array, "b features"]:
    """Rows of mean 0 and norm 1, whose products are their correlations."""
    centred = rows - rows.mean(1, keepdims=True)
    return centred / jnp.linalg.norm(centred, axis=1, keepdims=True)


def _triangle(rows: Float[Array, "b features"]) -> Float[Array, "r features"]:
    """At most as many rows as features, with the same singular values: R of the QR decomposition, block by block.

    Of all rows at once, LAPACK divides the small products among threads, which mostly wait for each other: 512 rows of
    64 take 33 ms of processor time on a busy computer, and the blocks take 1.

    References:
      Demmel et al., "Communication-optimal Parallel and Sequential QR and LU Factorizations", 2012, arXiv 0808.2664.
    """
    features = rows.shape[1]
    while len(rows) > features:
        blocks = -(-len(rows) // (2 * features))
        filled = jnp.pad(rows, ((0, 2 * features * blocks - len(rows)), (0, 0)))
        rows = jnp.linalg.qr(filled.reshape(blocks, 2 * features, features), mode="r").reshape(-1, features)
    return rows


score = Score(_kernel, double=True)
