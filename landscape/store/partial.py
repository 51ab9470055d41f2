"""Outcomes of single tasks on disk, so that an interrupted study resumes and a running one can be watched.

Each is a sealed folder `cache/.parts/<key>/<task>/` of `part.nc`, a part of the result, and `weights.npz`, the
weights that later tasks need.
"""

from __future__ import annotations

import contextlib
import io
import logging
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import xarray as xr
from filelock import FileLock, Timeout

from landscape.store.sealed import DamagedEntry, discard, folders, read_sealed, write_sealed
from landscape.study import Study, validated

PART, WEIGHTS = "part.nc", "weights.npz"
ELAPSED = ".elapsed"  # seconds that attempts have taken until now
PERIOD = 0.5  # seconds between two tries to be alone
ENGINE: Literal["scipy"] = "scipy"  # NetCDF-3: written and read ten times as fast as NetCDF-4, and parts are many

Weights = Mapping[str, dict[str, np.ndarray]]

log = logging.getLogger(__name__)


class StoredWeights(Mapping[str, dict[str, np.ndarray]]):
    """The weights of an outcome by name, read from its file when they are asked for: they may be large and many."""

    def __init__(self, path: Path):
        self._path = path

    def __getitem__(self, name: str) -> dict[str, np.ndarray]:
        with np.load(self._path, allow_pickle=False) as arrays:
            found = {path.split("/", 1)[1]: arrays[path] for path in arrays.files if path.split("/", 1)[0] == name}
        if not found:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        with np.load(self._path, allow_pickle=False) as arrays:
            return iter(dict.fromkeys(path.split("/", 1)[0] for path in arrays.files))

    def __len__(self) -> int:
        return len(list(iter(self)))


class StoredOutcome(NamedTuple):
    """What a task of the pipeline returned; see `landscape.jobs.study_tasks.Outcome`."""

    part: xr.Dataset
    weights: Weights


class Parts:
    """The outcomes kept of one study, by the name of the task."""

    def __init__(self, folder: Path, study: Study):
        self.folder, self.study = folder, study

    @contextlib.contextmanager
    def alone(self, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Be the only process and thread that computes this study: others wait here until it has ended.

        `waiting` is called before every try, and may raise. Where the folder cannot be written to, nothing is shared.
        """
        lock = self._locked(waiting)
        try:
            yield
        finally:
            if lock:
                lock.release()

    def _locked(self, waiting: Callable[[], None]) -> FileLock | None:
        lock = FileLock(self.folder.parent / f".{self.study.key}.lock", timeout=PERIOD)
        try:
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            for tries in count():
                waiting()
                with contextlib.suppress(Timeout):
                    lock.acquire()
                    break
                if tries == 0:
                    log.warning("%s is being computed elsewhere; waiting for it", self.study.name)
        except OSError:
            return None
        return lock

    def elapsed(self) -> float:
        """Seconds that earlier attempts took, as far as their outcomes are kept."""
        try:
            return float((self.folder / ELAPSED).read_text())
        except (OSError, ValueError):
            return 0.0

    def note(self, elapsed: float) -> None:
        """Remember how long attempts have taken until now, where the folder can be written to."""
        with contextlib.suppress(OSError):
            (self.folder / ELAPSED).write_text(f"{elapsed:.3f}")

    def forget(self, tasks: Iterable[str]) -> None:
        """Remove the outcomes of these tasks."""
        for task in tasks:
            shutil.rmtree(self.folder / task, ignore_errors=True)

    def write(self, task: str, part: xr.Dataset, weights: Weights) -> StoredOutcome:
        """Keep one outcome; what comes back holds no weights in memory. Raises Unwritable."""
        files = {PART: bytes(part.to_netcdf(engine=ENGINE)), WEIGHTS: _packed(weights)}
        record = {"key": self.study.key, "task": task, "study": self.study.model_dump(mode="json")}
        write_sealed(self.folder / task, files, record)
        return StoredOutcome(part, StoredWeights(self.folder / task / WEIGHTS))

    def read(self) -> dict[str, StoredOutcome]:
        """The intact outcomes; damaged ones are set aside and named in the log."""
        return {
            folder.name: StoredOutcome(part, StoredWeights(folder / WEIGHTS))
            for folder, part in self._sound((PART, WEIGHTS))
        }

    def names(self) -> set[str]:
        """Of the tasks whose outcomes are kept, intact or not."""
        return {folder.name for folder in folders(self.folder)}

    def results(self) -> list[xr.Dataset]:
        """The parts of the result, of intact outcomes; their weights are not looked at."""
        return [part for _, part in self._sound((PART,))]

    def _sound(self, names: tuple[str, ...]) -> Iterator[tuple[Path, xr.Dataset]]:
        for folder in folders(self.folder):
            try:
                yield folder, self._part(folder, names)
            except DamagedEntry as damage:
                discard(folder, damage)

    def remove(self) -> None:
        """Forget them, as the result has been written."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _part(self, folder: Path, names: tuple[str, ...]) -> xr.Dataset:
        """The part in a folder, the files of these names verified. Raises DamagedEntry."""
        record, files = read_sealed(folder, names)
        described = (record.get("key"), record.get("task"), {*record["sha256"]})
        if described != (self.study.key, folder.name, {PART, WEIGHTS}):
            raise DamagedEntry(folder.name, "it is no outcome of this task")
        return xr.load_dataset(io.BytesIO(files[PART]), engine=ENGINE, decode_times=False)


@lru_cache
def study_of(part: Path) -> Study | None:
    """The study of which a folder holds an outcome; None where this version cannot tell."""
    try:
        record, _ = read_sealed(part, (PART,))
        study = validated(record["study"])
    except (DamagedEntry, ValueError, KeyError):
        return None
    return study if study.key == record["key"] == part.parent.name else None


def _packed(weights: Weights) -> bytes:
    """An NPZ file whose names are `name/path`."""
    buffer = io.BytesIO()
    flat = {f"{name}/{path}": array for name, arrays in weights.items() for path, array in arrays.items()}
    np.savez(buffer, allow_pickle=False, **flat)
    return buffer.getvalue()
