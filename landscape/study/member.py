"""The networks of a study by number: the base, its candidates, and the control."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from landscape.study import Study
from landscape.study.schema import BASE, CONTROL, MOMENTS, VARIABLES

OF_CANDIDATES = tuple(name for name, variable in VARIABLES.items() if "candidate" in variable.dims)
OF_MODELS = tuple(name for name, variable in VARIABLES.items() if "model" in variable.dims)


@dataclass(frozen=True)
class Member:
    """One network of a study: the base has index 0, the candidates are counted from 1.

    The control is the base once more, so it has index 0 too, and with it the base's walk; it is trained on as the
    candidates are. A member stands for the network of every seed, since a study trains all its members once a seed.

    Raises ValueError for an index that the study does not have, and for the control of a study that has none.

    >>> from landscape.study.member import members
    >>> from landscape.study.presets import preset
    >>> base, first, *others = members(preset("digits-mlp"))
    >>> base.name, base.label, first.name, first.label
    ('base', 'base', 'candidate1', 'hidden1 → 7')
    >>> first.variables["barrier"], base.variables["barrier"]
    ('barrier', 'base_barrier')
    >>> members(preset("cnn-cifar10-paper"))[-1].variables["barrier"]
    'control_barrier'
    """

    study: Study
    index: int
    is_control: bool = False

    def __post_init__(self) -> None:
        last = len(self.study.candidates)
        if not 0 <= self.index <= last:
            raise ValueError(f"a member of {self.study.name} has an index from 0 to {last}; got {self.index}")
        if self.is_control and (self.index or not self.study.has_control):
            raise ValueError(f"member {self.index} of {self.study.name} is no control")

    @property
    def is_base(self) -> bool:
        """Whether this is the base as early stopping chose it."""
        return self.index == 0 and not self.is_control

    @property
    def is_candidate(self) -> bool:
        """Whether this is an expanded base."""
        return self.index > 0

    @property
    def label(self) -> str:
        """What people call it; of a base or candidate, its coordinate along the dimension `model` of the result."""
        return self.study.labels[self.index - 1] if self.is_candidate else self.name

    @property
    def name(self) -> str:
        """What the names of its tasks begin with: `base`, `candidate3`, or `control`."""
        return f"candidate{self.index}" if self.is_candidate else CONTROL if self.is_control else BASE

    @property
    def sizes(self) -> dict[str, int]:
        """The units of each of its groups."""
        return self.study.group_sizes()[self.index]

    @property
    def epochs(self) -> int:
        """How many epochs it trains at most: early stopping may end the base's training before."""
        return self.study.base_epochs if self.is_base else self.study.training.epochs

    @property
    def moments(self) -> dict[str, int]:
        """The moments at which curves and distances are measured, with the epochs trained since the expansion.

        The base is measured at the start only: φ*, which training it further does not change. The control is not.
        """
        if self.is_control:
            return {}
        return dict(zip(MOMENTS, [0] if self.is_base else [0, self.epochs], strict=False))

    @property
    def checkpoints(self) -> list[int]:
        """The epochs since the expansion after which it is walked; the base is walked once."""
        return [0] if self.is_base else self.study.checkpoints

    @property
    def variables(self) -> Mapping[str, str]:
        """The name of the result's variable that holds each quantity of this member.

        A quantity of candidates that the result does not hold for the base or the control is missing here for it.
        """
        own = "" if self.is_candidate else f"{self.name}_"
        shared = own if self.is_control else ""
        names = {name: own + name for name in OF_CANDIDATES} | {name: shared + name for name in OF_MODELS}
        return {quantity: name for quantity, name in names.items() if name in VARIABLES}

    def named(self, **quantities: Any) -> dict[str, Any]:
        """These quantities under the names of this member's variables, without those that it has no variable for."""
        return {name: quantities[quantity] for quantity, name in self.variables.items() if quantity in quantities}

    def place(self, seed: int) -> dict[str, int | str]:
        """The coordinates in the result of this member's network of one seed."""
        if self.is_control:
            return {"seed": seed}
        place: dict[str, int | str] = {"seed": seed, "model": self.label}
        return place if self.is_base else place | {"candidate": self.label}


def members(study: Study) -> list[Member]:
    """Every network of a study: the base first, then the candidates in their order, at last the control if it has one.

    What is only measured of members of the dimension `model` is not measured of the control.
    """
    expanded = [Member(study, index) for index in range(len(study.candidates) + 1)]
    return [*expanded, *([Member(study, 0, is_control=True)] if study.has_control else [])]
