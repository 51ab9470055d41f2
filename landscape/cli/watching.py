"""The command for what is computed in the background: how far each study is, its end, its pause and its going on."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from landscape.cli.listing import Prices
from landscape.jobs.progress import Progress
from landscape.store.results import Store
from landscape.study import Study
from landscape.study.presets import means, presets

COLUMNS = ("name", "key", "state", "done", "left", "device", "doing")


def jobs(options: argparse.Namespace) -> int:
    """Print what the app's engine, or a Dask scheduler, computes and has computed; or stop a study or go on with it."""
    from landscape.jobs.background.client import connect

    store = Store(options.cache)
    try:
        watched = connect(store.root, options.scheduler)
    except OSError as error:
        raise ValueError(f"there is no Dask scheduler at {options.scheduler!r}: {error}") from None
    try:
        found, names = watched.known(), _names(store)
        if stopped := options.cancel or options.pause:
            key = named(stopped, found, names)
            (watched.cancel if options.cancel else watched.pause)(key)
            print(f"{names.get(key, key)} stops soon; what it has finished is kept.")
        elif options.resume:
            study = unfinished(options.resume, store)
            watched.submit(study, Prices(store.entries().entries).of(study) or 0.0)
            print(f"{study.name} goes on.")
        else:
            _show([row(key, names.get(key, "?"), progress) for key, progress in found.items()], options.json)
    finally:
        watched.close()
    return 0


def unfinished(text: str, store: Store) -> Study:
    """The unfinished study that a name, or the first four or more digits of a key, stands for.

    Raises:
      ValueError: where none or several do; the message lists what is unfinished.
    """
    begun = {study.key: study for study in store.begun()}
    return begun[_one(text, {key: study.name for key, study in begun.items()}, "is unfinished", "unfinished:")]


def named(text: str, found: Mapping[str, Progress], names: Mapping[str, str]) -> str:
    """The key of the active study that a name, or the first four or more digits of a key, stands for.

    Raises:
      ValueError: where none or several do; the message lists what runs.
    """
    active = {key: names.get(key, "?") for key, progress in found.items() if progress.active}
    return _one(text, active, "is running", "running:")


def _one(text: str, names: Mapping[str, str], which: str, others: str) -> str:
    fitting = [key for key, name in names.items() if name == text or means(text, name, key)]
    if len(fitting) != 1:
        there = ", ".join(f"{name} ({key})" for key, name in names.items()) or "nothing"
        number = "several studies" if fitting else "no study"
        raise ValueError(f"{text!r} names {number} that {which}; {others} {there}")
    return fitting[0]


def row(key: str, name: str, progress: Progress) -> dict[str, Any]:
    """A study as a row of the table; `doing` says why it failed, and `lines` end its traceback; `refused` says
    why each worker that must not compute it is passed over.
    """
    return {
        "name": name,
        "key": key,
        "state": progress.state,
        "fraction": progress.fraction,
        "seconds_left": progress.left,
        "doing": progress.error or progress.activity,
        "found": progress.found,
        "tasks": progress.tasks,
        "device": progress.device,
        "lines": progress.lines,
        "refused": dict(progress.refused),
    }


def _show(rows: list[dict[str, Any]], as_json: bool) -> None:
    from landscape.analysis.wording import duration
    from landscape.cli.tables import json_text, table

    if as_json:
        print(json_text(rows))
        return
    if not rows:
        print("Nothing is being computed in the background.")
        return
    for each in rows:
        each["done"] = f"{each['fraction']:.0%}"
        each["left"] = "?" if each["seconds_left"] is None else duration(each["seconds_left"])
    print(table(COLUMNS, [[each[name] for name in COLUMNS] for each in rows]))
    for each in rows:
        for reason in each["refused"].values():
            print(f"\n{each['name']} ({each['key']}) passes a worker over: {reason}")
        if each["lines"]:
            print(f"\nThe last lines of {each['name']} ({each['key']}):\n{each['lines']}")


def _names(store: Store) -> dict[str, str]:
    """The names of the studies of which something is known here, by key."""
    studies = (*presets().values(), *store.begun(), *(entry.study for entry in store.entries().entries))
    return {study.key: study.name for study in studies}
