"""Turns a result into the bytes of a NetCDF-4 file and back, and gives what older versions wrote its present names.

NetCDF-4 is HDF5 with named dimensions. It is written by h5netcdf and read by h5py: h5netcdf looks up the dimensions of
a file anew for each variable, and took 0.2 s for a result, of which the numbers take a seventh.
"""

from __future__ import annotations

import io
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from landscape.store.checks import check
from landscape.study import schema
from landscape.study.steps import Deepen
from landscape.study.user_files import content_of

if TYPE_CHECKING:
    import h5py

LABELLED = ("candidate", "model")  # the dimensions whose values are the names of candidates
RENAMED = {"stage": "moment"}  # dimensions of files written before they had their present names

OF_THE_FORMAT = {  # attributes that carry the dimensions, and are not the user's
    *("CLASS", "NAME", "REFERENCE_LIST", "DIMENSION_LIST"),  # of HDF5's dimension scales
    *("_Netcdf4Dimid", "_Netcdf4Coordinates", "_nc3_strict", "_NCProperties"),
}
WITHOUT_VALUES = b"This is a netCDF dimension but not a netCDF variable"  # how the `NAME` of such a dimension begins
MAGIC = b"\x89HDF\r\n\x1a\n"  # with which every file of HDF5 begins
WIDEST = 8  # bytes of the largest number that decoding makes of any other
CHARACTER = 4  # bytes of a character in an array of NumPy


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

    Raises ValueError for bytes of another format, for arrays that can take more than `most` bytes in memory, and
    where `check` does.
    """
    dataset = schema.widened(renamed(load(content, most)))
    check(dataset)
    return schema.completed(dataset)


def load(content: bytes, most: float = math.inf) -> xr.Dataset:
    """What `xarray.load_dataset` reads from the bytes of a NetCDF-4 file with numbers and text, be it a result or not.

    Times stay numbers, and groups within the file are left out.

    Raises:
      ValueError: for bytes of another format, and for arrays that can take more than `most` bytes in memory.
    """
    import h5py  # a machine that only computes parts of a study need not have it

    try:
        with h5py.File(io.BytesIO(content)) as file:
            arrays = {name: each for name, each in file.items() if isinstance(each, h5py.Dataset)}
            size = sum(map(_most_bytes, arrays.values()))
            if size <= most:
                stored = xr.Dataset(_variables(file, arrays), attrs=_attributes(file))
                return xr.decode_cf(stored, decode_times=False).load()
    except OSError:  # in words of HDF5 about its own structures
        reason = "it is damaged or cut off" if content.startswith(MAGIC) else "it begins like none"
        raise ValueError(f"this is not a readable NetCDF-4 file: {reason if content else 'it is empty'}") from None
    except Exception as error:  # HDF5 raises whatever its first inconsistency leads to
        raise ValueError(f"this is not a readable NetCDF-4 file: {error}") from None
    raise ValueError(f"its arrays take up to {size:,} bytes in memory; at most {most:,.0f} are read")


def _most_bytes(array: h5py.Dataset) -> int:
    """How many bytes an array can take in memory, where each of several texts takes as many as the longest."""
    if array.dtype.kind == "O":
        return CHARACTER * array.size * max(map(len, array.asstr()[()].flat), default=1)
    return WIDEST * (array.size or 0)


def _variables(file: h5py.File, arrays: dict[str, h5py.Dataset]) -> dict[str, xr.Variable]:
    from h5py.h5r import dereference

    names = {array.id: name for name, array in arrays.items()}
    found = {}
    for name, array in arrays.items():
        scales = array.attrs.get("DIMENSION_LIST", ())  # for each axis, references to the arrays that name it
        dims = [names[dereference(scale[-1], file.id)] for scale in scales] or [name][: array.ndim]
        if not array.attrs.get("NAME", b"").startswith(WITHOUT_VALUES):
            found[name] = xr.Variable(dims, _values(array), _attributes(array))
    return found


def _values(array: h5py.Dataset) -> np.ndarray:
    return array.asstr()[()].astype(str) if array.dtype.kind == "O" else array[()]


def _attributes(of: h5py.HLObject) -> dict[str, Any]:
    return {name: _plain(of.attrs[name]) for name in of.attrs if name not in OF_THE_FORMAT}


def _plain(value: Any) -> Any:
    """An attribute as Python's users expect it: text is text, and an array of one number is that number."""
    if isinstance(value, bytes):
        return value.decode()
    return value[0] if np.shape(value) == (1,) else value


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
    old_names = RENAMED.keys() & {*dataset.dims}
    found = dataset.rename({old: RENAMED[old] for old in old_names}) if old_names else dataset
    labels = {dim: found[dim].values.tolist() for dim in LABELLED if dim in found.coords}
    named = {dim: [renamed_label(str(label)) for label in old] for dim, old in labels.items()}
    changed = {dim: (dim, names, found[dim].attrs) for dim, names in named.items() if names != labels[dim]}
    return found.assign_coords(changed) if changed else found


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
