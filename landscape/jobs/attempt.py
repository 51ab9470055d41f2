"""One attempt at computing a study. No JAX, so that clients and schedulers can read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from landscape.jobs.earlier import Earlier
from landscape.store.parts.kept import Parts
from landscape.store.results import Store
from landscape.store.shared import SharedOutcomes
from landscape.study import Study


class WorkerDied(RuntimeError):
    """A process that computed has ended before its task."""


class Asker(NamedTuple):
    """Who asked for a study: by which versions of libraries, and whether the study is noted in the cache folder."""

    versions: dict[str, str]
    noted: bool


@dataclass(frozen=True)
class Attempt:
    """What is computed, and where its outcomes are kept.

    number: counts the attempts that were made at this study since its engine started, from 0. divisions: how many
    devices the seeds are divided among, which fixes the tasks and their names; no number of the result depends on it.
    earlier: a stored result that has its first seeds, which are not computed again.
    asker: whoever asked for it in another process, with whom each worker compares itself; None where this one computes.
    """

    study: Study
    store: Store
    number: int = 0
    divisions: int = 1
    earlier: Earlier | None = None
    asker: Asker | None = None

    @property
    def first(self) -> int:
        """The first seed that is computed."""
        return self.earlier.seeds if self.earlier else 0

    @property
    def parts(self) -> Parts:
        """The outcomes that this attempt and earlier ones have kept."""
        return self.store.parts(self.study)

    @property
    def shared(self) -> SharedOutcomes:
        """The outcomes that studies keep for each other."""
        return SharedOutcomes(self.store.root)
