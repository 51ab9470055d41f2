"""ResNet18 as torchvision's state dictionary holds it, with the stem for small images: 3×3, stride 1, no pooling."""

from __future__ import annotations

import re

import numpy as np

from landscape.models.weights.matching import Slot, as_it_is, by_name, turned
from landscape.models.weights.reader import Tensors
from landscape.study.examples import Examples
from landscape.study.kinds import ResNetSpec

UNUSED = (r".*\.num_batches_tracked",)
STATISTICS = {"weight": "scale", "bias": "bias", "running_mean": "mean", "running_var": "var"}
ALIASES = {r"^(module|model)\.": "", r"\.shortcut\.": ".downsample.", r"^linear\.": "fc."}  # of other CIFAR ResNets


def resnet_slots(spec: ResNetSpec, examples: Examples) -> list[Slot]:
    """Stem, the four stages with two blocks each, and head."""
    before = spec.width
    slots = [*_convolution("stem", "conv1", (before, examples.shape[-1], 3, 3)), *_norm("stem_norm", "bn1", before)]
    for i in range(1, 5):
        out = spec.width * 2 ** (i - 1)
        for j, inputs in enumerate((before, out)):
            slots += _block(f"stage{i}_block{j + 1}", f"layer{i}.{j}", inputs, out)
        before = out
    head = [Slot("head.kernel", (examples.classes, before), turned, "fc.weight")]
    return [*slots, *head, Slot("head.bias", (examples.classes,), as_it_is, "fc.bias")]


def resnet_arrays(spec: ResNetSpec, examples: Examples, tensors: Tensors) -> dict[str, np.ndarray]:
    """The arrays of a ResNet18 by path. Raises ValueError for a tensor that does not fit."""
    renamed = known_names(tensors)
    check_stem(renamed)
    return by_name(resnet_slots(spec, examples), renamed, UNUSED)


def check_stem(renamed: Tensors) -> None:
    """Raises ValueError for the stem that torchvision's ResNet18 has for ImageNet."""
    stem = renamed.get("conv1.weight")
    if stem is not None and stem.shape[2:] == (7, 7):
        raise ValueError(
            f"conv1.weight has shape {stem.shape}: a stem of 7×7, stride 2 and max-pooling, as for ImageNet; the "
            "ResNet18 here has the stem for small images, 3×3 of stride 1 without pooling"
        )


def known_names(tensors: Tensors) -> Tensors:
    """The tensors under torchvision's names."""
    return {_known(name): tensor for name, tensor in tensors.items()}


def _known(name: str) -> str:
    for pattern, usual in ALIASES.items():
        name = re.sub(pattern, usual, name)
    return name


def _block(path: str, name: str, inputs: int, out: int) -> list[Slot]:
    slots = [*_convolution(f"{path}.conv1", f"{name}.conv1", (out, inputs, 3, 3))]
    slots += _norm(f"{path}.norm1", f"{name}.bn1", out)
    slots += _convolution(f"{path}.conv2", f"{name}.conv2", (out, out, 3, 3))
    slots += _norm(f"{path}.norm2", f"{name}.bn2", out)
    if inputs != out:
        slots += _convolution(f"{path}.project", f"{name}.downsample.0", (out, inputs, 1, 1))
        slots += _norm(f"{path}.project_norm", f"{name}.downsample.1", out)
    return slots


def _convolution(path: str, name: str, shape: tuple[int, ...]) -> list[Slot]:
    return [Slot(f"{path}.kernel", shape, turned, f"{name}.weight")]


def _norm(path: str, name: str, channels: int) -> list[Slot]:
    return [Slot(f"{path}.{ours}", (channels,), as_it_is, f"{name}.{theirs}") for theirs, ours in STATISTICS.items()]
