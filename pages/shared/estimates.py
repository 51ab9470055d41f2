"""How long a study would take here."""

from __future__ import annotations

from landscape.analysis.cost import duration
from landscape.study import Study
from pages.shared import library


def of(study: Study) -> duration.Expected:
    """The time of a study by the results in the cache folder. Raises ValueError where its work cannot be counted."""
    entries = [choice.entry for choice in library.listed().values() if choice.entry]
    return duration.expected(study, entries)


def seconds(study: Study) -> float:
    """The time of a study, or 0 where nobody can tell."""
    try:
        return of(study).seconds
    except ValueError:
        return 0.0
