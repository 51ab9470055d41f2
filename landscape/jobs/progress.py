"""How far a study is: the updates that its tasks send, and what they add up to.

Updates are plain tuples that travel as dictionaries through Dask's event log. Each one is complete in itself, so
whoever listens from the middle on knows as much as whoever listened from the start.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Literal, NamedTuple

State = Literal["waiting", "running", "done", "failed", "cancelled"]

OnActivity = Callable[[str, int, int], None]  # what a task does, steps of it that are done, and all its steps

PERIOD = 0.25  # seconds between two updates of a task
KNOWN = 0.05  # the part of the work after which the time left is estimated: before, compiling misleads


def ignore_activity(activity: str, done: int, total: int) -> None:
    """The `on_activity` of a task that nobody watches."""


class Progress(NamedTuple):
    """Where a study stands.

    activity: what is being done, in words; fraction: how much of the work is done, from 0 to 1; parts: how many tasks
    are finished, so that another number means new partial results; elapsed: seconds since the study was started;
    left: seconds still to go, None where that is not known yet; error: why it failed.
    """

    state: State
    activity: str = ""
    fraction: float = 0.0
    parts: int = 0
    elapsed: float = 0.0
    left: float | None = None
    error: str = ""

    @property
    def active(self) -> bool:
        """Whether anything can still change."""
        return self.state in ("waiting", "running")


class StudyUpdate(NamedTuple):
    """Where an attempt at a study stands; sent when it is asked for, after each task, and at its end.

    kept, done and total are sums of task weights: what earlier attempts had done, what is done by now, and all there
    is to do. `finished` names the task just finished; `stopping` says that the attempt was asked to stop. `since`,
    when the attempt started, and `now` are times in seconds.
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


class TaskUpdate(NamedTuple):
    """How far a running task is: it has done `fraction` of its work, which is `weight` of the study's."""

    study: str
    attempt: int
    task: str
    weight: float
    activity: str
    fraction: float


Update = StudyUpdate | TaskUpdate
OnUpdate = Callable[[Update], None]  # may raise, to stop the task that sends the update


def task_in_words(task: str) -> str:
    """The name of a task as a progress line shows it.

    >>> from landscape.jobs.progress import task_in_words
    >>> task_in_words("candidate2-seeds0_to_4")
    'candidate 2, seeds 0 to 4'
    """
    return re.sub(r"(?<=[a-z])(?=\d)", " ", task).replace("-", ", ").replace("_", " ")


class Meter:
    """The `on_activity` of one task: it turns calls into updates, and passes on one a `PERIOD`."""

    def __init__(self, study: str, attempt: int, task: str, weight: float, on_update: OnUpdate):
        self._first = TaskUpdate(study, attempt, task, weight, f"{task_in_words(task)}: starting", 0.0)
        self._on_update, self._sent_at = on_update, time.monotonic()
        on_update(self._first)

    def __call__(self, activity: str, done: int, total: int) -> None:
        """The task has done `done` steps of `total`. Raises what `on_update` raises."""
        if time.monotonic() - self._sent_at >= PERIOD:
            fraction = done / total if total else 1.0
            self._on_update(self._first._replace(activity=f"{activity} {done} of {total}", fraction=fraction))
            self._sent_at = time.monotonic()

    def end(self) -> None:
        """The task has done all its work."""
        self._on_update(self._first._replace(activity=f"{task_in_words(self._first.task)}: finished", fraction=1.0))


class Tally:
    """What the updates about one study add up to. Updates about earlier attempts are passed over."""

    def __init__(self) -> None:
        self._study: StudyUpdate | None = None
        self._tasks: dict[str, TaskUpdate] = {}
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
        if isinstance(update, TaskUpdate):
            self._tasks[update.task] = update
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
            update = update._replace(since=old.since, kept=old.kept, done=old.done, total=old.total, parts=old.parts)
        self._study = update

    def progress(self) -> Progress | None:
        """Where the study stands now, or None where it was never asked for."""
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
        elapsed, gained = time.time() - study.since, done - study.kept
        left = elapsed * (study.total - done) / gained if gained > KNOWN * study.total else None
        return Progress(state, self._activity(study), fraction, study.parts, elapsed, left)

    def _activity(self, study: StudyUpdate) -> str:
        """What the newest running task is doing, and how many others run."""
        if self._stopping:
            return "stopping"
        if running := [task for task in self._tasks.values() if task.fraction < 1]:
            return running[-1].activity + (f", and {len(running) - 1} more" if len(running) > 1 else "")
        if study.finished:
            all_done = study.done == study.total
            return "writing the result" if all_done else f"{task_in_words(study.finished)}: finished"
        return "waiting to start"
