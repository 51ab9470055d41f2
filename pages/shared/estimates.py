"""How long a study would take here, by the result of the one that resembles it most."""

from __future__ import annotations

from typing import NamedTuple

from landscape.analysis import cost
from landscape.study import Study
from pages.shared import library


class Expected(NamedTuple):
    """The wall time that a study is expected to take.

    seconds: that time; distance: how many times the multiply-adds of one example are those of the reference; reference:
    the study that the estimate rests on, which took `spent` seconds on `device`.
    """

    seconds: float
    distance: float
    reference: library.Choice
    spent: float
    device: str


def of(study: Study) -> Expected | None:
    """The time of a study, or None without a result to go by. Raises ValueError as `cost` does, and DamagedEntry."""
    choices = library.listed().values()
    stored = {choice.study.key: choice for choice in choices if choice.entry and choice.entry.timed_here}
    found = cost.nearest(study, (choice.study for choice in stored.values()))
    if found is None:
        return None
    reference = stored[found.key]
    assert reference.entry is not None
    spent = float(reference.entry.record["seconds"])
    seconds, distance = cost.estimate(study, library.whole(reference), spent)
    return Expected(seconds, distance, reference, spent, str(reference.entry.record["device"]))


def seconds(study: Study) -> float:
    """The time of a study, or 0 where nobody can tell."""
    try:
        found = of(study)
    except ValueError:
        return 0.0
    return found.seconds if found else 0.0
