"""The networks of a study by number: the base, and its candidates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from landscape.study import Study
from landscape.study.schema import BASE, MOMENTS, VARIABLES

QUANTITIES = tuple(name for name, variable in VARIABLES.items() if "candidate" in variable.dims)


@dataclass(frozen=True)
class Member:
    """One network of a study: the base has index 0, the candidates are counted from 1.

    A member stands for the network of every seed, since a study trains all its members once a seed.

    Raises ValueError for an index that the study does not have.

    >>> from landscape.study.member import members
    >>> from landscape.study.presets import preset
    >>> base, first, *others = members(preset("digits-mlp"))
    >>> base.name, base.label, first.name, first.label
    ('base', 'base', 'candidate1', 'hidden1 → 7')
    >>> first.variables["barrier"], base.variables["barrier"]
    ('barrier', 'base_barrier')
    """

    study: Study
    index: int

    def __post_init__(self) -> None:
        last = len(self.study.candidates)
        if not 0 <= self.index <= last:
            raise ValueError(f"a member of {self.study.name} has an index from 0 to {last}; got {self.index}")

    @property
    def is_base(self) -> bool:
        """Whether this is the base, which has not been expanded."""
        return self.index == 0

    @property
    def label(self) -> str:
        """Its coordinate along the dimension `model` of the result."""
        return BASE if self.is_base else self.study.labels[self.index - 1]

    @property
    def name(self) -> str:
        """What the names of its tasks begin with: `base`, or `candidate3`."""
        return "base" if self.is_base else f"candidate{self.index}"

    @property
    def sizes(self) -> dict[str, int]:
        """The units of each of its groups."""
        return self.study.group_sizes()[self.index]

    @property
    def epochs(self) -> int:
        """How many epochs it trains at most: early stopping may end the base's training before."""
        return self.study.training.base_epochs if self.is_base else self.study.training.epochs

    @property
    def moments(self) -> dict[str, int]:
        """The moments at which curves and distances are measured, with the epochs trained since the expansion.

        The base is measured at the start only: φ*, which training it further does not change.
        """
        return dict(zip(MOMENTS, [0] if self.is_base else [0, self.epochs], strict=False))

    @property
    def checkpoints(self) -> list[int]:
        """The epochs since the expansion after which it is walked; the base is walked once."""
        return [0] if self.is_base else self.study.checkpoints

    @property
    def variables(self) -> Mapping[str, str]:
        """The name of the result's variable that holds each quantity of this member.

        A quantity of candidates that the result does not hold for the base is missing here for the base.
        """
        names = {quantity: f"base_{quantity}" if self.is_base else quantity for quantity in QUANTITIES}
        return {quantity: name for quantity, name in names.items() if name in VARIABLES}

    def named(self, **quantities: np.ndarray) -> dict[str, np.ndarray]:
        """These quantities under the names of this member's variables, without those that it has no variable for."""
        return {name: quantities[quantity] for quantity, name in self.variables.items() if quantity in quantities}

    def place(self, seed: int) -> dict[str, int | str]:
        """The coordinates in the result of this member's network of one seed."""
        place: dict[str, int | str] = {"seed": seed, "model": self.label}
        return place if self.is_base else place | {"candidate": self.label}


def members(study: Study) -> list[Member]:
    """Every network of a study: the base first, then the candidates in their order."""
    return [Member(study, index) for index in range(len(study.candidates) + 1)]
