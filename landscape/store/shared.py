"""Outcomes of tasks that serve every study: sealed folders `.tasks/<key>/` of the cache folder.

A key is a hash of all that the numbers of the task depend on (`landscape.jobs.tasks.content`), whichever study computed
it. The files are the same as those of the study that computes or takes them, as hard links, so that they lie on the
disk once and either may go without the other.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from landscape.store.parts.kept import FILES
from landscape.store.places import children
from landscape.store.sealed import DamagedEntry, Unwritable, link_sealed, remove_folder
from landscape.store.sealed.temporary import sweep

TASKS = ".tasks"
VARIABLE = "LANDSCAPE_KEEP_GB"  # the environment variable by which the budget can be set, in 10⁹ bytes
BUDGET_GB = 10.0

Written = TypeVar("Written")


class SharedOutcomes:
    """The outcomes of tasks in one cache folder that any study may take."""

    def __init__(self, root: Path):
        self.folder = root / TASKS

    def path(self, key: str) -> Path:
        """Where the outcome of this key is, or would be."""
        return self.folder / key

    def keep(self, key: str, outcome: Path) -> None:
        """Keep the outcome of a task, which lies in a folder of its study, for other studies too, where possible."""
        with contextlib.suppress(Unwritable, DamagedEntry):
            link_sealed(outcome, self.path(key), FILES, {"key": key})

    def used(self, key: str) -> None:
        """Note that an outcome was of use just now, by the time of its folder."""
        with contextlib.suppress(OSError):
            os.utime(self.path(key))

    def giving_way(self, write: Callable[[], Written]) -> Written:
        """What `write` returns. Where the disk is full, all that is kept here goes first. Raises Unwritable."""
        try:
            return write()
        except Unwritable as error:
            full = isinstance(error.__cause__, OSError) and error.__cause__.errno in (errno.ENOSPC, errno.EDQUOT)
            if not full or not self.trim(0):
                raise
        return write()

    def size(self) -> int:
        """The bytes that the disk has more when all that is kept here has gone."""
        return sum(_size(path, alone=True) for path in children(self.folder))

    def trim(self, budget: float | None = None) -> int:
        """Remove those that were not used for longest, until all are no larger than the budget: how many went.

        The budget is in bytes; None is that of the environment.
        """
        sweep(self.folder)
        found = sorted((_used_at(path), _size(path), path) for path in children(self.folder) if path.name[0] != ".")
        size, gone = sum(size for _, size, _ in found), 0
        for _, own, path in found:
            if size <= (budget_bytes() if budget is None else budget):
                break
            with contextlib.suppress(Unwritable):
                remove_folder(path)
                size, gone = size - own, gone + 1
        return gone


def budget_bytes() -> float:
    """How large all shared outcomes may be together. Raises ValueError where the environment names no such number.

    Example:
      >>> from landscape.store.shared import budget_bytes
      >>> budget_bytes()
      10000000000.0
    """
    text = os.environ.get(VARIABLE, "")
    try:
        value = float(text or BUDGET_GB)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise ValueError(f"{VARIABLE} = {text!r} must be a number of gigabytes from 0 on")
    return value * 1e9


def _used_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # another process has removed it
        return 0.0


def _size(path: Path, alone: bool = False) -> int:
    """The size of the files in a folder; of those only that lie nowhere else as well, where this is asked for."""
    size = 0
    for file in children(path):
        with contextlib.suppress(OSError):
            found = file.stat()
            size += found.st_size if found.st_nlink == 1 or not alone else 0
    return size
