"""What to compute: a frozen, validated specification, and the key that names its result.

A study names a data set, a base model, candidate expansions, how to train and how to walk. Two studies with equal
content have equal keys, whatever they are called. Sections are those of Malviya et al. (2024), arXiv 2405.15895.
"""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, model_validator

from landscape.study.base import EACH, Frozen, Name, OneLine, drop
from landscape.study.examples import AnyData, DataSpec
from landscape.study.faults import explain
from landscape.study.kinds import AnyModel, kinds_reading
from landscape.study.limits import MOST_CANDIDATES, MOST_PROSE, MOST_SEEDS
from landscape.study.settings import Expansion, Training, Walk
from landscape.study.sources import Sourced, Weights
from landscape.study.steps import Candidate, Widen, draws, label

SCHEMA = 2  # raise it whenever the same specification would give other numbers, rounding apart
BATCH_NORM_SCHEMA = 3  # that of networks with BatchNorm: until 2, its statistics counted in distances and in matching

TEXTS_OF_STUDY = ("name", "title", "description", "reproduces")  # no number depends on them
ADDED_LATER = {  # settings that came after the first results, and what those had in their place, which no key contains
    ("walk", "start"): "current",
    ("walk", "sharpness"): False,
    ("walk", "batches"): [],
    ("training", "initialisation"): "flax",
    ("control",): False,
    ("weights",): None,
    ("data", "tokens"): None,
    ("candidates", EACH, EACH, "units"): None,
}
MINIMUM_WIDTH = 4  # A.2.1: a group of fewer units has too few permutations


class Study(Frozen):
    """One question to the explorer: which expansions of which base model are compared, and how.

    Attributes:
      name: what commands and lists call it.
      title, description: for people.
      reproduces: the figures and tables of the paper that it reproduces.
      data: the examples, a `DataSpec` of images or a `TextSpec`, or those in a file of one's own (`OwnData`).
      model: the base, a specification of one of the registered kinds; see `landscape.register_model`.
      candidates: the expansions, each of one or more steps {widen, size}, {widen, factor} or {deepen, layers}.
      expansion: how the weights of candidates come from the base.
      training: how the base and its candidates are trained.
      walk: how permuted copies are compared.
      seeds: how many times everything is repeated, with other initial weights and permutations.
      control: whether the base is trained on for as many epochs as its candidates, without being expanded. What a
        candidate gains beyond this control is not owed to training longer.
      weights: the trained network that is the base, instead of one that the study trains. Every seed starts from it
        then, and seeds differ in the copies that expansions draw, in the permutations and in the order of training.

    Raises:
      ValueError: if a value is not allowed, or does not fit the others; `validated` says so in words.

    Example:
      >>> import landscape
      >>> study = landscape.preset("digits-mlp")
      >>> study.labels
      ['hidden1 → 7', 'hidden1 → 8', 'hidden1 → 10', 'hidden1 → 12', 'hidden1 → 18']
      >>> study.scaled(seeds=2, epochs=5).seeds
      2

    References:
      Malviya et al. (2024), arXiv 2405.15895, sections 3 and A.2.
    """

    name: Name
    title: OneLine = ""
    description: Annotated[str, Field(max_length=MOST_PROSE)] = ""
    reproduces: OneLine = ""
    data: AnyData = DataSpec()
    model: AnyModel
    candidates: Annotated[tuple[Candidate, ...], Field(min_length=1, max_length=MOST_CANDIDATES)]
    expansion: Expansion = Expansion()
    training: Training = Training()
    walk: Walk
    seeds: Annotated[
        int, Field(ge=1, le=MOST_SEEDS, title="Seeds", description="How many times everything is repeated.")
    ] = 10
    control: Annotated[
        bool, Field(title="Train a control", description="The base, trained on for as long without expansion.")
    ] = True
    weights: Weights | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        modality = self.data.modality
        if self.model.modality not in (None, modality):
            raise ValueError(
                f"a model of kind {self.model.kind!r} cannot read {self.data.name}; "
                f"the kinds that read {modality} are {', '.join(map(repr, kinds_reading(modality)))}"
            )
        labels = self.labels
        if twice := sorted({name for name in labels if labels.count(name) > 1}):
            raise ValueError(f"candidate given twice: {', '.join(twice)}")
        if not self.model.described:
            return self
        sizes = self.group_sizes()
        if self.walk.group not in sizes[0]:
            raise ValueError(f"walk.group = {self.walk.group!r} is not a unit group; they are {', '.join(sizes[0])}")
        width = sizes[0][self.walk.group]
        if width < MINIMUM_WIDTH:
            raise ValueError(f"{self.walk.group} = {width} units: a walk needs at least {MINIMUM_WIDTH}")
        if self.walk.statistics == "re-estimated" and not self.model.batch_norm:
            raise ValueError(f"walk.statistics = 're-estimated' needs BatchNorm, and {self.model.kind} has none")
        self._can_be_drawn(sizes[1:])
        return self

    def _can_be_drawn(self, expanded: list[dict[str, int]]) -> None:
        """Raise ValueError for candidates whose new units, or all of whose weights, cannot be drawn as they should."""
        anew = self.expansion.start == "random"
        for candidate, sizes in zip(self.candidates, expanded, strict=True):
            kinds = {step.units for step in candidate if isinstance(step, Widen) and step.units}
            if anew and kinds:
                raise ValueError(f"{label(candidate)}: candidates start from random weights, so no units are new")
            if "noisy copies" in kinds and not self.expansion.noise:
                raise ValueError(f"{label(candidate)}: expansion.noise must be above 0 (given 0)")
            if anew or draws(candidate):
                self.model.resized(sizes)

    def group_sizes(self) -> list[dict[str, int]]:
        """The number of units of each group: of the base first, then of each candidate.

        Raises ValueError for a step that the model cannot take.

        Example:
          >>> import landscape
          >>> landscape.preset("digits-mlp").group_sizes()[:2]
          [{'hidden1': 6}, {'hidden1': 7}]
        """
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
        """The name of each candidate, which is its coordinate in the result."""
        return [label(candidate) for candidate in self.candidates]

    @property
    def checkpoints(self) -> list[int]:
        """The epochs after the expansion at which candidates are walked: 0, T, and a geometric sequence between."""
        last, count = self.training.epochs, self.walk.checkpoints
        if last == 0 or count == 1:
            return [0]
        ladder = {math.floor(last ** (i / (count - 2)) + 0.5) for i in range(count - 2)}
        return sorted({0, last} | ladder)

    @property
    def base_epochs(self) -> int:
        """For how many epochs the base trains at most: for none if its weights are given."""
        return 0 if self.weights else self.training.base_epochs

    @property
    def has_control(self) -> bool:
        """Whether a control is trained: it is asked for, and candidates train at all after their expansion."""
        return self.control and self.training.epochs > 0

    @property
    def refusal(self) -> str:
        """Why only the command line and notebooks may compute this study: code, or data in a file that they must name.

        It is empty where any process may. Whoever computes at another's word, as the app does, asks first.
        """
        data = self.data
        if not self.model.refusal and isinstance(data, Sourced) and (data.unread or not data.path.is_absolute()):
            return f"its data are {data.path}, which only `python -m landscape run STUDY.toml` and notebooks read"
        return self.model.refusal

    @property
    def key(self) -> str:
        """The name of the result in the store: 16 hexadecimal digits of a hash of everything that affects numbers.

        They begin the SHA-256 of the canonical JSON form of `content` and of the version of the schema.
        """
        schema = BATCH_NORM_SCHEMA if type(self.model).batch_norm is True else SCHEMA  # the same before it is described
        canonical = json.dumps({"schema": schema, "study": self.content}, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    @property
    def content(self) -> dict[str, Any]:
        """Everything that affects numbers, as JSON has it: all but name, title, description and `reproduces`.

        A setting that was added after results were published is here only where it is not what those results had
        (`ADDED_LATER`), so that their keys stay. Raises ValueError where files of the study's own were not read yet.
        """
        content = self.model_dump(mode="json", exclude=set(TEXTS_OF_STUDY))
        for section, part in (("data", self.data), ("model", self.model)):
            if isinstance(part, Sourced) and part.content is None:
                raise ValueError(f"{self.name} has no key yet: {self.refusal}")
            content[section] = {name: value for name, value in content[section].items() if name not in part.unkeyed}
        for path, before in ADDED_LATER.items():
            drop(content, path, before)
        return content

    def scaled(
        self,
        *,
        seeds: int | None = None,
        epochs: int | None = None,
        train_size: int | None = None,
        permutations: int | None = None,
    ) -> Study:
        """The same question at another size.

        Args:
          seeds: how many times everything is repeated.
          epochs: for how many epochs each candidate trains; the base trains for at most as many.
          train_size: the number of training examples.
          permutations: the number of steps of each walk.

        What is None stays as it is. Raises ValueError for a size that is out of range.
        """
        content = self.model_dump()
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

    def starting_from(self, path: str | Path) -> Study:
        """The same question about a trained network: its base is the one in a safetensors file.

        Raises ValueError for a file that cannot be read or has more than 200 MiB. Whether it fits the model shows when
        the study is run; `landscape.load_weights` tells at once.

        Example:
          >>> import landscape
          >>> from flax import nnx
          >>> from landscape.models.mlp import mlp
          >>> landscape.save_weights(mlp(64, (6,), 10, nnx.Rngs(0)), "base.safetensors")
          >>> landscape.preset("digits-mlp").starting_from("base.safetensors").base_epochs
          0
        """
        return self.model_copy(update={"weights": Weights.of(path)})


def validated(content: dict) -> Study:
    """A study from plain data, such as the content of a TOML or JSON file.

    Raises:
      ValueError: with a line for each fault, which names the place, the value and what is allowed.

    Example:
      >>> from landscape.study import validated
      >>> model, walk = {"kind": "mlp", "hidden": [6]}, {"group": "hidden1"}
      >>> validated({"name": "mine", "model": model, "walk": walk, "candidates": [[{"widen": "hidden1", "size": 3}]]})
      Traceback (most recent call last):
      ValueError: study: hidden1 = 3 does not widen the base: it must be above 6
    """
    try:
        return Study.model_validate(content)
    except ValidationError as error:
        raise ValueError(explain(error)) from None


def recorded(content: dict) -> Study:
    """The study of a stored result, which may have been written before some fields were added.

    Raises:
      ValueError: as `validated` does.

    Example:
      >>> from landscape.study import recorded
      >>> model, walk = {"kind": "mlp", "hidden": [6]}, {"group": "hidden1"}
      >>> recorded({"name": "old", "model": model, "walk": walk, "candidates": [[{"deepen": "hidden1"}]]}).control
      False
    """
    if not isinstance(content, dict):
        raise ValueError(f"a study is a table of settings; got {content!r:.80}")
    study = validated({"control": ADDED_LATER["control",]} | content)
    if not study.model.described:
        raise ValueError("the study does not say what its module was found to be, so it was never computed")
    return study
