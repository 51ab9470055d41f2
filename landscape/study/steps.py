"""The steps of an expansion: Net2Net's widening of unit groups and its deepening by identity layers."""

from __future__ import annotations

import math
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from landscape.study.base import Frozen
from landscape.study.limits import MOST_FACTOR, MOST_UNITS

NewUnits = Literal["copies", "noisy copies", "silent", "random"]


class Widen(Frozen):
    """A step of Net2WiderNet: units are copied in every group that the pattern matches, to a `size` or by a `factor`.

    A factor is rounded to the nearest number of units, halves up.

    Attributes:
      widen: the groups, by name or by a pattern such as "conv*".
      size, factor: the size of each group afterwards, or how many times as many units it has then.
      units: what the new units are. Copies, as the study's `expansion` says, if None; else "copies" with unequal
        shares, which preserve the function; "noisy copies" with equal shares and the `noise` of `expansion`, which
        preserve it up to that noise; "silent" units, whose incoming weights are drawn as those of an untrained network
        and whose outgoing ones are 0, which preserve it exactly; or "random" ones, whose outgoing weights are drawn as
        well, which change it.

    Example:
      >>> from landscape.study.steps import Widen
      >>> Widen(widen="conv*", factor=1.25).apply({"conv1": 8, "conv2": 10, "dense1": 4})
      {'conv1': 10, 'conv2': 13, 'dense1': 4}
    """

    widen: str
    size: Annotated[int, Field(ge=1, le=MOST_UNITS)] | None = None
    factor: Annotated[float, Field(gt=1, le=MOST_FACTOR)] | None = None
    units: NewUnits | None = None

    @model_validator(mode="after")
    def _one_measure(self) -> Self:
        if (self.size is None) == (self.factor is None):
            raise ValueError(f"widen {self.widen!r}: give exactly one of size and factor")
        return self

    def apply(self, sizes: dict[str, int]) -> dict[str, int]:
        """The group sizes after this step.

        Raises ValueError for an unknown group, or a size that is not above the one before.
        """
        matched = [name for name in sizes if fnmatchcase(name, self.widen)]
        if not matched:
            raise ValueError(f"no unit group matches {self.widen!r}; the groups are {', '.join(sizes)}")
        return sizes | {name: self._target(name, sizes[name]) for name in matched}

    def _target(self, name: str, old: int) -> int:
        new = self.size if self.factor is None else math.floor(old * self.factor + 0.5)
        if new is None or new <= old:
            raise ValueError(f"{name} = {new} does not widen the base: it must be above {old}")
        if new > MOST_UNITS:
            raise ValueError(f"{name} = {new} units is more than the {MOST_UNITS} that a layer may have")
        return new

    @property
    def label(self) -> str:
        """A short name, such as `conv1 → 12`, `conv* × 1.5` or `conv1 → 12 (silent)`."""
        measure = f"→ {self.size}" if self.size is not None else f"× {self.factor:g}"
        return f"{self.widen} {measure}" + (f" ({self.units})" if self.units else "")

    @property
    def draws(self) -> bool:
        """Whether its new units are drawn and no copies."""
        return self.units in ("silent", "random")


class Deepen(Frozen):
    """A step of Net2DeeperNet: identity layers are inserted behind the layer of a unit group.

    Example:
      >>> from landscape.study.steps import Deepen
      >>> Deepen(deepen="conv3", layers=2).apply({"conv3": 64})
      {'conv3': 64, 'conv3_1': 64, 'conv3_2': 64}
    """

    deepen: str
    layers: Annotated[int, Field(ge=1, le=64)] = 1

    def apply(self, sizes: dict[str, int]) -> dict[str, int]:
        """The group sizes after this step: each inserted layer is a group as wide as the one before it.

        Raises ValueError for an unknown layer, or one behind which an earlier step inserted layers.
        """
        if self.deepen not in sizes:
            raise ValueError(f"no unit group {self.deepen!r} to deepen; the groups are {', '.join(sizes)}")
        if taken := [name for name in self.inserted if name in sizes]:
            raise ValueError(f"{self.deepen!r} is deepened already by {taken[0]}; ask for more layers in one step")
        return sizes | {name: sizes[self.deepen] for name in self.inserted}

    @property
    def inserted(self) -> tuple[str, ...]:
        """The names of the inserted layers, from the input on."""
        return tuple(f"{self.deepen}_{i}" for i in range(1, self.layers + 1))

    @property
    def label(self) -> str:
        """A short name, such as `2 layers after conv3`."""
        return f"{self.layers} layer{'s' * (self.layers > 1)} after {self.deepen}"


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
    """The short name of an expansion, which axes and tables show; it has no comma, so that a list of names stays one.

    Example:
      >>> from landscape.study.steps import Deepen, Widen, label
      >>> label((Widen(widen="hidden1", size=20), Deepen(deepen="hidden1", layers=6)))
      'hidden1 → 20 & 6 layers after hidden1'
    """
    return " & ".join(step.label for step in candidate)


def draws(candidate: tuple[Widen | Deepen, ...]) -> bool:
    """Whether an expansion has new units that are drawn and no copies.

    Example:
      >>> from landscape.study.steps import Widen, draws
      >>> draws((Widen(widen="hidden1", size=20),)), draws((Widen(widen="hidden1", size=20, units="silent"),))
      (False, True)
    """
    return any(isinstance(step, Widen) and step.draws for step in candidate)
