"""The first seeds of a study, where a stored result of the same study with fewer seeds has them. No JAX.

Such a result may come from another computer, as the shipped ones do, and nothing else of its computation need be kept.
So a study grows seed by seed, wherever and whenever there is time to compute one.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from landscape.store.entries import Entry
from landscape.store.fields import EARLIER, ORIGIN
from landscape.store.results import Store
from landscape.study import Study


class Earlier(NamedTuple):
    """A stored result that has the first seeds of a study.

    Attributes:
      key: of that result.
      seeds: how many it has.
      origins: where they come from: a table for each computation, with the number of its seeds and what `ORIGIN` lists.
    """

    key: str
    seeds: int
    origins: tuple[dict[str, Any], ...]

    @property
    def seconds(self) -> float:
        """The wall time that they took."""
        return sum(origin["seconds"] for origin in self.origins)


def earlier_result(study: Study, store: Store) -> Earlier | None:
    """The intact result of the same study with the most of its seeds, but not all; None where there is none.

    What somebody uploaded does not count, since nobody knows here how its numbers were computed.
    """
    wanted = _without_seeds(study)
    fewer = [entry for entry in store.entries().entries if entry.study.seeds < study.seeds and not entry.uploaded]
    same = [entry for entry in fewer if _without_seeds(entry.study) == wanted]
    for entry in sorted(same, key=lambda entry: -entry.study.seeds):
        if entry.key in store:
            return Earlier(entry.key, entry.study.seeds, tuple(_origins(entry)))
    return None


def _origins(entry: Entry) -> list[dict[str, Any]]:
    """Where the seeds of a result come from, in their order."""
    record, before = entry.record, entry.record.get(EARLIER, [])
    seeds, seconds = (sum(origin[name] for origin in before) for name in ("seeds", "seconds"))
    newest = {name: record[name] for name in ORIGIN}
    return [*before, newest | {"seeds": entry.study.seeds - seeds, "seconds": record["seconds"] - seconds}]


def _without_seeds(study: Study) -> dict[str, Any]:
    return {name: value for name, value in study.content.items() if name != "seeds"}
