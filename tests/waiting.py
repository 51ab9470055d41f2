"""Waiting for what other processes and threads do, as long as a busy computer may need."""

from __future__ import annotations

import time
from collections.abc import Callable

from landscape.jobs.background.client import Jobs
from landscape.jobs.progress import Progress

PATIENCE = 120.0  # seconds: only a test that fails takes them


def until(jobs: Jobs, key: str, condition: Callable[[Progress], bool]) -> Progress:
    """The first progress of a study that fulfils the condition."""

    def found() -> Progress | None:
        progress = jobs.progress(key)
        return progress if progress and condition(progress) else None

    return eventually(found, lambda: jobs.progress(key))


def eventually(find: Callable[[], object], seen: Callable[[], object] = str):
    """What `find` returns first that is true; `seen` says for the failure what there is instead."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if found := find():
            return found
        time.sleep(0.02)
    raise AssertionError(f"still {seen()}")


def ended(progress: Progress) -> bool:
    """Whether nothing can change any more."""
    return not progress.active
