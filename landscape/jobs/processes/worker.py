"""What runs in a process of its own: it is given tasks, and sends their updates, signs of life and outcomes back.

It hears no Ctrl-C and no other request to stop, and ends within a second of the process that started it. JAX is
imported with the first task, so that signs of life come meanwhile.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from multiprocessing.connection import Connection
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any, NamedTuple

from landscape.jobs.attempt import Attempt
from landscape.jobs.processes.garbage import collect_seldom
from landscape.study import Study

if TYPE_CHECKING:
    from landscape.jobs.progress import OnUpdate
    from landscape.jobs.resume import AnyOutcome, Planned

PERIOD = 1.0  # seconds between two signs of life


class Failed(NamedTuple):
    """What a process sends instead of an outcome."""

    error: Exception


class SignOfLife(NamedTuple):
    """What a process sends while it runs a task, from a thread of its own: also while it compiles."""


class Line:
    """A connection whose messages do not mix, though several threads send them."""

    def __init__(self, connection: Connection):
        self._connection, self._sending = connection, Lock()

    def send(self, message: Any) -> None:
        """Raises ConnectionError where nobody is at the other end any more."""
        with self._sending:
            self._connection.send(message)


def serve(tasks: Connection, number: int) -> None:
    """Run the tasks that come, as one of so many processes, until whoever sends them is gone."""
    line = Line(tasks)
    collect_seldom()
    try:
        while True:
            attempt, name, needs = tasks.recv()
            with _signs_of_life(line):
                found = _outcome(number, attempt, name, needs, line.send)
            line.send(found)
    except (EOFError, ConnectionError):
        pass


@contextmanager
def _signs_of_life(line: Line) -> Iterator[None]:
    ended = Event()
    Thread(target=_send_signs, args=(line, ended), daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def _send_signs(line: Line, ended: Event) -> None:
    try:
        while not ended.wait(PERIOD):
            line.send(SignOfLife())
    except ConnectionError:  # nobody waits for the task any more, which may be far from its next update
        os._exit(1)


def _outcome(
    number: int, attempt: Attempt, name: str, needs: list[AnyOutcome], on_update: OnUpdate
) -> AnyOutcome | Failed:
    try:
        from landscape.jobs import resume

        planned = _planned(attempt.study, attempt.divisions, attempt.first)
        return resume.run_task(attempt, name, planned[name], needs, on_update, number)
    except (EOFError, ConnectionError):  # nobody is there to hear of it
        raise
    except Exception as error:
        return Failed(_portable(error))


@lru_cache(maxsize=1)
def _planned(study: Study, divisions: int, first: int) -> Planned:
    from landscape.jobs import resume

    return resume.plan_study(study, divisions, first)


def _portable(error: Exception) -> Exception:
    """The error, or its text where another process could not read it."""
    try:
        return pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
