"""What a scheduler calls an attempt at a study and its tasks, and the topics under which it is told about them."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from landscape.jobs.progress import Update

IDENTITY = re.compile("study_(?P<folder>[0-9a-f]{16})_(?P<study>[0-9a-f]{16})_(?P<attempt>[0-9]+)")


def folder_name(root: Path) -> str:
    """What a scheduler calls a cache folder: those who share a scheduler may compute one study for several folders."""
    return hashlib.sha256(str(root).encode()).hexdigest()[:16]


def identity(folder: str, study: str, attempt: int) -> str:
    """The Dask key of an attempt at a study, and the name of the event that asks it to stop.

    `folder` is the `folder_name` of the cache folder, `study` the study's key.
    """
    return f"study_{folder}_{study}_{attempt}"


def task_key(task: str, identity: str) -> str:
    """The Dask key of a task of an attempt: a single word.

    By the first word Dask finds tasks that are alike, and keeps all but a few of them away from the workers until some
    are done. Then a worker's running tasks would not know that there are others that go first.
    """
    return f"{task}-{identity}".replace("-", "_")


def attempt_of(key: str) -> str | None:
    """The identity of the attempt to which a Dask key belongs: its own, or that of a task.

    >>> from landscape.jobs.background.names import attempt_of, identity, task_key
    >>> attempt_of(task_key("base-seed0", attempt := identity(16 * "a", 16 * "0", 1))) == attempt, attempt_of("sum")
    (True, None)
    """
    found = IDENTITY.search(key)
    return found.group() if found else None


def pausing(identity: str) -> str:
    """The name of the event that says that an attempt which is asked to stop is to be continued."""
    return f"{identity}-pause"


def topic(folder: str, kind: type[Update]) -> str:
    """The topic of Dask's event log for the updates of one kind about the studies of a cache folder."""
    return f"landscape-{folder}-{kind.__name__}"
