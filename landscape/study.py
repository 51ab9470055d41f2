"""What to compute: a frozen, validated specification with a content hash.

A study names a data set, a base model, candidate expansions, how to train and how to walk. Two studies
with equal content have equal keys, whatever they are called; the key names the result in the store.
"""

from __future__ import annotations

import hashlib
import json
import math
import tomllib
from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

SCHEMA = 2  # raise it whenever the same specification would give other numbers

TEXTS_OF_STUDY = {"name", "title", "description", "reproduces"}  # no number depends on them
MINIMUM_WIDTH = 4  # A.2.1: a group of fewer units has too few permutations


class Frozen(BaseModel):
    """Immutable; numbers are finite; an unknown key is an error that lists the keys there are."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, content: Any) -> Any:
        unknown = [key for key in content if key not in cls.model_fields] if isinstance(content, dict) else []
        if unknown:
            raise ValueError(f"unknown key {unknown[0]!r}; the keys are {', '.join(cls.model_fields)}")
        return content


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


class Training(Frozen):
    """How base and candidates are trained (A.2.2). `epochs` is T, counted from the expansion."""

    optimizer: Literal["adamw", "adam"] = "adamw"
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    b1: Annotated[float, Field(ge=0, lt=1)] = 0.9
    b2: Annotated[float, Field(ge=0, lt=1)] = 0.999
    schedule: Literal["constant", "cosine"] = "constant"
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    batch_size: Annotated[int, Field(ge=1)] = 512
    base_epochs: Annotated[int, Field(ge=1)] = 500
    patience: Annotated[int, Field(ge=1)] = 20
    epochs: Annotated[int, Field(ge=0)] = 500


class Expansion(Frozen):
    """How copies of a unit share its outgoing weights, and Net2Net's noise on their incoming ones.

    `unequal` shares are drawn uniformly from the simplex: exactly function-preserving, and the copies
    receive different gradients. `equal` shares need `noise` (relative to the weights' standard deviation)
    to tell copies apart, and preserve the function up to it. A `random` start takes the candidate's sizes only:
    it is trained from weights drawn anew (A.2.7), and θ⁰ is untrained.
    """

    start: Literal["expanded", "random"] = "expanded"
    shares: Literal["unequal", "equal"] = "unequal"
    noise: Annotated[float, Field(ge=0)] = 0.0


class Walk(Frozen):
    """The permutation walk (Algorithm 1, A.2.1) and the batch on which its barriers are measured.

    `statistics` are those of BatchNorm between two networks: interpolated as all other weights are, or estimated
    again on the batch, for the two networks as well.
    """

    group: str
    permutations: Annotated[int, Field(ge=1)] = 1000
    batch_size: Annotated[int, Field(ge=1)] = 512
    statistics: Literal["interpolated", "re-estimated"] = "interpolated"
    distinct: bool = False  # Algorithm 1's "without replacement": no permutation twice
    checkpoints: Annotated[int, Field(ge=1)] = 12  # at most so many epochs are walked: 0, T, then others
    nodes: Annotated[int, Field(ge=2, le=64)] = 12  # nodes whose pairs all get an interpolation curve
    surface: Annotated[int, Field(ge=0, le=101)] = 25  # points a side of the plane through three nodes; 0: no plane


class Study(Frozen):
    """One question to the explorer, complete and reproducible.

    `key` is a hash of everything that affects numbers: not of the texts, which are the first four fields.
    `reproduces` names figures and tables of the paper.
    """

    name: str
    title: str = ""
    description: str = ""
    reproduces: str = ""
    data: AnyData = DataSpec()
    model: ModelSpec
    candidates: Annotated[tuple[Candidate, ...], Field(min_length=1)]
    expansion: Expansion = Expansion()
    training: Training = Training()
    walk: Walk
    seeds: Annotated[int, Field(ge=1)] = 10

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if isinstance(self.data, TextSpec) != isinstance(self.model, BertSpec):
            raise ValueError(
                f"a model of kind {self.model.kind!r} cannot read {self.data.name}: "
                "text takes the kind 'bert', images take 'mlp', 'cnn' or 'resnet18'"
            )
        sizes = self.group_sizes()
        if self.walk.group not in sizes[0]:
            raise ValueError(f"walk.group = {self.walk.group!r} is no unit group; they are {', '.join(sizes[0])}")
        width = sizes[0][self.walk.group]
        if width < MINIMUM_WIDTH:
            raise ValueError(f"{self.walk.group} = {width} units: a walk needs at least {MINIMUM_WIDTH}")
        labels = self.labels
        if twice := sorted({name for name in labels if labels.count(name) > 1}):
            raise ValueError(f"candidate given twice: {', '.join(twice)}")
        if self.walk.statistics == "re-estimated" and not isinstance(self.model, ResNetSpec):
            raise ValueError(f"walk.statistics = 're-estimated' is of BatchNorm; {self.model.kind} has none")
        if self.expansion.start == "random":
            for expanded in sizes[1:]:
                self.model.resized(expanded)
        return self

    def group_sizes(self) -> list[dict[str, int]]:
        """Units per group: of the base, then of each candidate."""
        base = self.model.group_sizes()
        expanded = []
        for candidate in self.candidates:
            sizes = base
            for step in candidate:
                if isinstance(self.model, BertSpec):
                    self.model.check(step, sizes)
                sizes = step.apply(sizes)
            expanded.append(sizes)
        return [base, *expanded]

    @property
    def labels(self) -> list[str]:
        """One name a candidate."""
        return [label(candidate) for candidate in self.candidates]

    @property
    def checkpoints(self) -> list[int]:
        """Epochs after expansion at which the walk is measured: 0, T, and a geometric ladder between."""
        last, count = self.training.epochs, self.walk.checkpoints
        if last == 0 or count == 1:
            return [0]
        ladder = {math.floor(last ** (i / (count - 2)) + 0.5) for i in range(count - 2)}
        return sorted({0, last} | ladder)

    @property
    def key(self) -> str:
        """16 hexadecimal digits: SHA-256 of the canonical JSON form and the schema version."""
        content = self.model_dump(mode="json", exclude=TEXTS_OF_STUDY)
        canonical = json.dumps({"schema": SCHEMA, "study": content}, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    def scaled(
        self,
        *,
        seeds: int | None = None,
        epochs: int | None = None,
        train_size: int | None = None,
        permutations: int | None = None,
    ) -> Study:
        """The same question at another size; `None` keeps what is. Raises ValueError for a size out of range.

        The base too trains for at most `epochs`.
        """
        content = self.model_dump(mode="json")
        if epochs is not None:
            content["training"]["base_epochs"] = min(content["training"]["base_epochs"], max(epochs, 1))
        overrides = [
            (content, "seeds", seeds),
            (content["training"], "epochs", epochs),
            (content["data"], "train_size", train_size),
            (content["walk"], "permutations", permutations),
        ]
        for section, field, value in overrides:
            if value is not None:
                section[field] = value
        return validated(content)


def validated(content: dict) -> Study:
    """A study from plain data. Raises ValueError whose text names each bad value and what is allowed."""
    try:
        return Study.model_validate(content)
    except ValidationError as error:
        raise ValueError(explain(error)) from None


def explain(error: ValidationError) -> str:
    """One line per fault: where, what is wrong, which value was given."""
    faults = error.errors(include_url=False)
    places = [fault["loc"] for fault in faults]

    def follows(fault: ErrorDetails) -> bool:
        """A list counts as too short once its items are faulty, which says nothing more."""
        inside = (place for place in places if len(place) > len(fault["loc"]))
        return fault["type"] == "too_short" and any(place[: len(fault["loc"])] == fault["loc"] for place in inside)

    return "\n".join(_explain_one(fault) for fault in faults if not follows(fault))


TAGS = {"data": 1, "model": 1, "candidates": 3}  # where a place names the member of a union, which no file does


def _explain_one(fault: ErrorDetails) -> str:
    path = fault["loc"]
    place = ".".join(str(part) for i, part in enumerate(path) if i != TAGS.get(str(path[0]))) or "study"
    message = fault["msg"].removeprefix("Value error, ")
    shown = "" if isinstance(fault["input"], dict) else f" (given {fault['input']!r})"
    return f"{place}: {message[0].lower()}{message[1:]}{shown}"


def from_toml(path: str | Path) -> Study:
    """Read a study from a TOML file. Raises ValueError naming the file and the fault."""
    path = Path(path)
    try:
        return validated({"name": path.stem} | _parsed(path))
    except ValueError as error:
        raise ValueError(f"{path}:\n{error}") from None


def _parsed(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"not a TOML file: {error}") from None


LAPTOP, PAPER = "laptop", "paper"  # the scales of a preset


@cache
def presets() -> Mapping[str, Study]:
    """The studies that ship with the package, by name.

    A file `NAME.toml` with a table `[laptop]` holds two: NAME, at a scale for a laptop, which is the file with
    that table laid over it, and NAME-paper, which is the file without it. `extends = OTHER` starts from another file.
    """
    folder = resources.files("landscape") / "presets"
    files = sorted(Path(str(file)) for file in folder.iterdir() if file.name.endswith(".toml"))
    return MappingProxyType({study.name: study for file in files for study in _scales(file)})


def _scales(path: Path) -> list[Study]:
    content = {"name": path.stem} | _extended(path)
    laptop = content.pop(LAPTOP, None)
    if laptop is None:
        return [validated(content)]
    whole = content | {"name": f"{path.stem}-{PAPER}", "title": f"{content['title']}, at the paper's scale"}
    return [validated(_laid_over(content, laptop)), validated(whole)]


def _extended(path: Path) -> dict[str, Any]:
    """The content of a preset's file, laid over that of the file that it `extends`."""
    content = _parsed(path)
    other = content.pop("extends", None)
    return content if other is None else _laid_over(_extended(path.with_stem(other)), content)


def _laid_over(content: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Tables are merged; other values, lists too, replace what was there."""
    merged = dict(content)
    for key, value in other.items():
        both_tables = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _laid_over(merged[key], value) if both_tables else value
    return merged


def preset(name: str) -> Study:
    """One shipped study. Raises ValueError that lists the names there are."""
    found = presets()
    if name not in found:
        raise ValueError(f"unknown study {name!r}; there are: {', '.join(found)}")
    return found[name]
