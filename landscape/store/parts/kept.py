"""Outcomes of single tasks on disk, so that an interrupted study resumes and a running one can be watched.

Each is a sealed folder `.parts/<key>/<task>/` of the cache folder. It holds `part.nc`, a part of the result, and
`weights.safetensors`, the weights that later tasks need.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import count
from pathlib import Path

import xarray as xr
from filelock import FileLock, Timeout

from landscape.store.parts.outcome import (
    StoredOutcome,
    StoredWeights,
    Weights,
    part_content,
    read_part,
    weights_content,
)
from landscape.store.parts.pauses import go_on
from landscape.store.places import children
from landscape.store.sealed import (
    DamagedEntry,
    Record,
    discard,
    folders,
    link_sealed,
    read_sealed,
    remove_folder,
    write_sealed,
)
from landscape.store.sealed.temporary import sweep, temporary_name
from landscape.study import Study, recorded
from landscape.study.user_files import content_of

PART, WEIGHTS = FILES = "part.nc", "weights.safetensors"
STUDY = ".study"  # the file with the description of the study, which is there before the first outcome
ELAPSED = ".elapsed"  # the file with the seconds that attempts have taken so far
PERIOD = 0.5  # seconds between two tries to be the only one that computes

log = logging.getLogger(__name__)


class Parts:
    """The outcomes kept of one study, by the names of its tasks."""

    def __init__(self, folder: Path, study: Study):
        self.folder, self.study = folder, study

    @contextlib.contextmanager
    def sole_computation(self, before_try: Callable[[], None] = lambda: None) -> Iterator[None]:
        """A context that one process and thread is in at a time, while it computes this study; others wait to enter.

        `before_try` is called before every try to enter, and may raise to give up. Where the folder cannot be written
        to, nobody waits: nothing that is computed there could be shared.
        """
        lock = self._lock(before_try)
        try:
            sweep(self.folder, self.folder.parent, self.folder.parent.parent)
            go_on(self.folder)
            yield
        finally:
            if lock:
                lock.release()

    def _lock(self, before_try: Callable[[], None]) -> FileLock | None:
        lock = _lock_of(self.folder, PERIOD)
        try:
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            for tries in count():
                before_try()
                with contextlib.suppress(Timeout):
                    lock.acquire()
                    break
                if tries == 0:
                    log.warning("%s is being computed elsewhere; waiting for it", self.study.name)
        except OSError:
            return None
        return lock

    def note_study(self) -> bool:
        """Write down which study this is, where the folder can be written to: whether it is noted there.

        An attempt that is stopped, or killed, during its first tasks can then be found and go on.
        """
        temporary = self.folder / temporary_name()
        with contextlib.suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps(self.study.model_dump(mode="json")))
            os.replace(temporary, self.folder / STUDY)
            return True
        return False

    def elapsed(self) -> float:
        """The seconds that earlier attempts took; 0 where nothing is kept of them."""
        try:
            return float(content_of(self.folder / ELAPSED))
        except (OSError, ValueError):
            return 0.0

    def note_elapsed(self, elapsed: float) -> None:
        """Write down how many seconds attempts have taken so far, where the folder can be written to."""
        with contextlib.suppress(OSError):
            (self.folder / ELAPSED).write_text(f"{elapsed:.3f}")

    def forget(self, tasks: Iterable[str]) -> None:
        """Remove the outcomes of these tasks."""
        for task in tasks:
            shutil.rmtree(self.folder / task, ignore_errors=True)

    def write(self, task: str, part: xr.Dataset, weights: Weights) -> StoredOutcome:
        """Keep one outcome. What is returned holds no weights in memory. Raises Unwritable.

        Nobody waits for the disk, of which a small study would wait most: what a power failure takes is computed again.
        """
        files = {PART: part_content(part), WEIGHTS: weights_content(weights)}
        checksums = write_sealed(self.folder / task, files, self._record(task), lasting=False)
        return StoredOutcome(part, StoredWeights(self.folder / task / WEIGHTS), checksums[WEIGHTS])

    def take(self, task: str, outcome: Path) -> StoredOutcome | None:
        """Keep an outcome that another study has computed, if it is intact. Raises Unwritable."""
        try:
            if read_sealed(outcome, ())[0].get("key") != outcome.name:
                raise DamagedEntry(outcome.name, "it is the outcome of another task")
            link_sealed(outcome, self.folder / task, FILES, {**self._record(task), "taken": True})
            return self._outcome(self.folder / task, FILES)
        except DamagedEntry as damage:
            for folder in (outcome, self.folder / task):
                discard(folder, damage)
            return None

    def _record(self, task: str) -> Record:
        return {"key": self.study.key, "task": task, "study": self.study.model_dump(mode="json")}

    def read(self) -> dict[str, StoredOutcome]:
        """The intact outcomes. Damaged ones, and those of another version, are set aside and named in the log."""
        return dict(self._intact(FILES))

    def names(self) -> set[str]:
        """The names of the tasks whose outcomes are kept, intact or not."""
        return {folder.name for folder in folders(self.folder)}

    def size(self) -> int:
        """The bytes that outcomes take on the disk; those that go meanwhile do not count."""
        size = 0
        for file in (each for folder in folders(self.folder) for each in children(folder)):
            with contextlib.suppress(OSError):
                size += file.lstat().st_size
        return size

    def results(self) -> list[xr.Dataset]:
        """The parts of the result that intact outcomes hold. Nothing reads their weights, which may be gigabytes."""
        return [outcome.part for _, outcome in self._intact((PART,))]

    def _intact(self, names: tuple[str, ...]) -> Iterator[tuple[str, StoredOutcome]]:
        for folder in folders(self.folder):
            try:
                yield folder.name, self._outcome(folder, names)
            except DamagedEntry as damage:
                discard(folder, damage)

    def remove(self) -> None:
        """Remove all outcomes, once the result has been written."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _outcome(self, folder: Path, names: tuple[str, ...]) -> StoredOutcome:
        """The outcome in a folder whose files of these names are intact. Raises DamagedEntry."""
        record, files = read_sealed(folder, (PART,))
        if {*record["sha256"]} != {*FILES}:
            raise DamagedEntry(folder.name, f"another version kept it, as {', '.join(record['sha256'])}")
        if (record.get("key"), record.get("task")) != (self.study.key, folder.name):
            raise DamagedEntry(folder.name, "it is the outcome of another task")
        read_sealed(folder, names)
        try:
            part = read_part(files[PART])
        except ValueError as error:
            raise DamagedEntry(folder.name, str(error)) from None
        checksum, taken = record["sha256"][WEIGHTS], record.get("taken") is True
        return StoredOutcome(part, StoredWeights(folder / WEIGHTS), checksum, taken)


def _lock_of(folder: Path, timeout: float) -> FileLock:
    """The lock that whoever computes the study with its outcomes in this folder holds."""
    return FileLock(folder.parent / f".{folder.name}.lock", timeout=timeout)


def checksum_of(outcome: Path) -> str:
    """The checksum of the weights of an outcome in a folder, by its record; empty where there is none."""
    try:
        return str(read_sealed(outcome, ())[0]["sha256"].get(WEIGHTS, ""))
    except DamagedEntry:
        return ""


def is_computed_now(folder: Path) -> bool:
    """Whether a process computes the study whose outcomes are in this folder."""
    try:
        with _lock_of(folder, 0):
            return False
    except Timeout:
        return True
    except OSError:  # the folder cannot be written to, so that nobody keeps anything there
        return False


def remove_unless_computed(folder: Path) -> bool:
    """Remove the outcomes of a study, unless a process computes it now: whether they are gone. Raises Unwritable."""
    try:
        with _lock_of(folder, 0):
            remove_folder(folder)
    except Timeout:
        return False
    return True


def begun_study(folder: Path) -> Study | None:
    """The study whose outcomes are kept in a folder, if there are any yet; None where this version cannot read it."""
    try:
        noted = _described(content_of(folder / STUDY).decode())
    except (OSError, ValueError):
        noted = None
    if noted and noted.key == folder.name:
        return noted
    return next(filter(None, map(_study_of, folders(folder))), None)


@lru_cache
def _described(text: str) -> Study | None:
    try:
        return recorded(json.loads(text))
    except (ValueError, RecursionError):
        return None


@lru_cache
def _study_of(part: Path) -> Study | None:
    """The study that the outcome in a folder belongs to, or None where this version cannot read it."""
    try:
        record, _ = read_sealed(part, (PART,))
        study = recorded(record["study"])
    except (DamagedEntry, ValueError, KeyError):
        return None
    return study if study.key == record["key"] == part.parent.name else None
