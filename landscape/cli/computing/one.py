"""The commands that compute: a study here or on a Dask scheduler, a result for the gallery, the app's engine."""

from __future__ import annotations

import argparse
import json
import os
import time
from typing import TYPE_CHECKING

from landscape.cli.naming import named_study
from landscape.cli.saying import say
from landscape.store.results import Store
from landscape.study import Study
from landscape.study.files import in_the_vocabulary_of
from landscape.study.presets import preset

if TYPE_CHECKING:
    import xarray as xr

    from landscape.jobs.progress import Update
    from landscape.store.sealed import Unwritable

NOT_STORED = 1  # exit code
POLLING = 0.1  # seconds between two looks at a scheduler's progress


class ComputationError(RuntimeError):
    """A study failed, or was cancelled, on the scheduler that was computing it."""


def run(options: argparse.Namespace) -> int:
    """Compute a study unless it is stored; then print its table, or one line of JSON."""
    since, store = time.time(), Store(options.cache)
    study = named_study(options.name, store).scaled(**sizes(options))
    if options.weights:
        study = study.starting_from(options.weights)
    if options.vocabulary:
        study = in_the_vocabulary_of(options.vocabulary, study)
    dataset, trouble = result(study, store, options)
    if options.json:
        path = None if trouble else str(store.entry(study.key).path)
        print(json.dumps({"key": study.key, "path": path, "seconds": round(time.time() - since, 3)}))
    else:
        _print_summary(dataset)
    if trouble:
        say("error", f"the result is not stored: {trouble}")
    return NOT_STORED if trouble else 0


def sizes(options: argparse.Namespace) -> dict[str, int | None]:
    """The sizes that the options give a study, for `Study.scaled`."""
    return {name: getattr(options, name) for name in ("seeds", "epochs", "train_size", "permutations")}


def result(study: Study, store: Store, options: argparse.Namespace) -> tuple[xr.Dataset, Unwritable | None]:
    """The result, computed where the options say if necessary, and why it could not be stored."""
    if options.scheduler:
        return _computed_on(options.scheduler, study, store), None
    return _computed_here(study, store, options.workers)


def gallery(options: argparse.Namespace) -> int:
    """Put a preset's result into the gallery, computing it if necessary."""
    store, study = Store(options.cache), preset(options.name)
    _, trouble = _computed_here(study, store, 1)  # nothing else of it runs while its walks are timed
    if trouble:
        raise trouble
    print(store.publish(study.key, study.name).path)
    return 0


def engine(options: argparse.Namespace) -> int:
    """Compute what clients of this cache folder ask for, until they have asked for nothing for a while."""
    import asyncio

    from landscape.jobs.background.engine import serve

    asyncio.run(serve(Store(options.cache).root, options.idle))
    return 0


def _computed_here(study: Study, store: Store, workers: int | None) -> tuple[xr.Dataset, Unwritable | None]:
    """The result, computed on this computer if necessary, and why it could not be stored.

    On a processor, so many processes share the tasks; None is as many as are worth it, and 1 is this one.
    """
    from landscape.cli.computing.progress import ProgressLine
    from landscape.cli.listing import Prices
    from landscape.jobs.local import PREALLOCATE, computed
    from landscape.jobs.processes import programs
    from landscape.jobs.processes.garbage import collect_seldom
    from landscape.jobs.progress import Tally

    os.environ.setdefault(PREALLOCATE, "false")  # the app may be using the same GPU
    programs.share(store.root)
    collect_seldom()
    expected = Prices(store.entries().entries).of(study)
    tally = Tally(expected or 0.0)
    with ProgressLine() as line:

        def on_update(update: Update) -> None:
            tally.add(update)
            if progress := tally.progress():
                line.show(progress)

        return computed(study, store, on_update, workers or _worth(study, store, expected))


def _worth(study: Study, store: Store, expected: float | None) -> int:
    """How many processes are worth starting; what is stored is read without asking, since that takes JAX."""
    if study.key in store:
        return 1
    from landscape.jobs.processes import capacity

    return capacity.worth(study, expected)


def _computed_on(address: str, study: Study, store: Store) -> xr.Dataset:
    """The result, computed by the workers of a Dask scheduler, who must be able to see the cache folder."""
    from landscape.cli.computing.progress import ProgressLine
    from landscape.jobs.background.client import connect
    from landscape.jobs.own import surveyed

    if study.model.refusal:
        raise ValueError(f"workers have no code of one's own and are sent none: run {study.name} without --scheduler")
    try:
        jobs = connect(store.root, address)
    except OSError as error:
        raise ValueError(f"there is no Dask scheduler at {address!r}: {error}") from None
    try:
        with ProgressLine() as line:
            jobs.submit(surveyed(study))
            while (progress := jobs.progress(study.key)) and progress.active:
                line.show(progress)
                time.sleep(POLLING)
    except KeyboardInterrupt:
        jobs.cancel(study.key)
        raise
    finally:
        jobs.close()
    if progress and progress.state != "done":  # None: it was stored already
        raise ComputationError(f"{study.name} {progress.state}: {progress.error}".removesuffix(": "))
    return store.read(study.key)


def _print_summary(dataset: xr.Dataset) -> None:
    from landscape.analysis.summary import summary
    from landscape.cli.tables import summary_text

    print(summary_text(summary(dataset)))
