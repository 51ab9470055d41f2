"""The steps of an expansion: Net2Net's widening of unit groups and its deepening by identity layers."""

from __future__ import annotations

import math
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from landscape.study.base import Frozen


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
