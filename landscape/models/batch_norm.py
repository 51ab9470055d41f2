"""BatchNorm between two networks: its statistics are interpolated, or estimated again on the batch."""

from __future__ import annotations

from typing import Any

from flax import nnx

REESTIMATED = "reestimated"  # attribute of a BatchNorm layer


def reestimated(model: nnx.Module) -> nnx.Module:
    """A copy of the network that is evaluated with the statistics of each batch itself.

    Interpolating two networks shrinks the variance of their activations, which running statistics, interpolated
    too, do not follow; estimating them again on the batch removes this part of a barrier (Jordan et al.,
    arXiv 2211.08403, who call it RESET). It applies to every evaluation of the network, at the ends of a line as
    between them; a permuted copy still computes the same function. Such a network has no fast form.

    Raises ValueError for a network without BatchNorm, which has nothing to estimate.
    """
    changed = nnx.clone(model)
    layers = _layers(changed)
    if not layers:
        raise ValueError(f"statistics = 're-estimated': {type(model).__name__} has no BatchNorm layer")
    for layer in layers:  # `nnx.Module.set_attributes` only changes attributes that a layer has already
        setattr(layer, REESTIMATED, True)
    return changed


def is_reestimated(model: nnx.Module) -> bool:
    """Whether the network came from `reestimated`."""
    return any(reads_batch((), layer) for layer in _layers(model))


def reads_batch(path: Any, layer: Any) -> bool:
    """Whether `reestimated` marked this layer; a filter of Flax NNX."""
    return getattr(layer, REESTIMATED, False)


def _layers(model: nnx.Module) -> list[nnx.BatchNorm]:
    return [layer for _, layer in nnx.iter_modules(model) if isinstance(layer, nnx.BatchNorm)]
