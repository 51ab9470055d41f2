"""A network as a pure function of a flat table of its arrays.

`split` is the one boundary between Flax NNX modules and the rest of the package: behind it a network is a
static `GraphDef` and a dictionary from dotted paths ("conv1.kernel") to arrays, parameters and running
statistics alike. Symmetry tables, walks, expansions and training all work on that dictionary.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from flax import nnx
from flax.traverse_util import flatten_dict, unflatten_dict

Weights = dict[str, jax.Array]


def split(model: nnx.Module) -> tuple[nnx.GraphDef, Weights]:
    """The static structure of a module and its arrays by dotted path."""
    graphdef, state = nnx.split(model)
    return graphdef, flatten_dict(nnx.to_pure_dict(state), sep=".")


def merge(graphdef: nnx.GraphDef, weights: Mapping[str, jax.Array | np.ndarray]) -> Any:
    """The module with these arrays; layers take their sizes from the arrays. Of the type that was split."""
    model = nnx.merge(graphdef, unflatten_dict(dict(weights), sep="."))
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
    parameters = nnx.to_pure_dict(nnx.state(model, nnx.Param))
    return frozenset(flatten_dict(parameters, sep="."))


def evaluating(graphdef: nnx.GraphDef, weights: Mapping[str, jax.Array | np.ndarray]) -> Any:
    """The module in evaluation mode; BatchNorm reads the batch's statistics where `landscape.statistics` says so."""
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
