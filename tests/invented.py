"""A study of invented tasks, which wait for the test that runs them, and a Dask cluster in this process."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest
import xarray as xr
from distributed import LocalCluster

from landscape.jobs import resume
from landscape.jobs.background.client import Jobs, connect
from landscape.jobs.plan import Task
from landscape.jobs.progress import OnActivity, Progress, Update
from landscape.jobs.tasks.outcome import Outcome
from landscape.store import places
from landscape.study import Study, validated

SEEDS = 4


def study(**changes: object) -> Study:
    content = {
        "name": "tiny",
        "data": {"train_size": 120, "validation_size": 100},
        "model": {"kind": "mlp", "hidden": [5]},
        "candidates": [[{"widen": "hidden1", "size": 6}]],
        "training": {"batch_size": 60, "base_epochs": 2, "epochs": 1},
        "walk": {"group": "hidden1", "permutations": 4, "batch_size": 60, "nodes": 2},
        "seeds": SEEDS,
    }
    return validated(content | changes)


def ignore(update: Update) -> None:
    """An `on_update` that nobody needs."""


class Script:
    """What the invented tasks do, and which of them ran, over all attempts."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.go = threading.Event()  # tasks of seed 1 and more wait for it, reporting all the time
        self.error: Exception | None = None  # raised by the task of seed 1


SCRIPT = Script()  # tasks find it here, as they come to the worker by name


def chain(study: Study, divisions: int = 1, first: int = 0) -> dict[str, Task]:
    """One task a seed, each of which adds 1 to the number that the one before gives it."""
    names = [f"seed{seed}" for seed in range(study.seeds)]
    return {
        name: Task(partial(link, seed), tuple(names[max(0, seed - 1) : seed]), 1.0 + seed)
        for seed, name in enumerate(names)
    }


def running(jobs: Jobs) -> list[str]:
    return [key for key, progress in jobs.known().items() if progress.active]


def link(seed: int, *earlier: Outcome, on_activity: OnActivity) -> Outcome:
    SCRIPT.ran.append(f"seed{seed}")
    if seed == 1 and SCRIPT.error:
        raise SCRIPT.error
    while seed and not SCRIPT.go.is_set():
        on_activity(f"seed {seed}: waiting", 1, 2)
        time.sleep(0.02)
    before = earlier[0].weights["end"]["number"] if earlier else np.zeros(1)
    part = xr.Dataset({"base_stop": ("seed", before)}, {"seed": [seed]})
    return Outcome(part, {"end": {"number": before + 1}})


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Script:
    monkeypatch.setattr(resume, "plan_study", chain)
    monkeypatch.setattr(sys.modules[__name__], "SCRIPT", Script())
    monkeypatch.setattr(places, "GALLERY", tmp_path / "no gallery")
    return SCRIPT


@contextlib.contextmanager
def cluster(**workers: Any) -> Iterator[LocalCluster]:
    """A Dask cluster in this process, which leaves Dask's configuration as it was.

    The client of a worker makes itself Dask's scheduler there, and stays it where another client is still open.
    """
    quiet = {"protocol": "tcp", "dashboard_address": None, "silence_logs": 50}
    with dask.config.set(scheduler=None), LocalCluster(processes=False, **quiet, **workers) as opened:
        yield opened


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A cluster with one worker of one thread, as a machine with one device."""
    with cluster(n_workers=1, threads_per_worker=1) as opened:
        yield opened.scheduler_address


@pytest.fixture
def client(address: str, tmp_path: Path) -> Iterator[Callable[[], Jobs]]:
    """Makes clients of one cache folder, as different processes would."""
    made: list[Jobs] = []

    def make() -> Jobs:
        made.append(connect(tmp_path / "cache", address))
        return made[-1]

    yield make
    for jobs in made:
        jobs.close()


def running_second(progress: Progress) -> bool:
    return progress.parts == 1 and ": seed 1: waiting" in progress.activity


def expected(study: Study) -> np.ndarray:
    return np.arange(study.seeds, dtype=np.float32)
