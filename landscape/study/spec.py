"""What a study is of: the data, the base model with its unit groups, and the steps of an expansion."""

from __future__ import annotations

import math
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import Discriminator, Field, Tag, ValidationInfo, field_validator, model_validator

from landscape.study.base import Frozen


class DataSpec(Frozen):
    """Which images: digits, or a set of tensorflow-datasets by name (`set` or `set/config`).

    `train_size=None` takes all that the validation split leaves.
    """

    name: Annotated[str, Field(pattern=r"^\w+(/\w[\w.-]*)?$")] = "digits"
    train_size: Annotated[int, Field(ge=1)] | None = None
    validation_size: Annotated[int, Field(ge=1)] = 500
    seed: Annotated[int, Field(ge=0)] = 0


class TextSpec(DataSpec):
    """Which text. Sizes count sequences; validation takes at most so many of the validation text.

    `sequence_length` includes [CLS] and [SEP]; `vocabulary` is the most tokens that WordPiece may make.
    """

    name: Literal["wikitext-2", "wikitext-103", "python-docs"]
    sequence_length: Annotated[int, Field(ge=8, le=8192)] = 512
    vocabulary: Annotated[int, Field(ge=256, le=65536)] = 30522


TEXTS: tuple[str, ...] = get_args(TextSpec.model_fields["name"].annotation)


def _kind_of_data(content: Any) -> Literal["images", "text"]:
    name = content.get("name") if isinstance(content, dict) else getattr(content, "name", None)
    return "text" if name in TEXTS else "images"


AnyData = Annotated[Annotated[DataSpec, Tag("images")] | Annotated[TextSpec, Tag("text")], Discriminator(_kind_of_data)]


class MlpSpec(Frozen):
    """A multi-layer perceptron; hidden layer i is the unit group `hidden{i}`, counted from 1."""

    kind: Literal["mlp"]
    hidden: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)]

    def group_sizes(self) -> dict[str, int]:
        """Units of each group, input side first."""
        return {f"hidden{i}": size for i, size in enumerate(self.hidden, 1)}

    def resized(self, sizes: dict[str, int]) -> MlpSpec:
        """The same kind of model with these group sizes. Raises ValueError for inserted layers."""
        _no_insertion(self, sizes)
        return self.model_copy(update={"hidden": tuple(sizes.values())})


class CnnSpec(Frozen):
    """3×3 convolutions, 2×2 max-pooling after the last, dense layers (Table 2).

    Convolution i is the unit group `conv{i}`, dense layer i the group `dense{i}`, counted from 1.
    """

    kind: Literal["cnn"]
    channels: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)] = (8, 32)
    dense: tuple[Annotated[int, Field(ge=1)], ...] = (256,)

    def group_sizes(self) -> dict[str, int]:
        """Units of each group, input side first."""
        convs = {f"conv{i}": size for i, size in enumerate(self.channels, 1)}
        return convs | {f"dense{i}": size for i, size in enumerate(self.dense, 1)}

    def resized(self, sizes: dict[str, int]) -> CnnSpec:
        """The same kind of model with these group sizes. Raises ValueError for inserted layers."""
        _no_insertion(self, sizes)
        widths, convs = tuple(sizes.values()), len(self.channels)
        return self.model_copy(update={"channels": widths[:convs], "dense": widths[convs:]})


class ResNetSpec(Frozen):
    """ResNet18 with BatchNorm and a 3×3 stem; its four stages have `width`, 2, 4 and 8 times as many channels.

    The group `stage{i}` is what skip connections tie: all blocks' outputs, with the stem in the first stage.
    `stage{i}_block{j}` are the channels inside a block.
    """

    kind: Literal["resnet18"]
    width: Annotated[int, Field(ge=1)] = 64

    def group_sizes(self) -> dict[str, int]:
        """Units of each group: every stage, followed by its blocks."""
        names = [(i, f"stage{i}{inside}") for i in range(1, 5) for inside in ("", "_block1", "_block2")]
        return {name: self.width * 2 ** (i - 1) for i, name in names}

    def resized(self, sizes: dict[str, int]) -> ResNetSpec:
        """The same kind of model with these group sizes. Raises ValueError for inserted blocks and mixed widths."""
        _no_insertion(self, sizes)
        other = self.model_copy(update={"width": sizes["stage1"]})
        if other.group_sizes() != sizes:
            raise ValueError("a ResNet from random weights needs all widths multiplied alike, as by widen = '*'")
        return other


class BertSpec(Frozen):
    """A BERT encoder with a head for masked language modelling: TinyBERT (2, 128, 2, 512) unless told otherwise.

    MiniBERT is layers = 4, hidden = 256, heads = 4, ffn = 1024. `ffn` is one width for all blocks, or one for
    each. The groups of block i are `ffn{i}`, its intermediate units; `heads{i}`, its whole heads; and the
    features within heads, re-ordered alike in every head: `query_key{i}` and `value{i}`.
    """

    kind: Literal["bert"]
    layers: Annotated[int, Field(ge=1, le=64)] = 2
    hidden: Annotated[int, Field(ge=1)] = 128
    heads: Annotated[int, Field(ge=1)] = 2
    ffn: tuple[Annotated[int, Field(ge=1)], ...] = (512, 512)

    @field_validator("ffn", mode="before")
    @classmethod
    def _one_a_block(cls, value: Any, info: ValidationInfo) -> Any:
        return (value,) * info.data.get("layers", 1) if isinstance(value, int) else value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(self.ffn) != self.layers:
            raise ValueError(f"ffn has {len(self.ffn)} widths for {self.layers} layers; give one each, or one number")
        if self.hidden % self.heads:
            raise ValueError(f"hidden = {self.hidden} must be a multiple of heads = {self.heads}")
        return self

    def group_sizes(self) -> dict[str, int]:
        """Units of each group, block by block."""
        features = self.hidden // self.heads
        sizes: dict[str, int] = {}
        for i, width in enumerate(self.ffn, 1):
            sizes |= {f"ffn{i}": width, f"heads{i}": self.heads, f"query_key{i}": features, f"value{i}": features}
        return sizes

    def resized(self, sizes: dict[str, int]) -> BertSpec:
        """The same kind of model with these group sizes. Raises ValueError for inserted blocks and more heads."""
        _no_insertion(self, sizes)
        other = self.model_copy(update={"ffn": tuple(sizes[f"ffn{i}"] for i in range(1, self.layers + 1))})
        if other.group_sizes() != sizes:
            raise ValueError("a BERT from random weights can be wider in its FFNs only")
        return other

    def check(self, step: Widen | Deepen, sizes: dict[str, int]) -> None:
        """Raises ValueError for a step that BERT cannot take: features within heads keep their number."""
        ffns = [name for name in sizes if name.startswith("ffn")]
        if isinstance(step, Deepen):
            if step.deepen not in ffns:
                raise ValueError(f"a block can be inserted behind {', '.join(ffns)}; got {step.deepen!r}")
            return
        allowed = [name for name in sizes if name.startswith(("ffn", "heads"))]
        for name in sizes:
            if fnmatchcase(name, step.widen) and name not in allowed:
                reason = f"{name} cannot be widened, since copying its units changes the function"
                raise ValueError(f"widen {step.widen!r}: {reason}; {', '.join(allowed)} can")


def _no_insertion(spec: MlpSpec | CnnSpec | ResNetSpec | BertSpec, sizes: dict[str, int]) -> None:
    if inserted := [name for name in sizes if name not in spec.group_sizes()]:
        raise ValueError(f"{inserted[0]} is inserted as the identity; from random weights candidates can be wider only")


ModelSpec = Annotated[MlpSpec | CnnSpec | ResNetSpec | BertSpec, Field(discriminator="kind")]


class Widen(Frozen):
    """Net2WiderNet on every group that the pattern matches, to a `size` or by a `factor`."""

    widen: str
    size: Annotated[int, Field(ge=1)] | None = None
    factor: Annotated[float, Field(gt=1)] | None = None

    @model_validator(mode="after")
    def _one_measure(self) -> Self:
        if (self.size is None) == (self.factor is None):
            raise ValueError(f"widen {self.widen!r}: give exactly one of size and factor")
        return self

    def apply(self, sizes: dict[str, int]) -> dict[str, int]:
        """Group sizes after this step. Raises ValueError for an unknown group or a size not above today's."""
        matched = [name for name in sizes if fnmatchcase(name, self.widen)]
        if not matched:
            raise ValueError(f"no unit group matches {self.widen!r}; the groups are {', '.join(sizes)}")
        return sizes | {name: self._target(name, sizes[name]) for name in matched}

    def _target(self, name: str, old: int) -> int:
        new = self.size if self.factor is None else math.floor(old * self.factor + 0.5)
        if new is None or new <= old:
            raise ValueError(f"{name} = {new} does not widen the base: it must be above {old}")
        return new

    @property
    def label(self) -> str:
        """Short name, as `conv1 → 12` or `conv* × 1.5`."""
        return f"{self.widen} → {self.size}" if self.size is not None else f"{self.widen} × {self.factor:g}"


class Deepen(Frozen):
    """Net2DeeperNet: identity layers inserted behind the named one."""

    deepen: str
    layers: Annotated[int, Field(ge=1, le=64)] = 1

    def apply(self, sizes: dict[str, int]) -> dict[str, int]:
        """Group sizes after this step: each inserted layer is a group as wide as the one before it.

        Raises ValueError for an unknown layer, or one that an earlier step deepened.
        """
        if self.deepen not in sizes:
            raise ValueError(f"no unit group {self.deepen!r} to deepen; the groups are {', '.join(sizes)}")
        if taken := [name for name in self.inserted if name in sizes]:
            raise ValueError(f"{self.deepen!r} is deepened already: {taken[0]} is there; ask for more layers at once")
        return sizes | {name: sizes[self.deepen] for name in self.inserted}

    @property
    def inserted(self) -> tuple[str, ...]:
        """Names of the inserted layers, input side first."""
        return tuple(f"{self.deepen}_{i}" for i in range(1, self.layers + 1))

    @property
    def label(self) -> str:
        """Short name, as `conv3 + 2`: layers inserted behind it."""
        return f"{self.deepen} + {self.layers}"


def _kind_of_step(content: Any) -> Literal["widen", "deepen"] | None:
    keys = content if isinstance(content, dict) else vars(content) if isinstance(content, Frozen) else ()
    return "deepen" if "deepen" in keys else "widen" if "widen" in keys else None


Step = Annotated[
    Annotated[Widen, Tag("widen")] | Annotated[Deepen, Tag("deepen")],
    Discriminator(
        _kind_of_step,
        custom_error_type="step",
        custom_error_message="a step is {widen, size}, {widen, factor} or {deepen, layers}",
    ),
]
Candidate = Annotated[tuple[Step, ...], Field(min_length=1)]


def label(candidate: tuple[Widen | Deepen, ...]) -> str:
    """Short name of an expansion, as on axes and in tables."""
    return ", ".join(step.label for step in candidate)
