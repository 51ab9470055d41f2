"""What a task returned, on disk: a part of the result as NetCDF-3, and weights as safetensors.

NetCDF-3 is written and read ten times as fast as NetCDF-4, and parts are many.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr
from safetensors import safe_open
from safetensors.numpy import save
from xarray.backends import ScipyDataStore

Weights = Mapping[str, dict[str, np.ndarray]]


class StoredWeights(Mapping[str, dict[str, np.ndarray]]):
    """The weights of an outcome by name. They may be large and many, so each is read only when it is asked for."""

    def __init__(self, path: Path):
        self._path = path

    def __getitem__(self, name: str) -> dict[str, np.ndarray]:
        with safe_open(self._path, framework="numpy") as file:
            paths = sorted(key for key in file.keys() if key.split("/", 1)[0] == name)  # noqa: SIM118
            found = {path.split("/", 1)[1]: file.get_tensor(path) for path in paths}
        if not found:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        with safe_open(self._path, framework="numpy") as file:
            return iter(sorted({key.split("/", 1)[0] for key in file.keys()}))  # noqa: SIM118

    def __len__(self) -> int:
        return len(list(iter(self)))


class StoredOutcome(NamedTuple):
    """What a task returned, kept on disk; its first two fields are those of `landscape.jobs.tasks.outcome.Outcome`.

    Attributes:
      part: some variables of the result at some coordinates.
      weights: the networks that later tasks need, by name, each as arrays by path.
      checksum: the SHA-256 of the weights.
      taken: whether it had been computed for another study.
      seconds: how long its task took; 0 unless it has just been run.
    """

    part: xr.Dataset
    weights: Weights
    checksum: str = ""
    taken: bool = False
    seconds: float = 0.0


def part_content(part: xr.Dataset) -> bytes:
    """The bytes of a NetCDF-3 file with this part."""
    endless = [dim for dim, size in part.sizes.items() if size == 0]  # NetCDF-3 takes no length for unlimited
    buffer = io.BytesIO()
    file = ScipyDataStore(buffer, mode="w")  # `to_netcdf` asks Dask for its scheduler, and fails where that has closed
    part.drop_dims(endless).dump_to_store(file)
    file.close()
    return buffer.getvalue()


def read_part(content: bytes) -> xr.Dataset:
    """The part in the bytes of such a file. Raises ValueError for any other bytes."""
    try:
        return xr.load_dataset(io.BytesIO(content), engine="scipy", decode_times=False)
    except Exception as error:  # SciPy raises whatever the first inconsistency leads to
        raise ValueError(f"this is not a readable NetCDF-3 file: {error}") from None


def weights_content(weights: Weights) -> bytes:
    """The content of a safetensors file whose tensors are called `name/path`."""
    flat = {f"{name}/{path}": array for name, arrays in weights.items() for path, array in arrays.items()}
    # safetensors copies an array's memory as it lies there, whatever its strides
    return save({key: np.asarray(array, order="C") for key, array in flat.items()})
