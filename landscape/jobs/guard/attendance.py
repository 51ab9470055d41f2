"""Whether a scheduler still answers and has workers, which its clients hear from it and need not ask."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Collection
from typing import Any

from distributed import Scheduler, SchedulerPlugin

TOPIC = "landscape-attendance"
PERIOD = 5.0  # seconds between two reports
SILENCE = 30.0  # seconds without a report after which a client says so
SAID = 60.0  # seconds for which a client says that a worker was replaced


class Attendance(SchedulerPlugin):
    """Reports to all clients which workers there are: at each change, and every few seconds."""

    name, idempotent = TOPIC, True

    async def start(self, scheduler: Scheduler) -> None:
        """Called by the scheduler."""
        self._scheduler = scheduler
        self._reporting = asyncio.create_task(self._report_on())

    async def close(self) -> None:
        """Called by the scheduler when it ends."""
        self._reporting.cancel()

    def add_worker(self, scheduler: Scheduler, worker: str) -> None:
        """Called by the scheduler when a worker joins."""
        report(scheduler)

    def remove_worker(self, scheduler: Scheduler, worker: str, **kwargs: Any) -> None:
        """Called by the scheduler when a worker leaves."""
        report(scheduler)

    async def _report_on(self) -> None:
        while True:
            report(self._scheduler)
            await asyncio.sleep(PERIOD)


def report(scheduler: Scheduler, replaced: bool = False) -> None:
    """Tell all clients which workers there are, and whether one was just replaced."""
    scheduler.log_event(TOPIC, {"workers": list(scheduler.workers), "replaced": replaced})


class Heard:
    """What a client has heard of a scheduler's attendance since it connected."""

    def __init__(self) -> None:
        self._last, self._replaced = time.monotonic(), -math.inf
        self._workers: set[str] | None = None

    def __call__(self, event: tuple[float, dict[str, Any]]) -> None:
        """A report has arrived."""
        self._last, self._workers = time.monotonic(), set(event[1]["workers"])
        if event[1]["replaced"]:
            self._replaced = self._last

    @property
    def answers(self) -> bool:
        """Whether the scheduler has reported lately."""
        return time.monotonic() - self._last < SILENCE

    def trouble(self, refused: Collection[str] = ()) -> str:
        """What keeps a study that these workers have refused from going on, in words; empty where nothing does."""
        if not self.answers:
            return "The scheduler does not answer: it hangs, or its computer sleeps"
        if self._workers == set():
            return "Waiting for a worker: the scheduler has none"
        if self._workers and self._workers <= set(refused):
            return "Waiting for another worker: none that is there can compute this study"
        if time.monotonic() - self._replaced < SAID:
            return "A worker hung and is replaced; what it was doing starts again"
        return ""
