"""The tasks of a study in several processes of this computer, each of which runs one task at a time.

One that hangs without dying is replaced: stopped by a signal, or caught in a call that never returns.
"""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context, resource_tracker
from threading import Event

from landscape.jobs.attempt import Attempt, WorkerDied
from landscape.jobs.processes.worker import Failed, SignOfLife, serve
from landscape.jobs.progress import OnUpdate, StudyUpdate, TaskUpdate
from landscape.jobs.resume import AnyOutcome, Arrived, Outcomes, Planned
from landscape.jobs.tasks.names import kind_of, task_in_words
from landscape.jobs.threads import raise_if_stopped, side_by_side
from landscape.store.sealed.temporary import sweep

NEW = get_context("spawn")  # a copy of this process would share the state of JAX
UNHEARD = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}  # a terminal sends them to all processes of a command
PERIOD = 0.1  # seconds between two looks at whether to stop
LOOKS = 450  # how many in a row may find that nothing was heard of a process: 45 seconds
TRIES = 2  # how often a task is given to a process before it is taken for the reason why they hang
KEPT = "What is finished is kept; the same command continues from there"

log = logging.getLogger(__name__)


class Hung(Exception):
    """Nothing is heard any more of a process that has a task."""


def on_processes(number: int, attempt: Attempt, on_update: OnUpdate, planned: Planned, arrived: Arrived) -> Outcomes:
    """Run the missing tasks in so many processes, each as soon as what it needs has arrived and a process is free.

    When one fails, the others stop, and its error is raised.
    """

    def run(worker: WorkerProcess, name: str, needs: list[AnyOutcome], stop: Event) -> AnyOutcome:
        return worker.run(attempt, name, needs, on_update, stop)

    try:
        with _started(number) as workers:
            yield from side_by_side(workers, run, planned, arrived, kind_of)
    finally:
        sweep(attempt.parts.folder, attempt.shared.folder)  # one may have been killed while it wrote


@contextmanager
def _started(number: int) -> Iterator[list[WorkerProcess]]:
    workers = [WorkerProcess(number) for _ in range(number)]
    try:
        yield workers
    finally:
        for worker in workers:
            worker.end()


class WorkerProcess:
    """One of so many processes that run tasks of studies, each one at a time."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._start()

    def _start(self) -> None:
        self._tasks, theirs = NEW.Pipe()
        resource_tracker.ensure_running()  # where it is to be started, it unblocks what is blocked below
        self._process = NEW.Process(target=serve, args=(theirs, self._number), daemon=True)
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, UNHEARD)  # which the process inherits
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        theirs.close()

    def run(self, attempt: Attempt, name: str, needs: list[AnyOutcome], on_update: OnUpdate, stop: Event) -> AnyOutcome:
        """Have one task run there, again in a new process where it hangs.

        Raises Stopped, WorkerDied, and whatever the task raises.
        """
        doing = task_in_words(attempt.study, name)
        for _ in range(TRIES):
            try:
                self._tasks.send((attempt, name, needs))
                found = self._answer(on_update, stop)
            except Hung:
                log.warning("A process that computed hung and is replaced. It starts again: %s", doing)
                self.end()
                self._start()
                continue
            except (EOFError, ConnectionError):
                why = f"a process that computed has died: killed, or out of memory. {KEPT}"
                raise WorkerDied(f"{why}, and needs less memory with --workers 1") from None
            if isinstance(found, Failed):
                raise found.error
            return found
        raise WorkerDied(f"a process that computed hung {TRIES} times in a row: {doing}. {KEPT}")

    def _answer(self, on_update: OnUpdate, stop: Event) -> AnyOutcome | Failed:
        """What the process sends at the end of its task. Raises Stopped, Hung, and EOFError where it has died.

        Silence is counted in looks and not in seconds, since nothing is heard while this process stands still itself:
        Ctrl-Z stops all processes of a command, and they go on together.
        """
        silent = 0
        while silent < LOOKS:
            raise_if_stopped(stop)
            silent += 1
            if self._tasks.poll(PERIOD):
                silent, found = 0, self._tasks.recv()
                if isinstance(found, StudyUpdate | TaskUpdate):
                    on_update(found)
                elif not isinstance(found, SignOfLife):
                    return found
        raise Hung

    def end(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.join()
        self._tasks.close()
