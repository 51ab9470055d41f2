"""How far a study is: the updates that its tasks send, and what they add up to.

Updates are plain tuples that travel as dictionaries through Dask's event log. Each one is complete in itself, so
whoever listens from the middle on knows as much as whoever listened from the start.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

State = Literal["waiting", "running", "done", "failed", "paused", "cancelled"]

OnActivity = Callable[[str, int, int], None]  # what a task does, steps of it that are done, and all its steps

PERIOD = 0.25  # seconds between two updates of a task
KNOWN = 0.05  # the part of the work after which the time left is known without an estimate: before, compiling misleads
STARTUP = 10.0  # seconds that an engine and its workers take to start


def ignore_activity(activity: str, done: int, total: int) -> None:
    """The `on_activity` of a task that nobody watches."""


class Progress(NamedTuple):
    """Where a study stands.

    activity: what is being done, in words; fraction: how much of the work is done, from 0 to 1; parts: how many tasks
    are finished, so that another number means new partial results; elapsed: seconds since the study was started;
    left: seconds still to go, None where that is not known yet; error: why it failed; lines: the last lines of the
    traceback; device: what computes it; found and tasks: how many tasks had been computed before, by an earlier attempt
    or for another study, and how many there are; trouble: what keeps it from going on at the moment, in words.
    """

    state: State
    activity: str = ""
    fraction: float = 0.0
    parts: int = 0
    elapsed: float = 0.0
    left: float | None = None
    error: str = ""
    found: int = 0
    tasks: int = 0
    lines: str = ""
    device: str = ""
    trouble: str = ""
    refused: Mapping[str, str] = MappingProxyType({})

    @property
    def active(self) -> bool:
        """Whether anything can still change."""
        return self.state in ("waiting", "running")

    @property
    def found_in_words(self) -> str:
        """How much had been computed before; empty where nothing had."""
        return f"{self.found} of {self.tasks} tasks were computed before" if self.found else ""


class StudyUpdate(NamedTuple):
    """Where an attempt at a study stands; sent when it is asked for, after each task, and at its end.

    kept, done and total are sums of task weights: what earlier attempts had done, what is done by now, and all there
    is to do; parts, found and tasks count tasks: those done by now, those that earlier attempts and other studies had
    done, and all. `finished` names the task just finished; `error` says why it failed, and `lines` are the last of the
    traceback; `stopping` says that the attempt was asked to stop. `since`, when the attempt started, and `now` are
    times in seconds. `device` is what computes it. `expected` is the wall time in seconds that the whole study is
    expected to take on this machine, by earlier results, and `ahead` that of the tasks still to do, one after another,
    by those that are done; 0 where nobody knows.
    """

    study: str
    attempt: int
    state: State
    since: float
    now: float
    kept: float = 0.0
    done: float = 0.0
    total: float = 0.0
    parts: int = 0
    finished: str = ""
    error: str = ""
    stopping: bool = False
    expected: float = 0.0
    found: int = 0
    tasks: int = 0
    lines: str = ""
    device: str = ""
    ahead: float = 0.0


REMEMBERED = ("since", "kept", "done", "total", "parts", "found", "tasks", "device")  # by whoever hears of an end


class TaskUpdate(NamedTuple):
    """How far a running task is: it has done `fraction` of its work, which is `weight` of the study's."""

    study: str
    attempt: int
    task: str
    weight: float
    activity: str
    fraction: float


class Refusal(NamedTuple):
    """A worker must not compute a study, and the reason in words; the scheduler passes it over."""

    study: str
    attempt: int
    worker: str
    reason: str


Update = StudyUpdate | TaskUpdate | Refusal
OnUpdate = Callable[[Update], None]  # may raise, to stop the task that sends the update


class Meter:
    """The `on_activity` of one task: it turns calls into updates, and passes on one a `PERIOD`.

    `task` is the name of the task, and `title` says in words what it does.
    """

    def __init__(self, study: str, attempt: int, task: str, title: str, weight: float, on_update: OnUpdate):
        self._first = TaskUpdate(study, attempt, task, weight, title, 0.0)
        self._on_update, self._sent_at = on_update, time.monotonic()
        on_update(self._first)

    def __call__(self, activity: str, done: int, total: int) -> None:
        """The task has done `done` steps of `total`. Raises what `on_update` raises."""
        if time.monotonic() - self._sent_at >= PERIOD:
            fraction = done / total if total else 1.0
            title = f"{self._first.activity}: {activity} {done:,} of {total:,}"
            self._on_update(self._first._replace(activity=title, fraction=fraction))
            self._sent_at = time.monotonic()

    def end(self) -> None:
        """The task has done all its work."""
        self._on_update(self._first._replace(fraction=1.0))


class Tally:
    """What the updates about one study add up to. Updates about earlier attempts are passed over.

    `expected` is the wall time in seconds that the study is expected to take; 0 where nobody knows.
    """

    def __init__(self, expected: float = 0.0) -> None:
        self._study: StudyUpdate | None = None
        self._expected = expected
        self._tasks: dict[str, TaskUpdate] = {}
        self._refused: dict[str, str] = {}
        self._stopping = False
        self._logged_at = 0.0

    @property
    def attempt(self) -> int:
        """The newest attempt that an update was about."""
        return self._study.attempt if self._study else 0

    def add(self, update: Update, logged_at: float | None = None) -> None:
        """Take an update into account, unless it was logged before one that already was."""
        if update.attempt < self.attempt or (logged_at is not None and logged_at < self._logged_at):
            return
        self._logged_at = self._logged_at if logged_at is None else logged_at
        if update.attempt > self.attempt:
            self._refused = {}
        if isinstance(update, TaskUpdate):
            self._tasks[update.task] = update
        elif isinstance(update, Refusal):
            self._refused[update.worker] = update.reason
        elif update.stopping:
            self._stopping = True
        elif not (update.state == "waiting" and update.attempt == self.attempt and self._active()):
            self._add_study(update)

    def _active(self) -> bool:
        return self._study is not None and self._study.state in ("waiting", "running")

    def _add_study(self, update: StudyUpdate) -> None:
        if update.state == "running" and update.finished:
            self._tasks.pop(update.finished, None)
        else:  # a new attempt, or the end of one
            self._tasks, self._stopping = {}, False
        old = self._study
        if old and update.state != "waiting" and not update.total:  # its sender does not know how far the study was
            update = update._replace(**{name: getattr(old, name) for name in REMEMBERED})
        self._expected = update.expected or self._expected
        self._study = update

    def progress(self) -> Progress | None:
        """Where the study stands now, or None where it was never asked for."""
        study, found = self._study, self._progress()
        if study is None or found is None:
            return None
        found = found._replace(found=study.found, tasks=study.tasks, lines=study.lines, device=study.device)
        return found._replace(refused=dict(self._refused))

    def _progress(self) -> Progress | None:
        study, tasks = self._study, list(self._tasks.values())
        if study is None:
            return None
        if study.state == "done":
            return Progress("done", "done", 1.0, study.parts, study.now - study.since, 0.0)
        done = study.done + sum(task.weight * task.fraction for task in tasks)
        fraction = done / study.total if study.total else 0.0
        if not self._active():
            elapsed = study.now - study.since
            return Progress(study.state, study.state, fraction, study.parts, elapsed, None, study.error)
        state: State = "running" if tasks or study.done > study.kept else "waiting"
        elapsed = time.time() - study.since
        return Progress(state, self._activity(study), fraction, study.parts, elapsed, self._left(study, done, elapsed))

    def _left(self, study: StudyUpdate, done: float, elapsed: float) -> float | None:
        """The seconds still to go, None where nothing says.

        Once tasks of the kinds that are still to do were measured, they say, and as many are done at the same time as
        run now. Before that, it is the part of the work that is left, times the time of all. That time is a mean of
        what earlier results lead to expect and of what this attempt's pace comes to, whose weight is the part of the
        work that is done. So compiling at first does not look like the pace of the whole. Before the attempt starts,
        the engine may have to.
        """
        gained, missing = done - study.kept, study.total - study.kept
        if study.ahead and study.total > study.done:
            at_once = sum(task.fraction < 1 for task in self._tasks.values())
            return study.ahead * max(0.0, study.total - done) / (study.total - study.done) / max(1, at_once)
        if not self._expected:
            return elapsed * (study.total - done) / gained if gained > KNOWN * study.total else None
        if not missing:
            return self._expected + max(0.0, STARTUP - elapsed)
        ahead, expected = 1 - gained / missing, self._expected * missing / study.total
        return ahead * (ahead * expected + elapsed)

    def _activity(self, study: StudyUpdate) -> str:
        """What the newest running task is doing, and how many others run."""
        if self._stopping:
            return "Stopping"
        if running := [task for task in self._tasks.values() if task.fraction < 1]:
            return running[-1].activity + (f", and {len(running) - 1} more" if len(running) > 1 else "")
        if study.finished:
            return (
                "Writing the result"
                if study.done == study.total
                else f"{study.parts:,} of {study.tasks:,} tasks are done"
            )
        return "Starting"
