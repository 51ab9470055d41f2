"""What hangs is noticed, said and replaced, and is waited for no longer than said."""

from __future__ import annotations

import asyncio
import os
import time
from types import SimpleNamespace

import pytest

from landscape.jobs.guard import attendance, hung
from landscape.jobs.guard.attendance import Heard
from landscape.jobs.guard.patience import within


class Scheduler:
    """Two workers; of the second nothing is heard from `silent_from` on."""

    def __init__(self, silent_from: float) -> None:
        self.told: list[dict[str, object]] = []
        self._silent_from = silent_from

    @property
    def workers(self) -> dict[str, SimpleNamespace]:
        now = time.monotonic()
        last = {"well": now, "hung": min(now, self._silent_from)}
        return {address: SimpleNamespace(last_seen=seen) for address, seen in last.items()}

    def log_event(self, topic: str, content: dict[str, object]) -> None:
        assert topic == attendance.TOPIC
        self.told.append(content)


def killed(monkeypatch: pytest.MonkeyPatch, silent_from: float) -> tuple[list[int], Scheduler]:
    """The processes that are killed within twenty looks."""
    dead: list[int] = []
    looks = iter(range(20))

    async def sleep(seconds: float) -> None:
        if next(looks, None) is None:
            raise asyncio.CancelledError

    monkeypatch.setattr(hung.asyncio, "sleep", sleep)
    monkeypatch.setattr(os, "kill", lambda process, signal: dead.append(process))
    scheduler = Scheduler(silent_from)
    nannies = [SimpleNamespace(worker_address=each, pid=pid) for each, pid in (("well", 1), ("hung", 2), (None, 3))]
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(hung.replace_hung(scheduler, nannies))
    return dead, scheduler


def test_a_worker_of_which_nothing_is_heard_is_killed_once_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    dead, scheduler = killed(monkeypatch, time.monotonic())
    assert dead == [2] and scheduler.told == [{"workers": ["well", "hung"], "replaced": True}]


def test_workers_that_are_heard_live(monkeypatch: pytest.MonkeyPatch) -> None:
    dead, scheduler = killed(monkeypatch, float("inf"))
    assert dead == [] and scheduler.told == []


def test_a_computer_that_slept_kills_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour passes between two looks, in which nobody could have been heard."""
    monkeypatch.setattr(hung, "LOOKS", 2)
    scheduler, seen = SimpleNamespace(workers={"a": SimpleNamespace(last_seen=0.0)}), []

    async def sleep(seconds: float) -> None:
        seen.append(seconds)
        if len(seen) == 3:
            scheduler.workers["a"].last_seen = 3600.0
        if len(seen) == 5:
            raise asyncio.CancelledError

    monkeypatch.setattr(hung.asyncio, "sleep", sleep)
    monkeypatch.setattr(os, "kill", lambda *_: pytest.fail("nobody hangs"))
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(hung.replace_hung(scheduler, [SimpleNamespace(worker_address="a", pid=1)]))
    assert hung.PERIOD * hung.LOOKS < 60


@pytest.mark.parametrize(
    ("event", "after", "said"),
    [
        ({"workers": ["a", "b"], "replaced": False}, 0.0, ""),
        ({"workers": [], "replaced": False}, 0.0, "Waiting for a worker"),
        ({"workers": ["a"], "replaced": False}, 0.0, "Waiting for another worker"),
        ({"workers": ["a", "b"], "replaced": True}, 1.0, "hung and is replaced"),
        ({"workers": ["a", "b"], "replaced": False}, attendance.SILENCE + 1, "does not answer"),
    ],
)
def test_what_a_client_says_of_a_scheduler(
    event: dict[str, object], after: float, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = Heard()
    heard((0.0, event))
    now = time.monotonic()
    monkeypatch.setattr(attendance.time, "monotonic", lambda: now + after)
    told = heard.trouble(refused={"a"})
    assert said in told and bool(said) == bool(told)
    assert heard.answers == (after < attendance.SILENCE)


@pytest.mark.parametrize("error", [ValueError, TimeoutError])
def test_what_is_asked_answers_or_raises_in_time(error: type[Exception]) -> None:
    def refuse() -> None:
        raise error("no")

    assert within(60, "the scheduler", lambda: 3) == 3
    with pytest.raises(error, match=r"^no$"):
        within(60, "the scheduler", refuse)


def test_what_never_answers_is_named() -> None:
    with pytest.raises(TimeoutError, match=r"the scheduler has not answered for 0\.1 s"):
        within(0.1, "the scheduler", lambda: time.sleep(3))  # an answer that was waited for would raise nothing
