"""What the commands of `python -m landscape` do; each imports what it needs, so that the light ones start fast.

A command takes its parsed options and returns the exit code.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from landscape.store.results import Entry, Store
from landscape.study import Study, from_toml, validated
from landscape.study.presets import preset, presets

if TYPE_CHECKING:
    import xarray as xr

    from landscape.store.sealed import Unwritable

NOT_STORED = 1  # exit code


class ComputationError(RuntimeError):
    """A study failed or was cancelled where it was being computed."""


def list_studies(options: argparse.Namespace) -> int:
    """Presets, results and studies begun, by name, with the time they took or would take; what is damaged on stderr."""
    from landscape.cli.terminal import table

    store = Store(options.cache)
    listing, begun = store.entries(), {study.key: study for study in store.begun()}
    for damage in listing.damaged:
        print(f"warning: {damage}", file=sys.stderr)
    prices = Prices(listing.entries)
    known = {entry.key for entry in listing.entries}
    rows = [_listed(entry.record, "shipped" if entry.shipped else "cached") for entry in listing.entries]
    absent = {study.key: study for study in presets().values() if study.key not in known} | begun
    rows += [
        _listed(_described(study), "begun" if key in begun else "not computed")
        | {"estimated_seconds": prices.of(study)}
        for key, study in absent.items()
    ]
    rows.sort(key=lambda row: (row["name"], row["state"], row["key"]))
    print(json.dumps(rows, ensure_ascii=False, indent=1) if options.json else table(LISTED, list(map(_shown, rows))))
    return 0


LISTED = ("name", "state", "seeds", "epochs", "permutations", "time", "reproduces", "title")


class Prices:
    """Estimated seconds of studies, from the stored result that is nearest to each."""

    def __init__(self, entries: Sequence[Entry]):
        from landscape.store import netcdf

        self._known = {validated(entry.record["study"]): entry for entry in entries}
        self._read = cache(netcdf.read)

    def of(self, study: Study) -> float | None:
        """None where nothing is stored that tells, or the study cannot be counted before its data are loaded."""
        from landscape.analysis import cost

        try:
            reference = cost.nearest(study, self._known)
            if reference is None:
                return None
            entry = self._known[reference]
            return cost.estimate(study, self._read(entry.path), float(entry.record["seconds"])).seconds
        except ValueError:
            return None


def _described(study: Study) -> dict[str, Any]:
    return {"key": study.key, "name": study.name, "title": study.title, "study": study.model_dump(mode="json")}


def _listed(record: dict[str, Any], state: str) -> dict[str, Any]:
    study = record["study"]
    return {
        "name": record["name"],
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


def _shown(row: dict[str, Any]) -> list[object]:
    """A row of the table: the time that a result took, or about how long the study would take here."""
    from landscape.cli.terminal import duration

    took, would = row["seconds"], row["estimated_seconds"]
    time = duration(took) if took is not None else "?" if would is None else f"about {duration(would)}"
    return [time if name == "time" else row[name] for name in LISTED]


def run(options: argparse.Namespace) -> int:
    """Compute a study, unless it is stored; then its table, or one line of JSON."""
    since, store = time.time(), Store(options.cache)
    sizes = {name: getattr(options, name) for name in ("seeds", "epochs", "train_size", "permutations")}
    study = _study(options.name).scaled(**sizes)
    dataset, trouble = _on_scheduler(study, store, options.scheduler) if options.scheduler else _here(study, store)
    if options.json:
        path = None if trouble else str(store.entry(study.key).path)
        print(json.dumps({"key": study.key, "path": path, "seconds": round(time.time() - since, 3)}))
    else:
        _print_summary(dataset)
    if trouble:
        print(f"error: the result is not stored: {trouble}", file=sys.stderr)
    return NOT_STORED if trouble else 0


def _here(study: Study, store: Store) -> tuple[xr.Dataset, Unwritable | None]:
    """The result, computed in this process if need be, and why it could not be stored."""
    from landscape.cli.terminal import ProgressLine
    from landscape.jobs.local import PREALLOCATE, computed
    from landscape.jobs.progress import News, Report, Tally

    tally, line = Tally(), ProgressLine()
    os.environ.setdefault(PREALLOCATE, "false")  # the app may use the same GPU

    def hear(message: News | Report) -> None:
        tally.hear(message)
        if progress := tally.progress():
            line.show(progress)

    try:
        return computed(study, store, hear)
    finally:
        line.end()


def _on_scheduler(study: Study, store: Store, address: str) -> tuple[xr.Dataset, None]:
    """The result, computed by the workers of a Dask scheduler, who must see the cache folder."""
    from landscape.cli.terminal import ProgressLine
    from landscape.jobs.client import connect

    try:
        jobs = connect(store.root, address)
    except OSError as error:
        raise ValueError(f"no Dask scheduler at {address!r}: {error}") from None
    line = ProgressLine()
    try:
        jobs.submit(study)
        while (progress := jobs.progress(study.key)) and progress.active:
            line.show(progress)
            time.sleep(0.1)
    except KeyboardInterrupt:
        jobs.cancel(study.key)
        raise
    finally:
        line.end()
        jobs.close()
    if progress is None or progress.state != "done":
        raise ComputationError(f"{study.name} {progress and progress.state}: {progress and progress.error}")
    return store.read(study.key), None


def show(options: argparse.Namespace) -> int:
    """The numbers of a stored result."""
    dataset = _opened(options.name, Store(options.cache))
    if options.json:
        from landscape.analysis.summary import summary

        _print_json(summary(dataset, options.q, options.n))
    else:
        _print_summary(dataset, options.q, options.n)
    return 0


def export(options: argparse.Namespace) -> int:
    """A stored result as a file, for other programs."""
    from landscape.analysis.summary import long_table
    from landscape.store import netcdf

    target = _target(options.output, ".nc", ".csv")
    dataset = _opened(options.name, Store(options.cache))
    if target.suffix == ".nc":
        content = netcdf.encode(dataset)
    else:
        content = long_table(dataset, options.q, options.n).to_csv().encode()
    _write(target, content)
    return 0


def report(options: argparse.Namespace) -> int:
    """A stored result as one HTML page, for people without this program."""
    target = _target(options.output, ".html")
    dataset = _opened(options.name, Store(options.cache))
    from landscape.cli.report import report

    _write(target, report(dataset, options.q, options.n).encode())
    return 0


def _target(path: str, *suffixes: str) -> Path:
    if Path(path).suffix not in suffixes:
        raise ValueError(f"the file to write must end in {' or '.join(suffixes)}; got {path!r}")
    return Path(path)


def _write(target: Path, content: bytes) -> None:
    """Write a file whole or not at all, and print its path. Raises ValueError."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise ValueError(f"cannot write {target}: {error.strerror}") from None
    print(target)


def data(options: argparse.Namespace) -> int:
    """Prepare a data set, or say what is missing; without a name, tell which are here."""
    from landscape.data import available, prepare, status

    if options.name is None:
        for name in available():
            print(status(name).text)
        return 0
    print(prepare(options.name))
    return 0


def gallery(options: argparse.Namespace) -> int:
    """Put a preset's result into the gallery, computing it if need be."""
    store, study = Store(options.cache), preset(options.name)
    _, trouble = _here(study, store)
    if trouble:
        raise trouble
    print(store.publish(study.key, study.name).path)
    return 0


def engine(options: argparse.Namespace) -> int:
    """Compute what clients of this cache folder ask for, until there has been nothing to do for a while."""
    import asyncio

    from landscape.jobs.engine import serve

    asyncio.run(serve(Store(options.cache).root, options.idle))
    return 0


def _study(text: str) -> Study:
    """The study of a TOML file or a preset. Raises ValueError."""
    if Path(text).suffix != ".toml":
        return preset(text)
    try:
        return from_toml(text)
    except OSError as error:
        raise ValueError(f"{text}: {error.strerror}") from None


def _opened(text: str, store: Store) -> xr.Dataset:
    """The stored result that a name, a key or a file means. Raises ValueError."""
    if Path(text).suffix != ".toml":
        return store.open(text)
    study = _study(text)
    if study.key not in store:
        raise ValueError(f"{text} is not computed yet; compute it by: python -m landscape run {text}")
    return store.read(study.key)


def _print_json(value: object) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=1))


def _print_summary(dataset: xr.Dataset, q: float | None = None, n: int | None = None) -> None:
    from landscape.analysis.summary import Q, summary
    from landscape.cli.terminal import summary_text

    print(summary_text(summary(dataset, Q if q is None else q, n)))
