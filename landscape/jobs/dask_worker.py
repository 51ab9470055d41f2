"""What runs on Dask's workers: one coordinating task a study, which submits the study's tasks.

The modules that import JAX are imported inside the functions, so that a client can name these without it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distributed import Client, Event, SchedulerPlugin, get_client, get_worker, secede, wait

from landscape.jobs.attempt import Attempt
from landscape.jobs.progress import StudyUpdate, Update

if TYPE_CHECKING:
    from landscape.jobs.resume import AnyOutcome, Arrived, Outcomes, Planned

PERIOD = 0.5  # seconds between two looks at whether to stop
WORKERS = "LANDSCAPE_WORKERS"  # the environment variable by which the workers of an engine know how many they are
STARTUP = 120  # seconds that a worker may take to start


class Cancelled(Exception):
    """The study was asked to stop."""


def folder_name(root: Path) -> str:
    """What a scheduler calls a cache folder: those who share a scheduler may compute one study for several folders."""
    return hashlib.sha256(str(root).encode()).hexdigest()[:16]


def identity(root: Path, study: str, attempt: int) -> str:
    """The Dask key of an attempt at a study for a cache folder, and the name of the event that asks it to stop."""
    return f"study-{folder_name(root)}-{study}-{attempt}"


def topic(folder: str, kind: type[Update]) -> str:
    """The topic of Dask's event log for the updates of one kind about the studies of a cache folder."""
    return f"landscape-{folder}-{kind.__name__}"


def run_study(attempt: Attempt) -> None:
    """Compute a study and write it to the store; the last `StudyUpdate` says how it ended.

    Leaves the worker's thread pool first, so that a worker with one thread has it for the study's tasks.
    """
    secede()
    client, study, since = get_client(), attempt.study, time.time()
    update = StudyUpdate(study.key, attempt.number, "done", since, since)
    stop = Event(identity(attempt.store.root, study.key, attempt.number), client)
    publish = partial(publish_update, folder_name(attempt.store.root))
    try:
        from landscape.jobs.resume import compute, divided, finish

        with attempt.parts.sole_computation(partial(raise_if_set, stop)):
            if study.key not in attempt.store:
                attempt = divided(attempt, count_workers(client))
                finish(attempt, compute(attempt, partial(on_workers, client, stop, attempt), publish))
    except Cancelled:
        update = update._replace(state="cancelled")
    except Exception as error:
        stop.set()  # its other tasks are of no use now, and the next attempt gets another key
        update = update._replace(state="failed", error=f"{type(error).__name__}: {error}")
    publish(update._replace(now=time.time()))


def raise_if_set(stop: Event) -> None:
    """Raises Cancelled where the study was asked to stop."""
    if stop.is_set():
        raise Cancelled


def count_workers(client: Client) -> int:
    """How many workers take part. Those of an engine that is still starting are waited for."""
    client.wait_for_workers(int(os.environ.get(WORKERS, 1)), timeout=STARTUP)
    return len(client.scheduler_info(n_workers=-1)["workers"])


def on_workers(client: Client, stop: Event, attempt: Attempt, planned: Planned, arrived: Arrived) -> Outcomes:
    """Run the missing tasks as Dask tasks, and yield their outcomes as they arrive. Raises Cancelled.

    Dask starts a task once what it needs has arrived; of those that could start, the first in the plan.
    """
    futures = {name: client.scatter(outcome) for name, outcome in arrived.items()}
    missing = [name for name in planned if name not in arrived]
    study = identity(attempt.store.root, attempt.study.key, attempt.number)
    for i, name in enumerate(missing):
        needs = [futures[need] for need in planned[name].needs]
        futures[name] = client.submit(run_task, attempt, name, *needs, key=f"{name}-{study}", priority=-i)
    names = {futures[name]: name for name in missing}
    del futures  # from here on, Dask keeps an outcome as long as a task needs it
    try:
        while names:
            for future in finished(list(names), stop):
                yield names.pop(future), future.result()
    finally:
        client.cancel(list(names))


def finished(futures: list[Any], stop: Event) -> set[Any]:
    """Wait until at least one of the futures is finished: all that are finished by then. Raises Cancelled."""
    while True:
        raise_if_set(stop)
        with contextlib.suppress(TimeoutError):
            return wait(futures, timeout=PERIOD, return_when="FIRST_COMPLETED").done


def run_task(attempt: Attempt, name: str, *needs: AnyOutcome) -> AnyOutcome:
    """Run one task of a study and publish its updates. Raises Cancelled soon after the study was asked to stop.

    The task is found by its name, so that the scheduler, which reads what is submitted, does not load JAX for it.
    """
    from landscape.jobs import resume

    root = attempt.store.root
    stop = Event(identity(root, attempt.study.key, attempt.number), get_client())

    def publish_or_stop(update: Update) -> None:
        raise_if_set(stop)
        publish_update(folder_name(root), update)

    task = resume.plan_study(attempt.study, attempt.divisions)[name]
    return resume.run_task(attempt, name, task, needs, publish_or_stop)


def publish_update(folder: str, update: Update) -> None:
    """Log an update as an event of the scheduler, for every client of the cache folder to hear."""
    get_worker().log_event(topic(folder, type(update)), update._asdict())


class DeathNotices(SchedulerPlugin):
    """Publishes that a study has failed where its worker died, since nobody on the worker can."""

    name, idempotent = "landscape-deaths", True

    async def start(self, scheduler: Any) -> None:
        """Called by the scheduler."""
        self._scheduler = scheduler

    def transition(self, key: Any, start: str, finish: str, *args: Any, **kwargs: Any) -> None:
        """Called by the scheduler whenever the state of a task changes.

        The coordinating task of a study catches whatever is raised in it. If it still ends in error, it never ran, or
        its worker died too often.
        """
        study = re.fullmatch("study-([0-9a-f]{16})-([0-9a-f]{16})-([0-9]+)", str(key))
        if finish == "erred" and study:
            error = kwargs.get("exception_text") or "the worker process died while computing: killed, or out of memory"
            update = StudyUpdate(study[2], int(study[3]), "failed", time.time(), time.time(), error=error)
            self._scheduler.log_event(topic(study[1], StudyUpdate), update._asdict())
