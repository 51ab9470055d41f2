"""The command for the cache folder: what it holds, whether all of it is intact, and how to make it smaller."""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from landscape.cli.saying import say
from landscape.store.results import Store
from landscape.store.upkeep import Holding, damages, holdings, is_in_use, remove, to_remove

COLUMNS = ("kind", "name", "key", "size", "age")
SECONDS = {"h": 3600.0, "d": 86400.0, "w": 7 * 86400.0}
BYTES = {"b": 1.0, "k": 1e3, "kb": 1e3, "m": 1e6, "mb": 1e6, "g": 1e9, "gb": 1e9, "t": 1e12, "tb": 1e12}
DAMAGED = 1  # exit code


def cache(options: argparse.Namespace) -> int:
    """List what the cache folder holds, verify it, or prune it."""
    if options.action != "prune" and (options.study or options.older_than or options.to_size or options.dry_run):
        raise ValueError(f"--study, --older-than, --to-size and --dry-run go with prune, not with {options.action}")
    return {"list": _list, "verify": _verify, "prune": _prune}[options.action](Store(options.cache), options)


def _list(store: Store, options: argparse.Namespace) -> int:
    """Print what there is, the oldest first, and how large it is together."""
    held = holdings(store)
    if options.json:
        _print_json(held)
        return 0
    _print_table(held)
    print(f"{_together(held)} in {store.root}")
    return 0


def _verify(store: Store, options: argparse.Namespace) -> int:
    """Compare every file with its checksum; name what is damaged."""
    found = damages(store)
    if options.json:
        from landscape.cli.tables import json_text

        print(json_text([{"name": damage.name, "reason": damage.reason} for damage in found]))
    for damage in () if options.json else found:
        print(damage)
    if not found and not options.json:
        print(f"Everything in {store.root} and all that is shipped is intact.")
    return DAMAGED if found else 0


def _prune(store: Store, options: argparse.Namespace) -> int:
    """Remove what is of no use and what was asked for; say what went, or would go, and what is being computed."""
    older, size = quantity(options.older_than, SECONDS), quantity(options.to_size, BYTES)
    taken = to_remove(holdings(store), studies=options.study, older_than=older, to_size=size)
    gone = [holding for holding in taken if (not is_in_use(holding) if options.dry_run else remove(holding))]
    for holding in taken:
        if holding not in gone:
            say("warning", f"{holding.name} ({holding.key}) is in use and stays")
    if options.json:
        _print_json(gone)
        return 0
    _print_table(gone)
    print(f"{'Would remove' if options.dry_run else 'Removed'} {_together(gone)} in {store.root}")
    return 0


def quantity(text: str | None, units: Mapping[str, float]) -> float | None:
    """A number with its unit, such as `30d` or `2 GB`, or 0; None where none was given.

    Raises:
      ValueError: that says what is allowed. Without a unit, somebody who means gigabytes would lose all but some bytes.

    Example:
      >>> from landscape.cli.caching import BYTES, SECONDS, quantity
      >>> quantity("30d", SECONDS), quantity("1.5 GB", BYTES)
      (2592000.0, 1500000000.0)
    """
    if text is None:
        return None
    found = re.fullmatch(r"\s*(\d{1,15}(?:\.\d+)?)\s*([a-z]+)\s*", text.lower())
    if text.strip() == "0":
        return 0.0
    if found is None or found[2] not in units:
        raise ValueError(f"{text!r} must be a number with a unit behind it, one of {', '.join(units)}")
    return float(found[1]) * units[found[2]]


def _together(held: Sequence[Holding]) -> str:
    from landscape.analysis.wording import counted, size_in_words

    return f"{counted(len(held), 'folder')}, {size_in_words(sum(holding.size for holding in held))}"


def _print_table(held: Sequence[Holding]) -> None:
    """A line for each; the outcomes of tasks, which are many, have one together, with the age of the oldest."""
    from landscape.cli.tables import table

    tasks, others = ([each for each in held if (each.kind == "task") is wanted] for wanted in (True, False))
    rows = [_row(each) for each in others]
    if tasks:
        first = tasks[0]._replace(size=sum(each.size for each in tasks), key="", name=f"{len(tasks):,} outcomes")
        rows.append(_row(first))
    if rows:
        print(table(COLUMNS, [[row[name] for name in COLUMNS] for row in rows]))


def _print_json(held: Sequence[Holding]) -> None:
    from landscape.cli.tables import json_text

    print(json_text([holding._asdict() | {"path": str(holding.path)} for holding in held]))


def _row(holding: Holding) -> dict[str, Any]:
    from landscape.analysis.wording import duration, size_in_words

    age = duration(max(0.0, time.time() - holding.changed))
    told = f"{holding.name}: {holding.reason}" if holding.reason else holding.name
    return holding._asdict() | {"name": told, "size": size_in_words(holding.size), "age": age}
