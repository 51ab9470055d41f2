"""How long the tasks that a study still has will take, by how long those that it has done took here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from landscape.jobs.tasks.names import kind_of

KNOWN = 0.5  # the part of the work still to do that must be of kinds of which a task is done


class Done(NamedTuple):
    """Tasks that are done: their weights together, and their seconds."""

    weight: float = 0.0
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Seconds for a weight of 1."""
        return self.seconds / self.weight

    def plus(self, weight: float, seconds: float) -> Done:
        """With one more task."""
        return Done(self.weight + weight, self.seconds + seconds)


class Pace:
    """What is known of the pace of a study's tasks.

    Tasks of one kind do the same to one member, with other seeds or further on. The first of them compiles as well, so
    a second one says better how long the others take. As long as there is none, the fastest first one of any member
    says it, in proportion to weight: members may share their programs, which only one of them then compiles.
    """

    def __init__(self, weights: Mapping[str, float]):
        self._weights = weights
        self._fastest: dict[str, Done] = {}  # of the first ones, by kind
        self._begun: set[tuple[str, str]] = set()  # kinds and members of which a task is done
        self._later: dict[tuple[str, str], Done] = {}
        self._all = Done()

    def add(self, name: str, seconds: float) -> None:
        """A task has taken so long."""
        (kind, member), weight = kind_of(name), self._weights[name]
        self._all = self._all.plus(weight, seconds)
        if (kind, member) in self._begun:
            self._later[kind, member] = self._later.get((kind, member), Done()).plus(weight, seconds)
        else:
            self._begun.add((kind, member))
            found = Done(weight, seconds)
            self._fastest[kind] = min(self._fastest.get(kind, found), found, key=lambda done: done.rate)

    def left(self, missing: Iterable[str]) -> float:
        """The seconds of the missing tasks, one after another; 0 as long as too little is known."""
        missing = [*missing]
        total = sum(self._weights[name] for name in missing)
        known = sum(self._weights[name] for name in missing if kind_of(name)[0] in self._fastest)
        if not total or known < KNOWN * total:
            return 0.0
        like = {name: self._like(name) for name in missing}
        return sum(self._weights[name] * done.rate for name, done in like.items())

    def _like(self, name: str) -> Done:
        """The tasks that say most of this one."""
        kind, member = kind_of(name)
        return self._later.get((kind, member)) or self._fastest.get(kind) or self._all
