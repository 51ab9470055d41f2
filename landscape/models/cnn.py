"""The paper's convolutional networks (Table 2)."""

from __future__ import annotations

from itertools import pairwise

from flax import nnx

from landscape.models.chain import Chain, Link


def cnn(
    shape: tuple[int, int, int], channels: tuple[int, ...], dense: tuple[int, ...], classes: int, rngs: nnx.Rngs
) -> Chain:
    """C1 – … – Cm – MaxPool(2) – F1 – … – head: 3×3 convolutions, stride 1, same padding, relu.

    `shape` is (height, width, channels) of an image. Convolution i is the group `conv{i}`, dense layer i
    the group `dense{i}`.
    """
    height, width, depth = shape
    features = (height // 2) * (width // 2) * channels[-1]
    convs = [
        (Link(f"conv{i}", ("relu",)), nnx.Conv(*size, (3, 3), rngs=rngs))
        for i, size in enumerate(pairwise((depth, *channels)), 1)
    ]
    last, layer = convs[-1]
    convs[-1] = (Link(last.name, ("relu", "pool")), layer)
    fulls = [
        (Link(f"dense{i}", ("relu",)), nnx.Linear(*size, rngs=rngs))
        for i, size in enumerate(pairwise((features, *dense)), 1)
    ]
    head = (Link("head"), nnx.Linear((features, *dense)[-1], classes, rngs=rngs))
    return Chain([*convs, *fulls, head])
