"""A network as a pure function of a flat table of its arrays.

`split` is the one boundary between Flax NNX modules and the rest of the package: behind it a network is a
static `GraphDef` and a dictionary from dotted paths ("conv1.kernel", "layers.0.bias") to arrays, parameters and
running statistics alike. Symmetry tables, walks, expansions and training all work on that dictionary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from flax.traverse_util import flatten_dict, unflatten_dict

Weights = dict[str, jax.Array]


def split(model: nnx.Module) -> tuple[nnx.GraphDef, Weights]:
    """The static structure of a module and its arrays by dotted path."""
    graphdef, state = nnx.split(model)
    return graphdef, _flat(state)


def merge(graphdef: nnx.GraphDef, weights: Mapping[str, Any]) -> Any:
    """The module with these arrays, or shapes in place of them; layers take their sizes from them. Of the type that was
    split.
    """
    model = nnx.merge(graphdef, unflatten_dict({_path(name): array for name, array in weights.items()}))
    for _, layer in nnx.iter_modules(model):
        _refresh_sizes(layer)
    return model


def _refresh_sizes(layer: nnx.Module) -> None:
    match layer:
        case nnx.Linear():
            layer.in_features, layer.out_features = layer.kernel.shape
        case nnx.Conv():
            layer.kernel_shape = layer.kernel.shape
            layer.in_features, layer.out_features = layer.kernel.shape[-2:]
        case nnx.BatchNorm():
            layer.num_features = layer.mean.shape[-1]


def trainable(model: nnx.Module) -> frozenset[str]:
    """Paths of the parameters; everything else is running statistics."""
    return frozenset(_flat(nnx.state(model, nnx.Param)))


def _flat(state: nnx.State) -> Weights:
    return {".".join(map(str, path)): array for path, array in flatten_dict(nnx.to_pure_dict(state)).items()}


def _path(name: str) -> tuple[str | int, ...]:
    """Layers in a list are counted."""
    return tuple(int(part) if part.isdecimal() else part for part in name.split("."))


def mixed(networks: Sequence[Weights], shares: Sequence[float | jax.Array] | jax.Array) -> Weights:
    """Σ shareᵢ θᵢ, array by array; what is no real number, as the state of a random generator, is the first's."""

    def mix(*arrays: jax.Array) -> Any:
        if not jnp.issubdtype(arrays[0].dtype, jnp.inexact):
            return arrays[0]
        return sum(share * array for share, array in zip(shares, arrays, strict=True))

    return jax.tree.map(mix, *networks)


def evaluating(graphdef: nnx.GraphDef, weights: Mapping[str, jax.Array | np.ndarray]) -> Any:
    """The module in evaluation mode; BatchNorm uses the batch's statistics where `models.batch_norm` says so."""
    model = merge(graphdef, weights)
    model.eval()
    for layer in batch_norms(model):
        layer.use_running_average = not getattr(layer, REESTIMATED, False)
    return model


REESTIMATED = "reestimated"  # attribute of a BatchNorm layer


def batch_norms(model: nnx.Module) -> list[nnx.BatchNorm]:
    """The BatchNorm layers of a network."""
    return [layer for _, layer in nnx.iter_modules(model) if isinstance(layer, nnx.BatchNorm)]


def logits(graphdef: nnx.GraphDef, weights: Weights, inputs: Any) -> jax.Array:
    """The network's outputs in evaluation mode."""
    return evaluating(graphdef, weights)(inputs)
