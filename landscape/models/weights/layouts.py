"""The arrays of a network from the tensors of a file: of our own export, or of PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from landscape.models.weights.bert import bert_arrays, bert_slots
from landscape.models.weights.chain import cnn_slots, mlp_slots
from landscape.models.weights.matching import Slot, as_it_is, by_shape
from landscape.models.weights.reader import Tensors
from landscape.models.weights.resnet import resnet_arrays, resnet_slots
from landscape.study.examples import Examples
from landscape.study.kinds import BertSpec, ModelSpec

Shapes = Mapping[str, tuple[int, ...]]

SLOTS: dict[str, Callable[..., list[Slot]]] = {
    "mlp": mlp_slots,
    "cnn": cnn_slots,
    "resnet18": resnet_slots,
    "bert": bert_slots,
}
MATCHED: dict[str, Callable[..., dict[str, np.ndarray]]] = {"resnet18": resnet_arrays, "bert": bert_arrays}


def is_our_export(tensors: Tensors) -> bool:
    """Whether `landscape.save_weights` wrote the tensors: layers of Flax have kernels where PyTorch's have weights."""
    return any(name.endswith(".kernel") for name in tensors)


def arrays_of(spec: ModelSpec, examples: Examples, tensors: Tensors) -> dict[str, np.ndarray]:
    """The arrays of a network by path; those of our own export and of kinds of one's own are named so already.

    Raises ValueError for a tensor that does not fit: by its name, with the shape expected and the shape found.
    """
    if is_our_export(tensors) or spec.kind not in SLOTS:
        return {name: tensor.array() for name, tensor in tensors.items()}
    return MATCHED[spec.kind](spec, examples, tensors) if spec.kind in MATCHED else _of_chain(spec, examples, tensors)


def _of_chain(spec: ModelSpec, examples: Examples, tensors: Tensors) -> dict[str, np.ndarray]:
    return by_shape(SLOTS[spec.kind](spec, examples), tensors)


def check(spec: ModelSpec, examples: Examples, tensors: Tensors) -> None:
    """Raises ValueError unless a file holds the network of a built-in kind, without building it."""
    arrays = arrays_of(spec, examples, tensors)
    check_shapes({path: array.shape for path, array in arrays.items()}, expected_shapes(spec, examples))


def check_shapes(found: Shapes, expected: Shapes) -> None:
    """Raises ValueError that names an array which is missing, has no place, or has another shape than expected."""
    for path, shape in expected.items():
        if path not in found:
            raise ValueError(f"the file has no tensor {path}, expected of shape {shape}")
        if found[path] != shape:
            raise ValueError(f"{path} has shape {found[path]}; {shape} is expected")
    if extra := [f"{path} of shape {shape}" for path, shape in found.items() if path not in expected]:
        raise ValueError(f"the file has {', '.join(extra[:3])}, for which the network has no place")


def expected_shapes(spec: ModelSpec, examples: Examples) -> dict[str, tuple[int, ...]]:
    """The shape of each array of a network of a built-in kind, by path."""
    shapes = {slot.path: _ours(slot) for slot in SLOTS[spec.kind](spec, examples)}
    if isinstance(spec, BertSpec):
        shapes["places.embedding"] = (examples.shape[0], spec.hidden)
    return shapes


def _ours(slot: Slot) -> tuple[int, ...]:
    """The shape of an array, from that of its tensor."""
    if slot.turn is as_it_is:
        return slot.shape
    outputs, inputs, *window = slot.shape
    return (*window, inputs, outputs)
