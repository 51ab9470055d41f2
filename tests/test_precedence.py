"""A small study does not wait behind a large one, and nothing waits for ever: invented tasks on one thread or two."""

from __future__ import annotations

import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from invented import cluster
from waiting import ended, eventually, until

from landscape.jobs import progress, resume
from landscape.jobs.background import worker
from landscape.jobs.background.client import Jobs, connect
from landscape.jobs.guard import precedence
from landscape.jobs.plan import Task
from landscape.jobs.processes import capacity
from landscape.jobs.progress import OnActivity
from landscape.jobs.tasks.outcome import Outcome
from landscape.numerics import clock
from landscape.store import places
from landscape.store.parts.kept import is_computed_now
from landscape.study import Study, validated

pytestmark = [pytest.mark.slow, pytest.mark.compiled_quickly]


def study(name: str, seeds: int, permutations: int = 4) -> Study:
    content = {
        "name": name,
        "data": {"train_size": 120, "validation_size": 100},
        "model": {"kind": "mlp", "hidden": [5]},
        "candidates": [[{"widen": "hidden1", "size": 6}]],
        "training": {"batch_size": 60, "base_epochs": 2, "epochs": 1},
        "walk": {"group": "hidden1", "permutations": permutations, "batch_size": 60, "nodes": 2},
        "seeds": seeds,
    }
    return validated(content)


LARGE, SMALL, BROAD = study("large", 6, 10**5), study("small", 4), study("broad", 5)


class Script:
    """What the invented tasks wait for and do."""

    def __init__(self) -> None:
        self.gates = defaultdict[str, threading.Event](threading.Event)  # by study, what its tasks wait for
        self.reports = Counter[tuple[str, int]]()  # by study and seed, how often the task has reported
        self.ended = list[tuple[str, int]]()
        self.stood = dict[tuple[str, int], float]()  # seconds in which the clock of the task stood still

    def seeds(self, name: str) -> set[int]:
        """The seeds of a study whose tasks are under way or have ended."""
        return {seed for study, seed in [*self.reports] if study == name}


SCRIPT = Script()  # tasks find it here, as they come to the worker by name


def planned(study: Study, divisions: int = 1, first: int = 0) -> dict[str, Task]:
    """One task a seed. Those of the small study need the one before."""
    names = [f"base-seed{seed}" for seed in range(study.seeds)]
    after = {name: names[i - 1 : i] for i, name in enumerate(names) if i and study.name == "small"}
    return {name: Task(partial(task, study.name, seed), tuple(after.get(name, ()))) for seed, name in enumerate(names)}


def task(name: str, seed: int, *earlier: Outcome, on_activity: OnActivity) -> Outcome:
    """It goes on until the gate of its study is open, and reports all the time."""
    SCRIPT.reports[name, seed], before = 0, stood_still()
    try:
        while not SCRIPT.gates[name].wait(0.01):
            on_activity("waiting", 1, 2)
            SCRIPT.reports[name, seed] += 1
    finally:
        SCRIPT.stood[name, seed] = stood_still() - before
        SCRIPT.ended.append((name, seed))
    return Outcome(xr.Dataset({"base_stop": ("seed", np.ones(1))}, {"seed": [seed]}), {})


def stood_still() -> float:
    return getattr(clock.WAITED, "seconds", 0.0)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Script:
    monkeypatch.setattr(resume, "plan_study", planned)
    monkeypatch.setattr(sys.modules[__name__], "SCRIPT", Script())
    monkeypatch.setattr(places, "GALLERY", tmp_path / "no gallery")
    monkeypatch.setattr(progress, "PERIOD", 0.0)  # each report is an update
    monkeypatch.setattr(precedence, "PERIOD", 0.02)
    return SCRIPT


@pytest.fixture
def jobs(request: pytest.FixtureRequest, script: Script, tmp_path: Path) -> Iterator[Jobs]:
    """A client of a worker with as many threads as the parameter says, and the tags of an engine's first worker."""
    threads = getattr(request, "param", 1)
    with cluster(n_workers=1, threads_per_worker=threads, resources=capacity.tags()[0]) as opened:
        found = connect(tmp_path / "cache", opened.scheduler_address)
        yield found
        for gate in ("large", "small"):
            script.gates[gate].set()
        for key in found.known():
            until(found, key, ended)
        found.close()


def begun(script: Script, *seeds: int) -> Callable[[], bool]:
    """Whether these tasks of the large study are under way and have reported."""
    return lambda: all(script.reports["large", seed] > 1 for seed in seeds)


one_and_two = pytest.mark.parametrize("jobs", [1, 2], indirect=True, ids=["one thread", "two threads"])


@one_and_two
def test_many_tasks_of_a_large_study_let_all_of_small_ones_go_first(
    script: Script, jobs: Jobs, request: pytest.FixtureRequest
) -> None:
    """However often one of a small study ends, no more tasks of the large one are under way than threads.

    The time in which they step aside is no part of what they took.

    The tasks of the broad one could all begin at once: Dask must not keep back what is more than the worker has free.
    """
    threads = request.node.callspec.params["jobs"]
    jobs.submit(LARGE)
    eventually(begun(script, *range(threads)))
    for small in (SMALL, BROAD):
        script.gates[small.name].set()
        jobs.submit(small)
        assert until(jobs, small.key, ended).state == "done"
        assert script.seeds("large") == {*range(threads)} and jobs.progress(LARGE.key).active
    script.gates["large"].set()
    assert until(jobs, LARGE.key, ended).state == "done"
    assert script.stood["large", threads - 1] >= precedence.PERIOD and script.stood["small", 0] == 0
    assert sorted(script.ended) == sorted((each.name, i) for each in (LARGE, SMALL, BROAD) for i in range(each.seeds))


def test_large_studies_that_ask_for_the_same_tag_do_not_wait_for_each_other(
    script: Script, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task that steps aside keeps its tag, which another may need."""
    monkeypatch.setattr(capacity, "at_once", lambda study: 1)
    jobs.submit(LARGE)
    eventually(begun(script, 0))
    script.gates["small"].set()
    jobs.submit(SMALL)
    assert until(jobs, SMALL.key, ended).state == "done"


@pytest.mark.parametrize("jobs", [2], indirect=True)
def test_one_thread_that_a_small_study_needs_is_all_that_it_gets(script: Script, jobs: Jobs) -> None:
    """The other task of the large study goes on beside it."""
    jobs.submit(LARGE)
    eventually(begun(script, 0, 1))
    jobs.submit(study("small", 1))
    eventually(lambda: script.reports["small", 0] > 1)
    before, small = Counter(script.reports), script.reports["small", 0]
    eventually(lambda: script.reports["large", 0] > before["large", 0] + 9 and script.reports["small", 0] > small + 9)
    assert script.reports["large", 1] <= before["large", 1] + 1 and script.seeds("large") == {0, 1}


def test_a_task_that_waits_is_cancelled_at_once(script: Script, jobs: Jobs) -> None:
    """While another has the thread and reports nothing, as one that compiles."""
    jobs.submit(LARGE)
    eventually(begun(script, 0))
    jobs.submit(SMALL)
    eventually(lambda: script.reports["small", 0] > 1)
    jobs.cancel(LARGE.key)
    assert until(jobs, LARGE.key, ended).state == "cancelled"
    eventually(lambda: ("large", 0) in script.ended)
    assert ("small", 0) not in script.ended


def test_a_study_that_waits_for_workers_to_start_is_cancelled_at_once(
    script: Script, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(worker.WORKERS, "2")
    jobs.submit(SMALL)
    eventually(partial(is_computed_now, jobs.store.parts(SMALL).folder))
    jobs.cancel(SMALL.key)
    assert until(jobs, SMALL.key, ended).state == "cancelled"


def test_the_same_class_does_not_run_twice_on_one_thread(script: Script, jobs: Jobs) -> None:
    """A task that came back goes on alone; what Dask has begun in its place meanwhile waits, and does nothing."""
    other = study("other", 7, 10**5)
    jobs.submit(LARGE)
    eventually(begun(script, 0))
    jobs.submit(other)
    eventually(lambda: jobs.progress(other.key).tasks)  # it is planned, by a task that had the thread
    reports = script.reports["large", 0]
    eventually(lambda: script.reports["large", 0] > reports + 50)
    assert script.seeds("large") == {0} and script.seeds("other") == set()
    script.gates["other"].set()
    script.gates["large"].set()
    assert {until(jobs, key, ended).state for key in (LARGE.key, other.key)} == {"done"}
