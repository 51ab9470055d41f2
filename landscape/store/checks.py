"""What a dataset must be to be a result: of a valid study, of the form in the schema, and of numbers that can be."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import numpy as np
import xarray as xr

from landscape.store.fields import origin_in
from landscape.study import schema

RANGES = {  # what a variable can hold, by how its name ends, besides the NaN or −1 of what was not computed
    "validation_accuracy": (0.0, 1.0),
    **dict.fromkeys(("loss", "sotl_e", "curve", "surface", "barrier", "distance", "seconds", "stop"), (0.0, np.inf)),
    **dict.fromkeys(("parameters", "width"), (1.0, np.inf)),
}
NEEDED = ("base_barrier", "barrier")  # a result without any number of these shows nothing


def check(dataset: xr.Dataset) -> None:
    """Raises ValueError unless a dataset is a result of a study, be it a complete one or not.

    A result names a valid study, whose key is the same under the present schema. It has the coordinates and variables
    of the schema with their dimensions, sizes and types, and numbers that can be; only optional variables may be
    missing. What it says of its origin, if anything, is what records say.
    """
    if "study" not in dataset.attrs:
        raise ValueError("its attributes do not name a study, so this program did not write it")
    study = schema.study_of(dataset)
    if study.key != dataset.attrs.get("key"):
        raise ValueError(f"its key is {dataset.attrs.get('key')!r}, and that of its study here {study.key!r}")
    origin_in(dataset.attrs, study)
    expected = xr.Dataset(coords=schema.coordinates(study) | {"predictor": _proxies(dataset)})
    absent = {name for name, variable in schema.VARIABLES.items() if variable.optional} - {*dataset.data_vars}
    present = {name: variable for name, variable in schema.VARIABLES.items() if name not in absent}
    unused = {*expected.dims} - {dim for variable in present.values() for dim in variable.dims}
    for name, coordinate in expected.variables.items():
        if name not in unused and (name not in dataset.coords or not coordinate.equals(dataset.variables[name])):
            raise ValueError(f"coordinate {name!r} differs from that of its study")
    for name, variable in present.items():
        _check_variable(dataset, name, variable, expected.sizes)
    _check_ranges(dataset)


def _proxies(dataset: xr.Dataset) -> np.ndarray:
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
    found, shape = dataset.variables[name], tuple(sizes[dim] for dim in variable.dims)
    if (found.dims, found.shape, found.dtype) != (variable.dims, shape, np.dtype(variable.dtype)):
        raise ValueError(
            f"variable {name!r} has dimensions {dict(zip(found.dims, found.shape, strict=True))} of {found.dtype}; "
            f"its study has {dict(zip(variable.dims, shape, strict=True))} of {np.dtype(variable.dtype)}"
        )


def _check_ranges(dataset: xr.Dataset) -> None:
    """Raises ValueError for numbers that no computation gives, such as an accuracy above 1 or a negative barrier."""
    limited = {name: limits for name in dataset.data_vars for end, limits in RANGES.items() if str(name).endswith(end)}
    for name, (low, high) in limited.items():
        values = dataset.variables[name].values
        values = values[np.isfinite(values) if values.dtype.kind == "f" else values != -1]
        if values.size and not (low <= values.min() and values.max() <= high):
            raise ValueError(f"{name} is from {values.min():g} to {values.max():g}; it can be from {low:g} to {high:g}")


def check_not_empty(dataset: xr.Dataset) -> None:
    """Raises ValueError for a result without any barrier."""
    if missing := [name for name in NEEDED if not np.isfinite(dataset[name].values).any()]:
        raise ValueError(f"{missing[0]} holds no number at all")
