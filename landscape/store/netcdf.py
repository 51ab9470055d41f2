"""Turns a result into the bytes of a NetCDF-4 file and back, and checks what was read against the schema."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Hashable, Mapping
from pathlib import Path

import numpy as np
import xarray as xr

from landscape.store.ranges import check_ranges
from landscape.study import schema
from landscape.study.steps import Deepen
from landscape.study.user_files import content_of

LABELLED = ("candidate", "model")  # the dimensions whose values are the names of candidates
RENAMED = {"stage": "moment"}  # dimensions of files written before they had their present names


def encode(dataset: xr.Dataset) -> bytes:
    """The bytes of a NetCDF-4 file with this dataset. Variables are compressed without loss (zlib level 4, shuffle)."""
    import h5netcdf  # a machine that only computes parts of a study need not have it
    from xarray.backends import H5NetCDFStore

    packed = {"zlib": True, "complevel": 4, "shuffle": True, "_FillValue": None}
    encoding = {name: packed for name, variable in dataset.data_vars.items() if variable.size}
    buffer = io.BytesIO()
    with h5netcdf.File(buffer, "w") as file:  # `to_netcdf` would ask Dask for a lock when it runs on a worker
        dataset.dump_to_store(H5NetCDFStore(file), encoding=encoding)
    return buffer.getvalue()


def decode(content: bytes, most: float = math.inf) -> xr.Dataset:
    """The result in the bytes of a NetCDF-4 file, all of it in memory, brought to the present schema.

    Raises ValueError for bytes of another format, for arrays that would take more than `most` bytes in memory, and
    where `check` does.
    """
    try:
        with xr.open_dataset(io.BytesIO(content), engine="h5netcdf", decode_times=False) as lazy:
            size = lazy.nbytes
            dataset = lazy.load() if size <= most else None
    except Exception as error:  # HDF5 raises whatever its first inconsistency leads to
        raise ValueError(f"this is not a readable NetCDF-4 file: {error}") from None
    if dataset is None:
        raise ValueError(f"its arrays take {size:,} bytes in memory; at most {most:,.0f} are read")
    dataset = schema.widened(renamed(dataset))
    check(dataset)
    return schema.completed(dataset)


def renamed(dataset: xr.Dataset) -> xr.Dataset:
    """A result with the present names of its dimensions and candidates, whichever version wrote it.

    A change of a name changes no number, so it leaves `study.SCHEMA` and with it all keys as they are: `RENAMED` gets
    an entry, and files that were written before stay valid. The dimension `moment`, of values "start" and "end", was
    called `stage` in the results that were shipped first:

    >>> import xarray as xr
    >>> from landscape.store.netcdf import renamed
    >>> old = xr.Dataset({"surface": ("stage", [0.5, 0.25])}, {"stage": ["start", "end"]})
    >>> float(renamed(old)["surface"].sel(moment="end"))
    0.25
    """
    found = dataset.rename({old: new for old, new in RENAMED.items() if old in dataset.dims})
    labels = {dim: [renamed_label(str(each)) for each in found[dim].values] for dim in LABELLED if dim in found.coords}
    return found.assign_coords({dim: (dim, names, found[dim].attrs) for dim, names in labels.items()})


def renamed_label(label: str) -> str:
    """The present name of a candidate, whichever version named it.

    >>> from landscape.store.netcdf import renamed_label
    >>> renamed_label("hidden1 → 20, hidden2 + 6")
    'hidden1 → 20 & 6 layers after hidden2'
    """
    return " & ".join(re.sub(r"^(\S+) \+ (\d+)$", _layers_after, step) for step in label.split(", "))


def _layers_after(found: re.Match[str]) -> str:
    return Deepen(deepen=found[1], layers=int(found[2])).label


def read(path: str | Path) -> xr.Dataset:
    """The result in a NetCDF file, checked against the schema. Raises ValueError that names the file and the fault."""
    try:
        return decode(content_of(path))
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def check(dataset: xr.Dataset) -> None:
    """Raises ValueError unless a dataset is a result of a study, be it a complete one or not.

    A result names a valid study, whose key is the same under the present schema. It has the coordinates and variables
    of the schema with their dimensions, sizes and types, and numbers that can be; only optional variables may be
    missing.
    """
    if "study" not in dataset.attrs:
        raise ValueError("its attributes do not name a study, so this program did not write it")
    study = schema.study_of(dataset)
    if study.key != dataset.attrs.get("key"):
        raise ValueError(f"its key is {dataset.attrs.get('key')!r}, and that of its study here {study.key!r}")
    expected = xr.Dataset(coords=schema.coordinates(study) | {"predictor": proxies(dataset)})
    absent = {name for name, variable in schema.VARIABLES.items() if variable.optional} - {*dataset.data_vars}
    present = {name: variable for name, variable in schema.VARIABLES.items() if name not in absent}
    unused = {*expected.dims} - {dim for variable in present.values() for dim in variable.dims}
    for name, coordinate in expected.variables.items():
        if name not in unused and (name not in dataset.coords or not coordinate.equals(dataset.variables[name])):
            raise ValueError(f"coordinate {name!r} differs from that of its study")
    for name, variable in present.items():
        _check_variable(dataset, name, variable, expected.sizes)
    check_ranges(dataset)


def proxies(dataset: xr.Dataset) -> np.ndarray:
    """The proxies that a result holds: those registered when it was computed, which may be others than today's.

    Raises ValueError for a result that does not list them by name, each once.
    """
    names = dataset.coords["predictor"].values if "predictor" in dataset.coords else np.empty(0)
    if names.ndim != 1 or len({*names.tolist()}) != names.size or not all(isinstance(name, str) for name in names):
        raise ValueError("coordinate 'predictor' does not list proxies by name, each once")
    return names


def _check_variable(dataset: xr.Dataset, name: str, variable: schema.Variable, sizes: Mapping[Hashable, int]) -> None:
    if name not in dataset.data_vars:
        raise ValueError(f"variable {name!r} is missing")
    found, shape = dataset[name], tuple(sizes[dim] for dim in variable.dims)
    if (found.dims, found.shape, found.dtype) != (variable.dims, shape, np.dtype(variable.dtype)):
        raise ValueError(
            f"variable {name!r} has dimensions {dict(zip(found.dims, found.shape, strict=True))} of {found.dtype}; "
            f"its study has {dict(zip(variable.dims, shape, strict=True))} of {np.dtype(variable.dtype)}"
        )
