"""Temporary names, beside the places of what is being written, and what lost processes have left under them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
import shutil
import time
import uuid
from pathlib import Path

from landscape.store.places import children

HOST = hashlib.sha256(platform.node().encode()).hexdigest()[:8]  # of this machine, in names of temporary folders
TEMPORARY = re.compile(r"\.tmp-(?:(?P<host>[0-9a-f]{8})-(?P<process>[0-9]+)-)?[0-9a-f]{32}")
DAY = 86400.0  # seconds


def temporary_name() -> str:
    """A name that nobody else has, and by which `abandoned` knows the process that it belongs to."""
    return f".tmp-{HOST}-{os.getpid()}-{uuid.uuid4().hex}"


def abandoned(path: Path) -> bool:
    """Whether something under a temporary name was left by a process that is gone, so that it can be removed.

    That of a process of this machine is asked of the machine. Anything else is left alone for a day after it last
    changed, which is longer than any process takes to write a folder.
    """
    if (found := TEMPORARY.fullmatch(path.name)) is None:
        return False
    if found["host"] == HOST and not _alive(int(found["process"])):
        return True
    try:
        changed = max(each.lstat().st_mtime for each in (path, *children(path)))
    except (OSError, ValueError):
        return False  # it is gone by now
    return time.time() - changed > DAY


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it belongs to another user
        return True
    return True


def sweep(*parents: Path) -> list[Path]:
    """Removes what processes that are gone have left in these folders: what was removed."""
    found = [path for parent in parents for path in children(parent) if abandoned(path)]
    for path in found:
        shutil.rmtree(path, ignore_errors=True)
        if not path.is_dir():
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
    return found
