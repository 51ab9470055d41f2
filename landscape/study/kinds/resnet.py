"""ResNet18 for small images (He et al., arXiv 1512.03385)."""

from __future__ import annotations

from collections.abc import Mapping
from pkgutil import resolve_name
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from landscape.study.examples import Examples
from landscape.study.kinds.base import ModelSpec
from landscape.study.kinds.layers import Layer, in_order
from landscape.study.limits import MOST_UNITS

STAGES = ("stage1", "stage2", "stage3", "stage4")


class ResNetSpec(ModelSpec, title="ResNet18"):
    """ResNet18 with BatchNorm and a 3×3 stem; its four stages have `width`, 2, 4 and 8 times as many channels.

    The group `stage{i}` holds what the skip connections tie: the outputs of all blocks of the stage, with the stem's in
    the first stage. `stage{i}_block{j}` holds the channels inside a block.

    Example:
      >>> from landscape.study.kinds.resnet import ResNetSpec
      >>> sizes = ResNetSpec(width=8).group_sizes()
      >>> [sizes[stage] for stage in ("stage1", "stage2", "stage3", "stage4")]
      [8, 16, 32, 64]
    """

    batch_norm: ClassVar[bool] = True

    kind: Literal["resnet18"] = "resnet18"
    width: Annotated[
        int,
        Field(
            ge=1,
            le=MOST_UNITS // 8,
            title="Channels of the first stage",
            description="The other three stages have 2, 4 and 8 times as many; the original ResNet18 has 64.",
            examples=[8],
        ),
    ] = 64

    def group_sizes(self) -> dict[str, int]:
        """The channels of each stage, followed by those inside its two blocks."""
        names = [(i, f"{stage}{inside}") for i, stage in enumerate(STAGES) for inside in ("", "_block1", "_block2")]
        return {name: self.width * 2**i for i, name in names}

    def with_sizes(self, sizes: Mapping[str, int]) -> ResNetSpec:
        """The ResNet of another width. Raises ValueError unless all widths are multiplied alike."""
        other = self.model_copy(update={"width": sizes["stage1"]})
        if other.group_sizes() != sizes:
            raise ValueError("a ResNet from random weights needs all widths multiplied alike, as by widen = '*'")
        return other

    def linear_layers(self, sizes: Mapping[str, int], examples: Examples) -> list[Layer]:
        """Convolutions without bias, each with the scale and bias of its BatchNorm, and the head.

        The last three stages halve the image, odd sizes rounded up.
        """
        height, width, depth = _image(examples.shape)
        before = sizes["stage1"]
        found = [Layer("stem", before, 9 * depth, height * width, beside=2)]
        for stage in STAGES:
            if stage != "stage1":
                height, width = -(-height // 2), -(-width // 2)
            found += _stage(stage, sizes, before, height * width)
            before = sizes[stage]
        return [*found, Layer("head", examples.classes, before, 1)]

    def build(self, shape: tuple[int, ...], classes: int, rngs: Any) -> Any:
        """The network of `landscape.models.resnet`. Raises ValueError for inputs that are not images."""
        return resolve_name("landscape.models.resnet:ResNet")(_image(shape)[-1], self.width, classes, rngs)


def _stage(stage: str, sizes: Mapping[str, int], before: int, places: int) -> list[Layer]:
    """The layers of one stage. The fast barrier opens it in front of the first block that reads its channels alone:
    that is the second block, since the first one reads the stage before, except behind the stem.
    """
    out, found = sizes[stage], []
    names = [name for name in sizes if name.startswith(f"{stage}_")]
    behind = [name for name in names if "block" not in name]  # `stage1_1` follows the whole stage
    blocks = [*in_order({*names} - {*behind}), *in_order(behind)]
    reader = blocks[0] if stage == "stage1" else blocks[1]
    for block in blocks:
        if stage != "stage1" and block == blocks[0]:
            found.append(Layer(f"{block}.project", out, before, places, beside=2))
        reads = stage if block == reader else None
        found.append(Layer(f"{block}.conv1", sizes[block], 9 * before, places, beside=2, reads=reads))
        found.append(Layer(f"{block}.conv2", out, 9 * sizes[block], places, beside=2, reads=block))
        before = out
    return found


def _image(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """The height, width and channels of an image. Raises ValueError for other shapes."""
    if len(shape) != 3:
        raise ValueError(
            f"a ResNet needs images of (height, width, channels), of which grey ones have 1; got shape {shape}"
        )
    height, width, channels = shape
    return height, width, channels
