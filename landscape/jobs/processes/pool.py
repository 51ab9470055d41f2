"""The tasks of a study in several processes of this computer, each of which runs one task at a time.

A process is given a task and sends its updates and its outcome back. It hears no Ctrl-C and no other request to stop,
and ends when the process that started it does, at the next update of its task at the latest.
"""

from __future__ import annotations

import pickle
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection
from threading import Event
from typing import NamedTuple

from landscape.jobs import resume
from landscape.jobs.attempt import Attempt, WorkerDied
from landscape.jobs.processes.programs import kind
from landscape.jobs.progress import OnUpdate, StudyUpdate, TaskUpdate
from landscape.jobs.resume import AnyOutcome, Arrived, Outcomes, Planned
from landscape.jobs.threads import raise_if_stopped, side_by_side
from landscape.store.sealed import sweep

NEW = get_context("spawn")  # a copy of this process would share the state of JAX
UNHEARD = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}  # a terminal sends them to all processes of a command
PERIOD = 0.1  # seconds between two looks at whether to stop


class Failed(NamedTuple):
    """What a process sends instead of an outcome."""

    error: Exception


def on_processes(number: int, attempt: Attempt, on_update: OnUpdate, planned: Planned, arrived: Arrived) -> Outcomes:
    """Run the missing tasks in so many processes, each as soon as what it needs has arrived and a process is free.

    When one fails, the others stop, and its error is raised.
    """

    def run(worker: WorkerProcess, name: str, needs: list[AnyOutcome], stop: Event) -> AnyOutcome:
        return worker.run(attempt, name, needs, on_update, stop)

    try:
        with _started(number) as workers:
            yield from side_by_side(workers, run, planned, arrived, kind)
    finally:
        sweep(attempt.parts.folder, attempt.shared.folder)  # one may have been killed while it wrote


@contextmanager
def _started(number: int) -> Iterator[list[WorkerProcess]]:
    workers = [WorkerProcess() for _ in range(number)]
    try:
        yield workers
    finally:
        for worker in workers:
            worker.end()


class WorkerProcess:
    """A process that runs tasks of studies, one at a time."""

    def __init__(self) -> None:
        self._tasks, theirs = NEW.Pipe()
        resource_tracker.ensure_running()  # where it is to be started, it unblocks what is blocked below
        self._process = NEW.Process(target=serve, args=(theirs,), daemon=True)
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, UNHEARD)  # which the process inherits
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        theirs.close()

    def run(self, attempt: Attempt, name: str, needs: list[AnyOutcome], on_update: OnUpdate, stop: Event) -> AnyOutcome:
        """Have one task run there. Raises Stopped, WorkerDied, and whatever the task raises."""
        try:
            self._tasks.send((attempt, name, needs))
            while True:
                while not self._tasks.poll(PERIOD):
                    raise_if_stopped(stop)
                if not isinstance(found := self._tasks.recv(), StudyUpdate | TaskUpdate):
                    break
                on_update(found)
        except (EOFError, ConnectionError):
            raise WorkerDied(
                "a process that computed has died: killed, or out of memory. What is finished is kept; the same "
                "command continues from there, and needs less memory with --workers 1"
            ) from None
        if isinstance(found, Failed):
            raise found.error
        return found

    def end(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.join()
        self._tasks.close()


def serve(tasks: Connection) -> None:
    """Run in a process of its own: the tasks that come, until whoever sends them is gone."""
    try:
        while True:
            attempt, name, needs = tasks.recv()
            tasks.send(_outcome(attempt, name, needs, tasks.send))
    except (EOFError, ConnectionError):
        pass


def _outcome(attempt: Attempt, name: str, needs: list[AnyOutcome], on_update: OnUpdate) -> AnyOutcome | Failed:
    try:
        task = resume.plan_study(attempt.study, attempt.divisions)[name]
        return resume.run_task(attempt, name, task, needs, on_update)
    except (EOFError, ConnectionError):  # nobody is there to hear of it
        raise
    except Exception as error:
        return Failed(_portable(error))


def _portable(error: Exception) -> Exception:
    """The error, or its text where another process could not read it."""
    try:
        return pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
