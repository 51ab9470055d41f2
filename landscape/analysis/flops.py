"""The linear layers of a network by its specification alone, for counting: no network is built. Needs NumPy only."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

from landscape.data.digits import NAME as DIGITS
from landscape.data.masking import slots
from landscape.data.prepared import find
from landscape.study.spec import BertSpec, CnnSpec, DataSpec, MlpSpec, ModelSpec, ResNetSpec, TextSpec


class Examples(NamedTuple):
    """Shape of one input, number of classes, and how many labelled examples a set has."""

    shape: tuple[int, ...]
    classes: int
    labelled: int


USUAL = {"cifar10": Examples((32, 32, 3), 10, 50000), "cifar100": Examples((32, 32, 3), 100, 50000)}


def examples(name: str) -> Examples:
    """What the images of a set look like, without loading it. Raises ValueError for one that is not here."""
    if name == DIGITS:
        return Examples((8, 8, 1), 10, 1797)
    prepared = find(name)
    if prepared is None and name in USUAL:
        return USUAL[name]
    try:
        image, label = (prepared.features[key] for key in ("image", "label"))  # type: ignore[union-attr]
        shape = tuple(int(size) for size in image["image"]["shape"]["dimensions"])
        return Examples(shape, int(label["classLabel"]["numClasses"]), prepared.sizes["train"])  # type: ignore[union-attr]
    except (AttributeError, KeyError, ValueError):
        raise ValueError(f"the shape of the images in {name!r} is not known here") from None


def described(data: DataSpec) -> Examples:
    """`examples` of images; of text, (sequence length,), the vocabulary, and the sequences asked for (0: all)."""
    if isinstance(data, TextSpec):
        return Examples((data.sequence_length,), data.vocabulary, data.train_size or 0)
    return examples(data.name)


class Layer(NamedTuple):
    """`places` dot products of length `fan_in` for each of `units` units.

    own: whether its weights are its own, and not another layer's or activations. beside: further parameters a
    unit, as its bias, or scale and bias of a normalisation.
    """

    name: str
    units: int
    fan_in: int
    places: int
    own: bool = True
    beside: int = 1

    @property
    def multiply_adds(self) -> int:
        """Of one example."""
        return self.units * self.fan_in * self.places

    @property
    def parameters(self) -> int:
        """Weights, biases, scales."""
        return self.units * (self.fan_in * self.own + self.beside)


def layers(spec: ModelSpec, sizes: dict[str, int], data: Examples) -> list[Layer]:
    """Every linear layer of the model of this kind with these group sizes, input side first, head last."""
    match spec:
        case ResNetSpec():
            return _resnet(sizes, data)
        case BertSpec():
            return _bert(spec, sizes, data)
        case MlpSpec() | CnnSpec():
            return _chain(spec, sizes, data)


def consumer(group: str, chain: list[Layer]) -> str | None:
    """The layer at which a fast form reads a group's units; None for a group without one.

    Further layers that read or write the units, as those tied by skip connections, stand behind it. `chain` is what
    `layers` tells.
    """
    names = [layer.name for layer in chain]
    if f"{group}.conv2" in names:
        return f"{group}.conv2"
    if blocks := [name for name in names if name.startswith(f"{group}_") and name.endswith(".conv1")]:
        return blocks[group != "stage1"]  # the entry of a later stage reads the stage before
    for kind, reader in (("ffn", "down"), ("value", "output")):
        if group.startswith(kind):
            return f"{reader}{group.removeprefix(kind)}"
    return names[names.index(group) + 1] if group in names else None


def _chain(spec: MlpSpec | CnnSpec, sizes: dict[str, int], data: Examples) -> list[Layer]:
    names = sorted(sizes, key=_place)
    convs = [name for name in names if name.startswith("conv")] if isinstance(spec, CnnSpec) else []
    features = math.prod(data.shape)
    found = []
    if convs:
        height, width, depth = data.shape
        widths = [depth, *(sizes[name] for name in convs)]
        found = [Layer(name, b, 9 * a, height * width) for name, (a, b) in zip(convs, pairwise(widths), strict=True)]
        features = (height // 2) * (width // 2) * widths[-1]
    dense = [name for name in names if name not in convs]
    widths = [features, *(sizes[name] for name in dense), data.classes]
    return found + [Layer(name, b, a, 1) for name, (a, b) in zip([*dense, "head"], pairwise(widths), strict=True)]


def _place(name: str) -> tuple[str, list[int]]:
    """Where a layer stands: convolutions, then dense ones; an inserted `conv2_1` right behind `conv2`."""
    kind = name.rstrip("0123456789_")
    return kind, [int(number) for number in name.removeprefix(kind).split("_")]


def _resnet(sizes: dict[str, int], data: Examples) -> list[Layer]:
    """Convolutions without bias, each with scale and bias of its BatchNorm; the last three stages halve the image."""
    height, width, depth = data.shape
    before = sizes["stage1"]
    found = [Layer("stem", before, 9 * depth, height * width, beside=2)]
    for stage in ("stage1", "stage2", "stage3", "stage4"):
        out = sizes[stage]
        if stage != "stage1":
            height, width = -(-height // 2), -(-width // 2)
        for block in (name for name in sizes if name.startswith(f"{stage}_")):
            inner, places = sizes[block], height * width
            if stage != "stage1" and block == f"{stage}_block1":
                found.append(Layer(f"{block}.project", out, before, places, beside=2))
            found.append(Layer(f"{block}.conv1", inner, 9 * before, places, beside=2))
            found.append(Layer(f"{block}.conv2", out, 9 * inner, places, beside=2))
            before = out
    return [*found, Layer("head", data.classes, before, 1)]


def _bert(spec: BertSpec, sizes: dict[str, int], data: Examples) -> list[Layer]:
    """The last block and the head run on the masked positions; the logits' weights are the embeddings."""
    (length,), hidden, masked = data.shape, spec.hidden, slots(data.shape[0])
    norm = Layer("norm", hidden, 0, 0, beside=2)
    found = [Layer("tokens", data.classes, hidden, 0, beside=0), Layer("places", length, hidden, 0, beside=0), norm]
    tags = [name.removeprefix("ffn") for name in sizes if name.startswith("ffn")]
    tags.sort(key=lambda tag: [int(number) for number in tag.split("_")])
    for tag in tags:
        read, wide = (masked if tag == tags[-1] else length), sizes[f"ffn{tag}"]
        inner = sizes.get(f"heads{tag}", spec.heads) * (hidden // spec.heads)
        found += [
            Layer(f"key{tag}", inner, hidden, length),
            Layer(f"value_of{tag}", inner, hidden, length),
            Layer(f"query{tag}", inner, hidden, read),
            Layer(f"scores{tag}", length, inner, read, own=False, beside=0),
            Layer(f"mixed{tag}", inner, length, read, own=False, beside=0),
            Layer(f"output{tag}", hidden, inner, read),
            norm,
            Layer(f"up{tag}", wide, hidden, read),
            Layer(f"down{tag}", hidden, wide, read),
            norm,
        ]
    return [*found, Layer("head", hidden, hidden, masked), norm, Layer("logits", data.classes, hidden, masked, False)]
