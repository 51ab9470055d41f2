"""Which tensor of a file goes into which array of a network."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from landscape.models.weights.reader import Tensor, Tensors

SHOWN = 3  # tensors in a sentence on several

Turn = Callable[[np.ndarray], np.ndarray]


class Slot(NamedTuple):
    """An array of a network, by its path, and the tensor that it comes from.

    shape: that of the tensor; turn: brings the tensor into our layout; name: that of the tensor, or its last part, as
    `weight`, where any layer of that shape will do.
    """

    path: str
    shape: tuple[int, ...]
    turn: Turn
    name: str


def as_it_is(array: np.ndarray) -> np.ndarray:
    """The array itself."""
    return array


def turned(array: np.ndarray) -> np.ndarray:
    """A kernel with its axes in our order: (out, in) -> (in, out), and (out, in, h, w) -> (h, w, in, out)."""
    return array.T if array.ndim == 2 else array.transpose(2, 3, 1, 0)


def turned_behind_image(channels: int) -> Turn:
    """`turned` for a dense layer that reads a flattened image, whose order is (c, h, w) there and (h, w, c) here."""

    def turn(array: np.ndarray) -> np.ndarray:
        outputs = len(array)
        return array.reshape(outputs, channels, -1).transpose(2, 1, 0).reshape(-1, outputs)

    return turn


def by_name(slots: Iterable[Slot], tensors: Tensors, unused: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """The arrays of a network from tensors whose names are known.

    `unused` are patterns of the names that a file may have beside them. Raises ValueError for a tensor that is missing,
    of another shape, or unknown.
    """
    found, left = {}, dict(tensors)
    for slot in slots:
        tensor = left.pop(slot.name, None)
        if tensor is None:
            raise ValueError(f"the file has no tensor {slot.name}, expected of shape {slot.shape}")
        found[slot.path] = _fitted(slot, tensor)
    check_unused(left, unused)
    return found


def by_shape(slots: Iterable[Slot], tensors: Tensors) -> dict[str, np.ndarray]:
    """The arrays of a network from layers whose names are free, but for `.weight` and `.bias` at their ends.

    A layer goes where its weight has the expected shape; among several of one shape, their numbers say which is first.
    Raises ValueError for a layer that is missing or left over, and where no numbers tell the order of two.
    """
    found, left, layer = {}, dict(tensors), ""
    for slot in slots:
        if slot.name == "weight":
            layer = layer_of(slot, left)
        name = f"{layer}{slot.name}"
        if name not in left:
            raise ValueError(f"the file has no tensor {name}, expected of shape {slot.shape}")
        found[slot.path] = _fitted(slot, left.pop(name))
    check_unused(left)
    return found


def layer_of(slot: Slot, tensors: Tensors) -> str:
    """What the name of the layer for a slot begins with. Raises ValueError where no layer fits, or it is not clear."""
    weights = {name.removesuffix("weight"): each for name, each in tensors.items() if is_weight(name)}
    fitting = [layer for layer, tensor in weights.items() if tensor.shape == slot.shape]
    if not fitting:
        others = ", ".join(map(str, weights.values())) or "none"
        raise ValueError(
            f"the file has no weight of shape {slot.shape}, which {slot.path} is made of; its weights that are left "
            f"are {others}"
        )
    return first_of(fitting)


def is_weight(name: str) -> bool:
    """Whether a tensor is the weight of a layer, by its name."""
    return name == "weight" or name.endswith(".weight")


def first_of(layers: Sequence[str]) -> str:
    """The first of several layers that fit one place, by the numbers in their names. Raises ValueError without them."""
    if len({re.sub(r"\d+", "0", layer) for layer in layers}) > 1:
        names = " and ".join(f"{layer}weight" for layer in sorted(layers)[:2])
        raise ValueError(f"{names} have the same shape, and no numbers in their names tell which of them comes first")
    return min(layers, key=lambda layer: [int(number) for number in re.findall(r"\d+", layer)])


def _fitted(slot: Slot, tensor: Tensor) -> np.ndarray:
    """A tensor in our layout. Raises ValueError unless it has the shape of its slot and holds finite numbers."""
    if tensor.shape != slot.shape:
        raise ValueError(f"{tensor.name} has shape {tensor.shape}; {slot.shape} is expected")
    return np.ascontiguousarray(slot.turn(tensor.array()))


def check_unused(left: Mapping[str, Tensor], unused: Sequence[str] = ()) -> None:
    """Raises ValueError that names the tensors left over which no pattern excuses."""
    if extra := [each for name, each in left.items() if not any(re.fullmatch(one, name) for one in unused)]:
        raise ValueError(f"the file has {some_of(extra)}, for which the network has no place")


def some_of(tensors: Sequence[Tensor]) -> str:
    """The first tensors, in words, and how many more there are."""
    shown, more = ", ".join(map(str, tensors[:SHOWN])), len(tensors) - SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
