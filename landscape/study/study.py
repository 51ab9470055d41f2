"""What to compute: a frozen, validated specification with a content hash.

A study names a data set, a base model, candidate expansions, how to train and how to walk. Two studies
with equal content have equal keys, whatever they are called; the key names the result in the store.
"""

from __future__ import annotations

import hashlib
import json
import math
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from landscape.study.base import Frozen
from landscape.study.examples import AnyData, DataSpec
from landscape.study.faults import explain
from landscape.study.kinds import AnyModel, kinds_reading
from landscape.study.steps import Candidate, label

SCHEMA = 2  # raise it whenever the same specification would give other numbers, rounding apart

TEXTS_OF_STUDY = {"name", "title", "description", "reproduces"}  # no number depends on them
MINIMUM_WIDTH = 4  # A.2.1: a group of fewer units has too few permutations


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
    model: AnyModel
    candidates: Annotated[tuple[Candidate, ...], Field(min_length=1)]
    expansion: Expansion = Expansion()
    training: Training = Training()
    walk: Walk
    seeds: Annotated[int, Field(ge=1)] = 10

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        modality = self.data.modality
        if self.model.modality != modality:
            raise ValueError(
                f"a model of kind {self.model.kind!r} cannot read {self.data.name}; "
                f"the kinds that read {modality} are {', '.join(map(repr, kinds_reading(modality)))}"
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
        if self.walk.statistics == "re-estimated" and not self.model.batch_norm:
            raise ValueError(f"walk.statistics = 're-estimated' needs BatchNorm, and {self.model.kind} has none")
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
                self.model.check_step(step, sizes)
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


def from_toml(path: str | Path) -> Study:
    """Read a study from a TOML file. Raises ValueError naming the file and the fault."""
    path = Path(path)
    try:
        return validated({"name": path.stem} | parsed(path))
    except ValueError as error:
        raise ValueError(f"{path}:\n{error}") from None


def parsed(path: Path) -> dict[str, Any]:
    """The content of a TOML file. Raises ValueError for a file that is none."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"not a TOML file: {error}") from None
