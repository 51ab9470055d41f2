"""The studies of this computer as one table: where each stands, how large and how old it is, and what can be done."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

import pandas as pd
import streamlit as st

from landscape.analysis.wording import counted, size_in_words
from landscape.jobs.progress import Progress
from landscape.store.entries import Entry
from landscape.store.results import Store
from landscape.store.upkeep import OF_NO_USE, Holding, holdings, remove, to_remove
from landscape.study import Study
from landscape.study.presets import presets
from pages.shared import library, running, show

MEANS = (
    "*Computed* and *uploaded* studies can be renamed and deleted, *shipped* ones come with the program. *Unfinished*, "
    "*paused*, *failed* and *cancelled* ones have kept what was done, and go on from there."
)


class Row(NamedTuple):
    """A study that there is something of.

    state: shipped, computed, uploaded, unfinished, or that of its computation; progress: how far that is; size: bytes
    on disk; changed: when that last changed.
    """

    label: str
    study: Study
    state: str
    entry: Entry | None
    progress: Progress | None
    size: int
    changed: datetime | None

    @property
    def active(self) -> bool:
        """Whether it waits or is being computed."""
        return self.progress is not None and self.progress.active

    @property
    def own(self) -> bool:
        """Whether it is of this computer, and not of the program."""
        return self.state != "shipped"


def rows() -> dict[str, Row]:
    """Every study that there is something of, by its label: those that run first, then one's own, then the shipped."""
    held = {each.key: each for each in holdings(Store()) if each.kind not in OF_NO_USE}
    found = [_row(choice, held.get(choice.study.key)) for choice in library.choices()[0].values()]
    known = sorted(filter(None, found), key=lambda row: (not row.active, not row.own))
    return {row.label: row for row in known}


def _row(choice: library.Choice, held: Holding | None) -> Row | None:
    """The row of a study; None where there is nothing of it but its preset."""
    entry, progress = choice.entry, running.progress(choice.study.key) if choice.entry is None else None
    if entry:
        state = "shipped" if entry.shipped else "uploaded" if entry.uploaded else "computed"
    elif progress and progress.state != "done":
        state = progress.state
    elif held:
        state = "unfinished"
    else:
        return None
    size = held.size if held else entry.size if entry else 0
    return Row(choice.label, choice.study, state, entry, progress, size, _changed(held, entry))


def _changed(held: Holding | None, entry: Entry | None) -> datetime | None:
    """When it last changed here; of what is shipped, when it was computed."""
    if held:
        return datetime.fromtimestamp(held.changed, UTC)
    try:
        return datetime.fromisoformat(entry.record["computed"]).astimezone(UTC) if entry else None
    except (ValueError, OverflowError):  # a record may say anything
        return None


def table(found: dict[str, Row]) -> pd.DataFrame:
    """The rows as a table, whose numbers sort as numbers."""
    return pd.DataFrame(
        [
            {"study": row.label, "state": row.state, **_scale(row.study), **_disk(row), "title": row.study.title}
            for row in found.values()
        ]
    )


def _scale(study: Study) -> dict[str, Any]:
    return {
        "candidates": len(study.candidates),
        "seeds": study.seeds,
        "epochs": study.training.epochs,
        "permutations": study.walk.permutations,
    }


def _disk(row: Row) -> dict[str, Any]:
    return {"MB": row.size / 1e6, "changed": row.changed}


def show_table(found: dict[str, Row]) -> None:
    """Draw the table; texts in it are never Markdown."""
    columns = {
        "MB": st.column_config.NumberColumn(format="%.1f", help="On disk, in millions of bytes."),
        "study": st.column_config.TextColumn(pinned=True),
        "changed": st.column_config.DatetimeColumn(format="distance", width=150, help="Since when it is as it is."),
        "permutations": st.column_config.NumberColumn(help="Steps of each walk."),
    }
    show.grid(table(found), columns)


def not_computed(found: dict[str, Row]) -> pd.DataFrame:
    """The presets of which there is nothing yet, with a link to the form for each."""
    known = {row.study.key for row in found.values()}
    missing = [study for study in presets().values() if study.key not in known]
    return pd.DataFrame(
        [
            {"preset": study.name, "try": f"new?from={study.name}", **_scale(study), "title": study.title}
            for study in missing
        ]
    )


def kept_in_words() -> str:
    """How much the cache folder holds, in words."""
    if not (held := holdings(Store())):
        return "It is empty: nothing has been computed or uploaded here."
    useless = [each for each in held if each.kind in OF_NO_USE]
    results, begun = (sum(each.kind in kinds for each in held) for kinds in (("result", "uploaded"), ("unfinished",)))
    tasks = [each for each in held if each.kind == "task"]
    size, lost, shared = (size_in_words(sum(each.size for each in some)) for some in (held, useless, tasks))
    unfinished = f" and {counted(begun, 'unfinished one')}" if begun else ""
    text = f"It holds {counted(results, 'result')}{unfinished}, {size} in all."
    text += f" {shared} of that are finished tasks, which further studies can use." if tasks else ""
    return f"{text} {lost} of that is damaged, or was left by processes that are gone." if useless else text


def clean_up() -> int:
    """Remove what is damaged, and what processes that are gone have left: how many folders went. Raises Unwritable."""
    return sum(remove(each) for each in to_remove(holdings(Store())))


def delete(row: Row) -> None:
    """Remove what there is of a study. Raises ValueError while it is computed or if it is shipped, and Unwritable."""
    if row.active:
        raise ValueError("it is being computed; cancel that first")
    store = Store()
    if row.entry:
        store.remove(row.study.key)
    for each in holdings(store):
        if each.key == row.study.key and not remove(each):
            raise ValueError("another process computes it")
    library.asked_for().pop(row.study.key, None)
