"""Parameter count: the trivial predictor that every other has to beat."""

from __future__ import annotations

from flax import nnx

from landscape.models.functional import split, trainable


def parameters(model: nnx.Module) -> int:
    """Trainable parameters: weights, biases, scales and embeddings, but no running statistics."""
    weights = split(model).weights
    return sum(weights[path].size for path in trainable(model))
