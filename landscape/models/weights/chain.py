"""MLPs and CNNs as PyTorch's state dictionaries hold them: `.weight` and `.bias` of each layer, under any names."""

from __future__ import annotations

import math
from itertools import pairwise

from landscape.models.weights.matching import Slot, Turn, as_it_is, turned, turned_behind_image
from landscape.study.examples import Examples
from landscape.study.kinds import CnnSpec, MlpSpec


def mlp_slots(spec: MlpSpec, examples: Examples) -> list[Slot]:
    """The layers of a perceptron, the first of which reads an image flattened as (c, h, w)."""
    first = turned_behind_image(examples.shape[-1]) if len(examples.shape) == 3 else turned
    names = [*spec.group_sizes(), "head"]
    return _dense(names, [math.prod(examples.shape), *spec.hidden, examples.classes], first)


def cnn_slots(spec: CnnSpec, examples: Examples) -> list[Slot]:
    """3×3 convolutions, then dense layers, the first of which reads the pooled image flattened as (c, h, w)."""
    height, width, depth = examples.shape
    convs = [f"conv{i}" for i in range(1, len(spec.channels) + 1)]
    slots = []
    for name, (inputs, outputs) in zip(convs, pairwise((depth, *spec.channels)), strict=True):
        slots += _layer(name, (outputs, inputs, 3, 3), turned)
    names = [*(f"dense{i}" for i in range(1, len(spec.dense) + 1)), "head"]
    pooled = (height // 2) * (width // 2) * spec.channels[-1]
    return slots + _dense(names, [pooled, *spec.dense, examples.classes], turned_behind_image(spec.channels[-1]))


def _dense(names: list[str], sizes: list[int], first: Turn) -> list[Slot]:
    """A chain of dense layers, of which the first is turned by `first`."""
    turns = [first, *[turned] * (len(names) - 1)]
    layers = zip(names, pairwise(sizes), turns, strict=True)
    return [slot for name, (inputs, outputs), turn in layers for slot in _layer(name, (outputs, inputs), turn)]


def _layer(name: str, shape: tuple[int, ...], turn: Turn) -> list[Slot]:
    return [Slot(f"{name}.kernel", shape, turn, "weight"), Slot(f"{name}.bias", shape[:1], as_it_is, "bias")]
