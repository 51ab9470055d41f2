"""The convolutional networks of the paper (Table 2)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pkgutil import resolve_name
from typing import Annotated, Any, Literal

from pydantic import Field

from landscape.study.examples import Examples
from landscape.study.kinds.base import ModelSpec
from landscape.study.kinds.layers import Layer, dense_layers, in_order
from landscape.study.limits import MOST_LAYERS, MOST_UNITS


class CnnSpec(ModelSpec, title="CNN"):
    """3×3 convolutions, 2×2 max-pooling after the last one, then dense layers (Table 2).

    Convolution i is the unit group `conv{i}`, dense layer i the group `dense{i}`, both counted from 1. The defaults are
    the paper's network for CIFAR-10.

    Example:
      >>> from landscape.study.kinds.cnn import CnnSpec
      >>> CnnSpec().group_sizes()
      {'conv1': 8, 'conv2': 32, 'dense1': 256}
    """

    kind: Literal["cnn"] = "cnn"
    channels: Annotated[
        tuple[Annotated[int, Field(ge=1, le=MOST_UNITS)], ...],
        Field(
            min_length=1,
            max_length=MOST_LAYERS,
            title="Channels",
            description="The number of channels of each convolution.",
        ),
    ] = (8, 32)
    dense: Annotated[
        tuple[Annotated[int, Field(ge=1, le=MOST_UNITS)], ...],
        Field(
            max_length=MOST_LAYERS,
            title="Dense units",
            description="The width of each dense layer behind the convolutions; may be empty.",
        ),
    ] = (256,)

    def group_sizes(self) -> dict[str, int]:
        """The channels of each convolution, then the width of each dense layer."""
        convs = {f"conv{i}": size for i, size in enumerate(self.channels, 1)}
        return convs | {f"dense{i}": size for i, size in enumerate(self.dense, 1)}

    def with_sizes(self, sizes: Mapping[str, int]) -> CnnSpec:
        """The network with convolutions and dense layers of these sizes."""
        widths, convs = tuple(sizes.values()), len(self.channels)
        return self.model_copy(update={"channels": widths[:convs], "dense": widths[convs:]})

    def linear_layers(self, sizes: Mapping[str, int], examples: Examples) -> list[Layer]:
        """The convolutions, the dense layers and the head."""
        height, width, depth = _image(examples.shape)
        convs, dense = (in_order(name for name in sizes if name.startswith(sort)) for sort in ("conv", "dense"))
        found, before = [], None
        for name, (a, b) in zip(convs, pairwise([depth, *(sizes[name] for name in convs)]), strict=True):
            found.append(Layer(name, b, 9 * a, height * width, reads=before))
            before = name
        pooled = (height // 2) * (width // 2) * found[-1].units
        return found + dense_layers({name: sizes[name] for name in dense}, pooled, examples.classes, before)

    def build(self, shape: tuple[int, ...], classes: int, rngs: Any) -> Any:
        """The network of `landscape.models.cnn`. Raises ValueError for images of less than 2×2 pixels."""
        return resolve_name("landscape.models.cnn:cnn")(_image(shape), self.channels, self.dense, classes, rngs)


def _image(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """The height, width and channels of an image. Raises ValueError for other shapes and less than 2×2 pixels."""
    if len(shape) != 3 or min(shape[:2]) < 2:
        raise ValueError(
            "a CNN needs images of (height, width, channels), of which grey ones have 1, and of at least 2×2; "
            f"got shape {shape}"
        )
    height, width, channels = shape
    return height, width, channels
