"""What runs on Dask's workers: one coordinating task a study, which submits the study's tasks.

The modules that import JAX are imported inside the functions, so that a client can name these without it.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from distributed import Client, Event, SchedulerPlugin, get_client, get_worker, secede, wait

from landscape.jobs.progress import Meter, News, Report
from landscape.store.results import Store
from landscape.study import Study

if TYPE_CHECKING:
    from landscape.jobs.resume import AnyOutcome, Arrived, Outcomes, Planned

NEWS, REPORTS = "landscape-news", "landscape-reports"  # topics of Dask's event log
PERIOD = 0.5  # seconds between two looks at whether to stop
WORKERS, STARTUP = "LANDSCAPE_WORKERS", 120  # the environment of an engine's workers tells how many; seconds to start


class Cancelled(Exception):
    """The study was asked to stop."""


def identity(study: str, attempt: int) -> str:
    """The Dask key of an attempt at a study, and the name of the event that asks it to stop."""
    return f"study-{study}-{attempt}"


def run_study(study: Study, root: str, attempt: int) -> None:
    """Compute a study and write it to the store; how it ended is told by its last `News`.

    Leaves the worker's thread pool first, so that a worker with one thread has it for the study's tasks.
    """
    secede()
    client, store, since = get_client(), Store(root), time.time()
    news = News(study.key, attempt, "done", since, since)
    stop = Event(identity(study.key, attempt), client)
    try:
        from landscape.jobs.resume import compute, divided, finish

        with store.parts(study).alone(partial(raise_if, stop)):
            if study.key not in store:
                shares = divided(study, store, count_workers(client))
                run = partial(on_workers, client, stop, study, root, attempt, shares)
                finish(study, store, compute(study, store, run, tell, attempt, shares))
    except Cancelled:
        news = news._replace(state="cancelled")
    except Exception as error:
        stop.set()  # its other tasks are of no use now, and the next attempt gets another key
        news = news._replace(state="failed", error=f"{type(error).__name__}: {error}")
    tell(news._replace(now=time.time()))


def raise_if(stop: Event) -> None:
    """Raises Cancelled where the study was asked to stop."""
    if stop.is_set():
        raise Cancelled


def count_workers(client: Client) -> int:
    """How many take part: those of an engine that is still starting are waited for."""
    client.wait_for_workers(int(os.environ.get(WORKERS, 1)), timeout=STARTUP)
    return len(client.scheduler_info(n_workers=-1)["workers"])


def on_workers(
    client: Client, stop: Event, study: Study, root: str, attempt: int, shares: int, planned: Planned, arrived: Arrived
) -> Outcomes:
    """Run the missing tasks as Dask tasks, and yield their outcomes as they arrive. Raises Cancelled."""
    futures = {name: client.scatter(outcome) for name, outcome in arrived.items()}
    missing = [name for name in planned if name not in arrived]
    for i, name in enumerate(missing):
        key, needs = f"{name}-{study.key}-{attempt}", [futures[need] for need in planned[name].needs]
        arguments = (study, root, attempt, shares, name, *needs)
        futures[name] = client.submit(run_task, *arguments, key=key, priority=-i)
    names = {futures[name]: name for name in missing}
    del futures  # from here on, Dask keeps an outcome as long as a task needs it
    try:
        while names:
            for future in finished(list(names), stop):
                yield names.pop(future), future.result()
    finally:
        client.cancel(list(names))


def finished(futures: list[Any], stop: Event) -> set[Any]:
    """The futures that are finished, one at least. Raises Cancelled."""
    while True:
        raise_if(stop)
        with contextlib.suppress(TimeoutError):
            return wait(futures, timeout=PERIOD, return_when="FIRST_COMPLETED").done


def run_task(study: Study, root: str, attempt: int, shares: int, name: str, *needs: AnyOutcome) -> AnyOutcome:
    """Run one task of a study, reporting as it goes. Raises Cancelled soon after the study was asked to stop.

    The task comes by its name, so that the scheduler, who reads what is submitted, does not load JAX for it.
    """
    from landscape.jobs import resume

    stop = Event(identity(study.key, attempt), get_client())
    task = resume.tasks(study, shares)[name]

    def send(report: Report) -> None:
        raise_if(stop)
        tell(report)

    meter = Meter(study.key, attempt, name, task.weight, send)
    return resume.run_task(study, Store(root), name, task, needs, meter)


def tell(message: News | Report) -> None:
    """Log a message as an event, for every client to hear."""
    get_worker().log_event(NEWS if isinstance(message, News) else REPORTS, message._asdict())


class Deaths(SchedulerPlugin):
    """Tells of studies whose worker died, as nobody on the worker can."""

    name, idempotent = "landscape-deaths", True

    async def start(self, scheduler: Any) -> None:
        """Called by the scheduler."""
        self._scheduler = scheduler

    def transition(self, key: Any, start: str, finish: str, *args: Any, **kwargs: Any) -> None:
        """A study's task catches what is raised: where it is in error, it never ran, or its worker died too often."""
        study = re.fullmatch("study-([0-9a-f]{16})-([0-9]+)", str(key))
        if finish == "erred" and study:
            error = kwargs.get("exception_text") or "the worker process died while computing: killed, or out of memory"
            news = News(study[1], int(study[2]), "failed", time.time(), time.time(), error=error)
            self._scheduler.log_event(NEWS, news._asdict())
