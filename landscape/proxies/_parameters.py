"""Parameter count: the trivial predictor that every other one has to beat."""

from __future__ import annotations

from flax import nnx

from landscape.models.functional import split, trainable


def parameters(model: nnx.Module) -> int:
    """The number of trainable parameters: weights, biases, scales and embeddings, but no running statistics.

    Example:
      >>> from flax import nnx
      >>> from landscape import proxies
      >>> from landscape.models.mlp import mlp
      >>> proxies.parameters(mlp(64, (6,), 10, nnx.Rngs(0)))
      460

    References:
      The trivial predictor of every comparison here; Malviya et al. (2024), arXiv 2405.15895, do not have it.
    """
    weights = split(model).weights
    return sum(weights[path].size for path in trainable(model))
