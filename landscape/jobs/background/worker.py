"""What runs on Dask's workers: one coordinating task a study, which submits the study's tasks.

The modules that import JAX are imported inside the functions, so that a client can name these without it.
"""

from __future__ import annotations

import contextlib
import os
import time
import traceback
from functools import partial
from typing import TYPE_CHECKING, Any

from distributed import Client, Event, KilledWorker, Reschedule, SchedulerPlugin, get_client, get_worker, secede, wait

from landscape.jobs.attempt import Attempt
from landscape.jobs.background.names import IDENTITY, folder_name, identity, pausing, task_key, topic
from landscape.jobs.guard.passing_over import check_worker
from landscape.jobs.guard.precedence import BegunTask, first_priority
from landscape.jobs.processes import capacity
from landscape.jobs.processes.garbage import collect_seldom
from landscape.jobs.progress import StudyUpdate, TaskUpdate, Update
from landscape.jobs.tasks.names import kind_of
from landscape.study import Study

if TYPE_CHECKING:
    from landscape.jobs.resume import AnyOutcome, Arrived, Outcomes, Planned

PERIOD = 0.5  # seconds between two looks at whether to stop
WORKERS = "LANDSCAPE_WORKERS"  # the environment variable by which the workers of an engine know how many they are
STARTUP = 120  # seconds that a worker may take to start
LINES = 12  # of a traceback that a failure is reported with
DIED = "the worker process died while computing, again and again: killed, or out of memory. Or it hung"


class Cancelled(Exception):
    """The study was asked to stop."""


def run_study(attempt: Attempt) -> None:
    """Compute a study and write it to the store; the last `StudyUpdate` says how it ended.

    Leaves the worker's thread pool first, so that a worker with one thread has it for the study's tasks.
    """
    secede()
    client, study, since = get_client(), attempt.study, time.time()
    update = StudyUpdate(study.key, attempt.number, "done", since, since)
    name, publish = identity_of(attempt), partial(publish_update, folder_name(attempt.store.root))
    stop = Event(name, client)
    try:
        check_worker(attempt, publish)
        from landscape.jobs.resume import arranged, compute, finish

        with attempt.parts.sole_computation(partial(raise_if_set, stop)):
            if study.key in attempt.store:
                attempt.parts.remove()  # whoever asked has noted the study there
            else:
                attempt = arranged(attempt, count_workers(client, stop))
                finish(attempt, compute(attempt, partial(on_workers, client, stop, attempt), publish))
    except Reschedule:
        raise
    except Cancelled:
        update = update._replace(state="paused" if Event(pausing(name), client).is_set() else "cancelled")
    except Exception as error:
        stop.set()  # its other tasks are of no use now, and the next attempt gets another key
        lines = "".join(traceback.format_exception(error)).splitlines()[-LINES:]
        reason = DIED if isinstance(error, KilledWorker) else f"{type(error).__name__}: {error}"
        update = update._replace(state="failed", error=reason, lines="\n".join(lines))
    publish(update._replace(now=time.time()))


def identity_of(attempt: Attempt) -> str:
    """What the scheduler calls an attempt."""
    return identity(folder_name(attempt.store.root), attempt.study.key, attempt.number)


def raise_if_set(stop: Event) -> None:
    """Raises Cancelled where the study was asked to stop."""
    if stop.is_set():
        raise Cancelled


def count_workers(client: Client, stop: Event) -> int:
    """How many workers take part. Those of an engine that is still starting are waited for.

    Raises Cancelled, and TimeoutError where one of them does not start.
    """
    deadline = time.monotonic() + STARTUP
    while True:
        raise_if_set(stop)
        try:
            client.wait_for_workers(int(os.environ.get(WORKERS, 1)), timeout=PERIOD)
            return len(client.scheduler_info(n_workers=-1)["workers"])
        except TimeoutError:
            if time.monotonic() > deadline:
                raise


def on_workers(client: Client, stop: Event, attempt: Attempt, planned: Planned, arrived: Arrived) -> Outcomes:
    """Run the missing tasks as Dask tasks, and yield their outcomes as they arrive. Raises Cancelled.

    Dask starts a task once what it needs has arrived; of those that could start, one of the study with the least work,
    and of these the first in the plan. Where small networks share an engine, the first task of a kind compiles its
    programs for all: the others of that kind start behind it, or two workers would compile all programs twice.
    """
    first = first_priority(attempt.study)
    futures = {name: client.scatter(outcome) for name, outcome in arrived.items()}
    missing = [name for name in planned if name not in arrived]
    study, needed = identity_of(attempt), tags(client, attempt.study)
    pioneers = dict[tuple[str, str], str]()
    for i, name in enumerate(missing):
        needs, key = [futures[need] for need in planned[name].needs], task_key(name, study)
        behind = futures.get(pioneers.setdefault(kind_of(name), name)) if needed else None
        order = {"key": key, "priority": first - i, "resources": needed}
        futures[name] = client.submit(run_task, attempt, name, *needs, behind=behind, **order)
    names = {futures[name]: name for name in missing}
    del futures  # from here on, Dask keeps an outcome as long as a task needs it
    try:
        while names:
            for future in finished(list(names), stop):
                yield names.pop(future), future.result()
    finally:
        client.cancel(list(names))


def tags(client: Client, study: Study) -> dict[str, int] | None:
    """What the tasks of a study ask of a worker, so that no more of them run at the same time than this computer bears.

    None where any worker will do: a few may run on each of them, or they are not those of an engine.
    """
    needed = capacity.tag(capacity.at_once(study))
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    return {needed: 1} if any(needed in worker["resources"] for worker in workers) else None


def finished(futures: list[Any], stop: Event) -> set[Any]:
    """Wait until at least one of the futures is finished: all that are finished by then. Raises Cancelled."""
    while True:
        raise_if_set(stop)
        with contextlib.suppress(TimeoutError):
            return wait(futures, timeout=PERIOD, return_when="FIRST_COMPLETED").done


def run_task(attempt: Attempt, name: str, *needs: AnyOutcome, behind: AnyOutcome | None = None) -> AnyOutcome:
    """Run one task of a study and publish its updates. Raises Cancelled soon after the study was asked to stop.

    Dask passes the outcome of a task that had to come first as `behind`.

    It is given back where this worker must not compute the study, and gives way to whoever goes first at each
    update. The task is found by its name, so that the scheduler, which reads what is submitted, does not load JAX for
    it.
    """
    publish = partial(publish_update, folder_name(attempt.store.root))
    check_worker(attempt, publish)
    collect_seldom()
    from landscape.jobs import resume

    stop = Event(identity_of(attempt), get_client())
    give_up = partial(raise_if_set, stop)

    def publish_or_stop(update: Update) -> None:
        give_up()
        publish(update)
        if isinstance(update, TaskUpdate) and update.fraction < 1:  # one that is done makes room by ending
            if begun.must_wait():
                publish(update._replace(activity="Waiting for tasks that go first"))
                begun.wait(give_up)
                publish(update)
            begun.under_way = True

    task = resume.plan_study(attempt.study, attempt.divisions, attempt.first)[name]
    with BegunTask(attempt.study) as begun:
        at_once = capacity.at_once(attempt.study)
        return resume.run_task(attempt, name, task, needs, publish_or_stop, at_once)


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
        study = IDENTITY.fullmatch(str(key))
        if finish == "erred" and study:
            error, now = kwargs.get("exception_text") or DIED, time.time()
            update = StudyUpdate(study["study"], int(study["attempt"]), "failed", now, now, error=error)
            self._scheduler.log_event(topic(study["folder"], StudyUpdate), update._asdict())
