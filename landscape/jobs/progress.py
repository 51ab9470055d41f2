"""How far a study is: the messages that its tasks send, and what they add up to.

Messages are plain tuples that travel as dictionaries through Dask's event log. Each one is complete in itself,
so whoever listens from the middle on knows as much as whoever listened from the start.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Literal, NamedTuple

State = Literal["waiting", "running", "done", "failed", "cancelled"]

PERIOD = 0.25  # seconds between two reports of a task
KNOWN = 0.05  # share of the work after which the time left is estimated


class Progress(NamedTuple):
    """Where a study stands.

    stage: what is being done, in words; fraction: of the work, from 0 to 1; parts: tasks finished, so that a
    change tells of new partial results; elapsed: seconds since it was started; left: seconds still to go, None
    where nothing is known yet; error: why it failed.
    """

    state: State
    stage: str = ""
    fraction: float = 0.0
    parts: int = 0
    elapsed: float = 0.0
    left: float | None = None
    error: str = ""

    @property
    def active(self) -> bool:
        """Whether anything can still change."""
        return self.state in ("waiting", "running")


class News(NamedTuple):
    """What has become of an attempt at a study, sent when it is asked for, after each task, and at its end.

    kept, done and total are sums of task weights: what earlier attempts had done, what is done by now, and all
    there is. `finished` names the task just finished; `stopping` says that the attempt was asked to stop. `since`
    and `now` are times in seconds.
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


class Report(NamedTuple):
    """How far a running task is: `fraction` of `weight`."""

    study: str
    attempt: int
    task: str
    weight: float
    stage: str
    fraction: float


def spoken(task: str) -> str:
    """The name of a task in words: `candidate2-seeds0_to_4` is "candidate 2, seeds 0 to 4"."""
    return re.sub(r"(?<=[a-z])(?=\d)", " ", task).replace("-", ", ").replace("_", " ")


class Meter:
    """The `report` of one task: makes a `Report` of every call and sends one a period; `send` may raise to cancel."""

    def __init__(self, study: str, attempt: int, task: str, weight: float, send: Callable[[Report], None]):
        self._report = Report(study, attempt, task, weight, f"{spoken(task)}: starting", 0.0)
        self._send, self._sent = send, time.monotonic()
        send(self._report)

    def __call__(self, doing: str, done: int, total: int) -> None:
        """The task's `report`: of what it is doing, `done` of `total` is done."""
        if time.monotonic() - self._sent >= PERIOD:
            fraction = done / total if total else 1.0
            self._send(self._report._replace(stage=f"{doing} {done} of {total}", fraction=fraction))
            self._sent = time.monotonic()

    def end(self) -> None:
        """Report that all is done."""
        self._send(self._report._replace(stage=f"{spoken(self._report.task)}: finished", fraction=1.0))


class Tally:
    """What the messages about one study add up to. Messages about earlier attempts are passed over."""

    def __init__(self) -> None:
        self._news: News | None = None
        self._reports: dict[str, Report] = {}
        self._stopping = False
        self._at = 0.0

    @property
    def attempt(self) -> int:
        """The newest attempt heard of."""
        return self._news.attempt if self._news else 0

    def hear(self, message: News | Report, at: float | None = None) -> None:
        """Take a message in; `at` is when it was logged, and one logged before the last that was heard is old."""
        if message.attempt < self.attempt or (at is not None and at < self._at):
            return
        self._at = self._at if at is None else at
        if isinstance(message, Report):
            self._reports[message.task] = message
        elif message.stopping:
            self._stopping = True
        elif not (message.state == "waiting" and message.attempt == self.attempt and self._active()):
            self._take(message)

    def _active(self) -> bool:
        return self._news is not None and self._news.state in ("waiting", "running")

    def _take(self, news: News) -> None:
        if news.state == "running" and news.finished:
            self._reports.pop(news.finished, None)
        else:  # a new attempt, or the end of one
            self._reports, self._stopping = {}, False
        old = self._news
        if old and news.state != "waiting" and not news.total:  # sent by one that does not know how far it was
            news = news._replace(since=old.since, kept=old.kept, done=old.done, total=old.total, parts=old.parts)
        self._news = news

    def progress(self) -> Progress | None:
        """Where the study stands now, or None where it was never asked for."""
        if self._news is None:
            return None
        news, reports = self._news, list(self._reports.values())
        if news.state == "done":
            return Progress("done", "done", 1.0, news.parts, news.now - news.since, 0.0)
        done = news.done + sum(report.weight * report.fraction for report in reports)
        fraction = done / news.total if news.total else 0.0
        if not self._active():
            return Progress(news.state, news.state, fraction, news.parts, news.now - news.since, None, news.error)
        state: State = "running" if reports or news.done > news.kept else "waiting"
        elapsed = time.time() - news.since
        gained = done - news.kept
        left = elapsed * (news.total - done) / gained if gained > KNOWN * news.total else None
        return Progress(state, self._stage(reports), fraction, news.parts, elapsed, left)

    def _stage(self, reports: list[Report]) -> str:
        if self._stopping:
            return "stopping"
        if running := [report for report in reports if report.fraction < 1]:
            return running[-1].stage + (f", and {len(running) - 1} more" if len(running) > 1 else "")
        if self._news and self._news.finished:
            return (
                "writing the result"
                if self._news.done == self._news.total
                else f"{spoken(self._news.finished)}: finished"
            )
        return "waiting to start"
