"""Weights of modules to files and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx
from safetensors.numpy import save_file

from landscape.data.shapes import examples_of
from landscape.models.functional import split, wide
from landscape.models.weights.bert import check_config_beside
from landscape.models.weights.layouts import arrays_of, check_shapes
from landscape.models.weights.reader import Tensors, read
from landscape.study import Study
from landscape.study.examples import Examples
from landscape.study.kinds import BertSpec, ModelSpec


def save_weights(model: nnx.Module, path: str | Path) -> None:
    """Write the weights of a network to a safetensors file, from which a study can start (`Study.starting_from`).

    Every array of real numbers is written, parameters and running statistics alike, in float32 at least and under its
    path, such as `hidden1.kernel`.

    Args:
      model: any Flax NNX module.
      path: the file, which is replaced if it exists.

    Example:
      >>> import jax, landscape
      >>> from flax import nnx
      >>> from landscape.models.mlp import mlp
      >>> landscape.save_weights(mlp(64, (6,), 10, nnx.Rngs(0)), "base.safetensors")
      >>> landscape.preset("digits-mlp").starting_from("base.safetensors").weights.file[-16:]
      'base.safetensors'

    References:
      The format is described at https://huggingface.co/docs/safetensors (2022).
    """
    arrays = {name: np.asarray(wide(array), order="C") for name, array in _real(split(model).weights).items()}
    save_file(arrays, path, {"format": "landscape"})


def load_weights(path: str | Path, study: Study) -> nnx.Module:
    """The base of a study, with the weights in a safetensors file: our own export or a PyTorch state dictionary.

    Args:
      path: the file. PyTorch's may be torchvision's ResNet18 with a 3×3 stem, Hugging Face's `BertForMaskedLM`, or
        an MLP or CNN of the built-in shape whose layers have any names.
      study: its model and data say how large the network is.

    Raises:
      ValueError: if the file is not what it should be, or a tensor does not fit: by its name, with the shape expected
        and the shape found.

    Example:
      >>> import landscape
      >>> from flax import nnx
      >>> from landscape.models.mlp import mlp
      >>> landscape.save_weights(mlp(64, (6,), 10, nnx.Rngs(0)), "base.safetensors")
      >>> landscape.load_weights("base.safetensors", landscape.preset("digits-mlp")).hidden1.kernel.shape
      (64, 6)

    References:
      torchvision.models.resnet18 and transformers.BertForMaskedLM (2024) define the layouts of PyTorch.
    """
    examples = examples_of(study.data)
    model = study.model.build(examples.shape, examples.classes, nnx.Rngs(0))
    if isinstance(study.model, BertSpec):
        check_config_beside(path, study.model)
    return filled(model, study.model, examples, read(path))


def filled(model: nnx.Module, spec: ModelSpec, examples: Examples, tensors: Tensors) -> nnx.Module:
    """The network of a specification with the weights of a file; `model` gives whatever is no real number."""
    network, arrays = split(model), arrays_of(spec, examples, tensors)
    shapes = {name: tuple(array.shape) for name, array in _real(network.weights).items()}
    check_shapes({name: array.shape for name, array in arrays.items()}, shapes)
    return network.replace(network.weights | {name: jnp.asarray(array) for name, array in arrays.items()}).module()


def _real(weights: Any) -> dict[str, Any]:
    """The arrays of real numbers: not the states of random generators."""
    return {name: array for name, array in weights.items() if jnp.issubdtype(array.dtype, jnp.inexact)}
