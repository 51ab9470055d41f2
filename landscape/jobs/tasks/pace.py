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

    def plus(self, weight: float, seconds: float) -> Done:
        """With one more task."""
        return Done(self.weight + weight, self.seconds + seconds)


class Pace:
    """What is known of the pace of a study's tasks.

    Tasks of one kind do the same to one member, with other seeds or further on. The first of them compiles as well, so
    a second one says better how long the others take; a member of which no task of the kind is done takes as long as
    the first ones of the others, in proportion to weight.
    """

    def __init__(self, weights: Mapping[str, float]):
        self._weights = weights
        self._firsts: dict[str, Done] = {}  # by kind
        self._first: dict[tuple[str, str], Done] = {}  # by kind and member
        self._later: dict[tuple[str, str], Done] = {}
        self._all = Done()

    def add(self, name: str, seconds: float) -> None:
        """A task has taken so long."""
        (kind, member), weight = kind_of(name), self._weights[name]
        self._all = self._all.plus(weight, seconds)
        if (kind, member) in self._first:
            self._later[kind, member] = self._later.get((kind, member), Done()).plus(weight, seconds)
        else:
            self._first[kind, member] = Done(weight, seconds)
            self._firsts[kind] = self._firsts.get(kind, Done()).plus(weight, seconds)

    def left(self, missing: Iterable[str]) -> float:
        """The seconds of the missing tasks, one after another; 0 as long as too little is known."""
        missing = [*missing]
        total = sum(self._weights[name] for name in missing)
        known = sum(self._weights[name] for name in missing if kind_of(name)[0] in self._firsts)
        if not total or known < KNOWN * total:
            return 0.0
        like = {name: self._like(name) for name in missing}
        return sum(self._weights[name] * done.seconds / done.weight for name, done in like.items())

    def _like(self, name: str) -> Done:
        """The tasks that say most of this one."""
        kind, member = kind_of(name)
        return self._later.get((kind, member)) or self._first.get((kind, member)) or self._firsts.get(kind) or self._all
