"""Outcomes of single tasks on disk, so that an interrupted study resumes and a running one can be watched.

Each is a sealed folder `cache/.parts/<key>/<task>/` of `part.nc`, a part of the result, and `weights.npz`, the
weights that later tasks need.
"""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr

from landscape import netcdf
from landscape.sealed import DamagedEntry, discard, folders, read_sealed, write_sealed
from landscape.study import Study

PART, WEIGHTS = "part.nc", "weights.npz"

Weights = dict[str, dict[str, np.ndarray]]


class StoredOutcome(NamedTuple):
    """What a task of the pipeline returned; see `landscape.pipeline.Outcome`."""

    part: xr.Dataset
    weights: Weights


class Parts:
    """The outcomes kept of one study, by the name of the task."""

    def __init__(self, folder: Path, study: Study):
        self.folder, self.study = folder, study

    def write(self, task: str, part: xr.Dataset, weights: Weights) -> None:
        """Keep one outcome. Raises Unwritable."""
        files = {PART: netcdf.encode(part), WEIGHTS: _packed(weights)}
        write_sealed(self.folder / task, files, {"key": self.study.key, "task": task})

    def read(self) -> dict[str, StoredOutcome]:
        """The intact outcomes; damaged ones are set aside and named in the log."""
        outcomes = {}
        for folder in folders(self.folder):
            try:
                outcomes[folder.name] = self._outcome(folder)
            except DamagedEntry as damage:
                discard(folder, damage)
        return outcomes

    def remove(self) -> None:
        """Forget them, as the result has been written."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _outcome(self, folder: Path) -> StoredOutcome:
        record, files = read_sealed(folder)
        if (record.get("key"), record.get("task"), {*files}) != (self.study.key, folder.name, {PART, WEIGHTS}):
            raise DamagedEntry(folder.name, "it is no outcome of this task")
        return StoredOutcome(netcdf.decode(files[PART]), _unpacked(files[WEIGHTS]))


def _packed(weights: Weights) -> bytes:
    """An NPZ file whose names are `stage/path`."""
    buffer = io.BytesIO()
    flat = {f"{stage}/{path}": array for stage, arrays in weights.items() for path, array in arrays.items()}
    np.savez(buffer, allow_pickle=False, **flat)
    return buffer.getvalue()


def _unpacked(content: bytes) -> Weights:
    weights: Weights = {}
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        for name in arrays.files:
            stage, path = name.split("/", 1)
            weights.setdefault(stage, {})[path] = arrays[name]
    return weights
