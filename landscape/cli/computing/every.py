"""Every preset of one scale, one after another: what that takes is printed first, and none stops the others."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

from landscape.analysis.wording import duration, size_in_words
from landscape.cli.computing import one
from landscape.cli.saying import say
from landscape.store.places import free_bytes
from landscape.store.results import Store
from landscape.study import Study
from landscape.study.presets import LAPTOP, PAPER, presets, scale_of

FAILED = 1  # exit code where a study failed
COLUMNS = ("name", "state", "time on cores", "time on a GPU", "disk")


class Forecast(NamedTuple):
    """What it takes to compute a study: seconds on a processor and on a GPU, by results there, and bytes meanwhile.

    None where that is not known.
    """

    study: Study
    state: str
    cores: float | None
    gpu: float | None
    disk: float | None

    def row(self) -> list[str]:
        """Its line of the table."""
        times = ["–" if self.state == "stored" else _time(each) for each in (self.cores, self.gpu)]
        disk = "–" if self.state == "stored" else "?" if self.disk is None else size_in_words(self.disk)
        return [self.study.name, self.state, *times, disk]


def run(options: argparse.Namespace) -> int:
    """Compute the study of a name, or all presets of a scale. Raises ValueError unless one of both is asked for."""
    if options.all == bool(options.name):
        raise ValueError("run takes either the NAME of a study or --all")
    if not options.all:
        if options.scale:
            raise ValueError(f"--scale goes with --all; NAME-{PAPER} is the preset NAME at the paper's scale")
        return one.run(options)
    if options.weights or options.vocabulary:
        raise ValueError("--weights and --vocabulary go with one study, not with --all")
    return _run_all(options, Store(options.cache))


def _run_all(options: argparse.Namespace, store: Store) -> int:
    """Compute what is not stored, what takes least time first; say at the end what failed, and why."""
    studies = [study for name, study in presets().items() if scale_of(name) == (options.scale or LAPTOP)]
    forecasts = forecast([study.scaled(**one.sizes(options)) for study in studies], store)
    if not options.json:
        print(_table(forecasts, store), flush=True)
    failed = {}
    for each in forecasts:
        if error := _outcome(each.study, options, store):
            failed[each.study.name] = error
    for name, error in failed.items():
        say("error", f"{name} failed: {error}")
    if failed:
        print(f"Failed: {len(failed)} of {len(forecasts)}. The same command tries them again.", file=sys.stderr)
    return FAILED if failed else 0


def _outcome(study: Study, options: argparse.Namespace, store: Store) -> str:
    """Compute a study, say that it is stored, and return why it is not; nothing if it is."""
    since, error = time.time(), ""
    if not options.json:
        print(f"{study.name}: {study.title}", file=sys.stderr, flush=True)
    try:
        _, trouble = one.result(study, store, options)
        error = str(trouble or "")
    except Exception as raised:  # whatever it is, the other studies can do without this one
        error = str(raised).strip().partition("\n")[0] or type(raised).__name__
    if options.json:
        told = {"error": error} if error else {"path": str(store.entry(study.key).path)}
        print(json.dumps({"name": study.name, "key": study.key, "seconds": round(time.time() - since, 3)} | told))
    return error


def forecast(studies: Sequence[Study], store: Store) -> list[Forecast]:
    """What each study takes, those that are known to take least time first."""
    from landscape.cli.listing import Prices
    from landscape.jobs.footprint import footprint

    entries, begun = store.entries().entries, {study.key for study in store.begun()}
    cores, gpu = Prices(entries), Prices(entries, on_gpu=True)

    def disk(study: Study) -> float | None:
        try:
            return footprint(study).disk
        except ValueError:  # nothing here tells how many examples there are
            return None

    def state(study: Study) -> str:
        return "stored" if study.key in store else "unfinished" if study.key in begun else "not computed"

    found = [Forecast(study, state(study), cores.of(study), gpu.of(study), disk(study)) for study in studies]
    return sorted(found, key=lambda each: (each.cores is None, each.cores or 0.0))


def _table(forecasts: Sequence[Forecast], store: Store) -> str:
    """A line for each study, and what they take together."""
    from landscape.cli.tables import table

    left = [each for each in forecasts if each.state != "stored"]
    cores, gpu = (_together([getattr(each, name) for each in left]) for name in ("cores", "gpu"))
    most = max((each.disk or 0.0 for each in left), default=0.0)
    free = free_bytes(store.root)
    sentences = [
        f"To compute: {len(left)} of {len(forecasts)} studies, {cores} on a processor or {gpu} on a GPU, "
        "estimated from their multiply-adds, and on a GPU from results that were computed on one.",
        f"Checkpoints take up to {size_in_words(most)} at a time, until their study is finished; {size_in_words(free)} "
        f"are free{', which is not enough' if most > free else ''}.",
        "It can be stopped at any time: the same command goes on from there.",
    ]
    return "\n".join([table(COLUMNS, [each.row() for each in forecasts]), "", *sentences, ""])


def _together(times: Sequence[float | None]) -> str:
    known = [each for each in times if each is not None]
    more = f" without the {len(times) - len(known)} that nobody can tell" if len(known) < len(times) else ""
    return f"about {duration(sum(known))}{more}"


def _time(seconds: float | None) -> str:
    return "?" if seconds is None else f"about {duration(seconds)}"
