"""Jacov: how differently a network responds around different examples."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from landscape.models.functional import Network
from landscape.proxies._network import differentiable_inputs, evaluating
from landscape.proxies._score import Score

K = 1e-5  # the published code's guard against vanishing eigenvalues


def jacov(model: nnx.Module, inputs: Any, targets: Array | None = None, *, reference: bool = False) -> float:
    r"""$-\sum_i [\log(v_i + k) + 1/(v_i + k)]$, v the eigenvalues of the correlation of the examples' Jacobians.

    The Jacobian of an example is the gradient of its summed outputs with respect to its inputs, flattened, or
    to its embeddings in a Transformer (see `TokenModel`; our convention). The whole spectrum counts, as in
    every published code, though the paper's text says "highest eigenvalue". BatchNorm evaluates, or with
    `reference` uses the batch's statistics as the published code does. Targets do not matter.

    Correlation and eigenvalues are in float64. With b examples of fewer than b features, at least
    b − features + 1 eigenvalues vanish, and each adds −1/k: then only the remainder tells networks apart.
    NaN where the Jacobian of an example is constant, so that it has no correlation.

    Mellor et al., arXiv 2006.04647.
    """
    return score(model, inputs, targets, reference=reference)


def _kernel(network: Network, inputs: Any, targets: None, reference: bool) -> Array:
    x, outputs = differentiable_inputs(lambda: evaluating(network, reference), inputs)
    jacobians = jax.grad(lambda x: jnp.sum(outputs(x)))(x)
    v = jnp.linalg.eigvalsh(_correlation(jacobians.reshape(len(jacobians), -1).astype(jnp.float64)))
    return -jnp.sum(jnp.log(v + K) + 1 / (v + K))


def _correlation(rows: Float[Array, "b features"]) -> Float[Array, "b b"]:
    """Pearson correlation of every two rows."""
    centred = rows - rows.mean(1, keepdims=True)
    unit = centred / jnp.linalg.norm(centred, axis=1, keepdims=True)
    return unit @ unit.T


score = Score(_kernel, double=True)
