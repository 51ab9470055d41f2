"""The command that lists studies: presets, stored results and unfinished ones."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from functools import cache
from typing import Any

from landscape.cli.saying import say
from landscape.store import places
from landscape.store.places import barred
from landscape.store.results import Entry, Store
from landscape.study import Study
from landscape.study.presets import label, presets

COLUMNS = ("name", "state", "seeds", "epochs", "permutations", "time", "reproduces", "title")


def list_studies(options: argparse.Namespace) -> int:
    """Print presets, results and unfinished studies, sorted by name; what is damaged or missing goes to stderr."""
    from landscape.cli.tables import json_text, table

    store = Store(options.cache)
    listing = store.entries()
    for damage in listing.damaged:
        say("warning", damage)
    if not os.path.isdir(places.GALLERY) and not barred(places.GALLERY):
        say("warning", f"the shipped results are missing; they should be in {places.GALLERY}")
    rows = sorted(
        [*_stored(listing.entries), *_not_stored(store, listing.entries)],
        key=lambda row: (row["name"], row["state"], row["key"]),
    )
    if options.json:
        print(json_text(rows))
    else:
        print(table(COLUMNS, [[_cell(row, name) for name in COLUMNS] for row in rows]))
    return 0


def _stored(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    return [
        _row(entry.record, "shipped" if entry.shipped else "uploaded" if entry.uploaded else "computed")
        for entry in entries
    ]


def _not_stored(store: Store, entries: Sequence[Entry]) -> list[dict[str, Any]]:
    prices, begun = Prices(entries), {study.key: study for study in store.begun()}
    known = {entry.key for entry in entries}
    studies = {study.key: study for study in presets().values() if study.key not in known} | begun
    return [
        _row(_record(study), "unfinished" if key in begun else "not computed") | {"estimated_seconds": prices.of(study)}
        for key, study in studies.items()
    ]


class Prices:
    """The time that studies would take here.

    On a processor it is that of `landscape.analysis.cost.duration`. With `on_gpu`, it is in proportion to that of the
    result from a GPU that resembles the study most.
    """

    def __init__(self, entries: Sequence[Entry], on_gpu: bool = False):
        from landscape.store import netcdf

        self._known = {entry.study: entry for entry in entries if entry.timed_on_gpu} if on_gpu else None
        self._entries, self._read = entries, cache(netcdf.read)

    def of(self, study: Study) -> float | None:
        """Seconds, or None without a stored result to go by, or if the work is unknown until the data are loaded."""
        from landscape.analysis import cost
        from landscape.analysis.cost import duration

        try:
            if self._known is None:
                return duration.expected(study, self._entries).seconds
            reference = cost.nearest(study, self._known)
            if reference is None:
                return None
            entry = self._known[reference]
            return cost.estimate(study, self._read(entry.path), float(entry.record["seconds"]))
        except ValueError:
            return None


def _record(study: Study) -> dict[str, Any]:
    """The part of a result's record that is known before the study is computed."""
    return {"key": study.key, "name": study.name, "title": study.title, "study": study.model_dump(mode="json")}


def _row(record: dict[str, Any], state: str) -> dict[str, Any]:
    study = record["study"]
    return {
        "name": record["name"],
        "label": label(record["name"], record["key"]),
        "key": record["key"],
        "state": state,
        "seeds": study["seeds"],
        "epochs": study["training"]["epochs"],
        "permutations": study["walk"]["permutations"],
        "reproduces": study["reproduces"],
        "seconds": record.get("seconds"),
        "estimated_seconds": None,
        "computed": record.get("computed"),
        "device": record.get("device"),
        "title": record["title"],
    }


def _cell(row: dict[str, Any], column: str) -> object:
    """A cell of the table; the time is what the study took, or about what it would take here."""
    from landscape.analysis.wording import duration

    if column == "name":
        return row["label"]
    if column != "time":
        return row[column]
    if row["seconds"] is not None:
        return duration(row["seconds"])
    return "?" if row["estimated_seconds"] is None else f"about {duration(row['estimated_seconds'])}"
