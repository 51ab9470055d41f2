"""The one labelled result of a study: an `xarray.Dataset`, its variables and its assembly from parts.

Every figure, table, export and test starts from this dataset. `VARIABLES` is its schema. A part is a
dataset with some of these variables at some coordinates, as one seed's base or one seed's candidate;
`assemble` lays parts into place and leaves NaN (or −1) where nothing has been computed yet, so that
a half-computed study is an ordinary, incomplete result.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import xarray as xr

from landscape.study import Study, recorded
from landscape.study.predictors import proxies
from landscape.study.schema.variables import VARIABLES, Variable

ALPHAS = np.linspace(0, 1, 25)  # the midpoint is ALPHAS[12]
BASE = "base"
CONTROL = "control"

TIMES = tuple(name for name, variable in VARIABLES.items() if variable.units == "s")  # they differ from run to run
MOMENTS = ("start", "end")  # φ* or θ⁰; θ^T. The base is measured at the start only
SPLITS = ("train", "validation")
PHASES = ("train", "barriers", "curves", "proxies")
ALIGNMENTS = ("as trained", "aligned")
BATCHES = 8  # disjoint batches of each size of `walk.batches`, at most


def coordinates(study: Study) -> dict[str, tuple[str, np.ndarray] | np.ndarray]:
    """Every coordinate of a complete result, known before anything is computed.

    The coordinate `predictor` lists the proxies that are registered now; a stored result keeps those that were when it
    was computed.
    """
    models = [BASE, *study.labels]
    nodes = min(study.walk.nodes, study.walk.permutations + 1)
    first, second = np.triu_indices(nodes, 1)
    seeds = np.arange(study.seeds)
    widest = max(sizes[study.walk.group] for sizes in study.group_sizes())
    return {
        "seed": seeds,
        "model": np.array(models),
        "candidate": np.array(study.labels),
        "permutation": np.arange(1, study.walk.permutations + 1),
        "base_epoch": np.arange(study.base_epochs + 1),
        "epoch": np.arange(study.training.epochs + 1),
        "checkpoint": np.array(study.checkpoints),
        "swap": np.arange(int(np.ceil(np.log2(widest)))),
        "end": np.array(["a", "b"]),
        "moment": np.array(MOMENTS),
        "split": np.array(SPLITS),
        "alpha": ALPHAS,
        "node": np.arange(nodes),
        "other_node": np.arange(nodes),
        "pair": np.arange(len(first)),
        "pair_from": ("pair", first),
        "pair_to": ("pair", second),
        "seed_pair": np.arange(max(0, study.seeds - 1)),  # seeds s and s + 1
        "alignment": np.array(ALIGNMENTS),
        "surface_x": np.arange(study.walk.surface),
        "surface_y": np.arange(study.walk.surface),
        "phase": np.array(PHASES),
        "batch_size": np.array(study.walk.batches, int),
        "batch": np.arange(BATCHES),
        "predictor": np.array(list(proxies())),
    }


def empty(study: Study) -> xr.Dataset:
    """A result in which nothing has been computed yet: NaN, or −1 in integers."""
    coords = coordinates(study)
    sizes = {name: len(values) for name, values in coords.items() if not isinstance(values, tuple)}
    data = {name: _missing(variable, sizes) for name, variable in VARIABLES.items()}
    return xr.Dataset(data, coords, attributes(study))


def attributes(study: Study) -> dict[str, str]:
    """What a result says of itself before anything of it has been computed."""
    return {
        "title": study.title or study.name,
        "name": study.name,
        "key": study.key,
        "study": study.model_dump_json(),
        "source": "Malviya et al., arXiv 2405.15895",
    }


def _missing(variable: Variable, sizes: Mapping[Any, int]) -> xr.Variable:
    """A variable none of whose values are known yet."""
    nothing = np.nan if np.issubdtype(variable.dtype, np.floating) else -1
    values: np.ndarray = np.full([sizes[dim] for dim in variable.dims], nothing, variable.dtype)
    return xr.Variable(variable.dims, values, {"units": variable.units, "long_name": variable.meaning})


def completed(dataset: xr.Dataset) -> xr.Dataset:
    """A result with the optional variables that were added to the schema after it was computed: missing everywhere."""
    added = {name: each for name, each in VARIABLES.items() if each.optional and name not in dataset}
    if not added:
        return dataset
    known = coordinates(study_of(dataset))
    dims = {dim for variable in added.values() for dim in variable.dims} - {*dataset.dims}
    dataset = dataset.assign_coords({dim: known[dim] for dim in dims})
    return dataset.assign({name: _missing(variable, dataset.sizes) for name, variable in added.items()})


def part(study: Study, at: Mapping[str, int | str], **arrays: np.ndarray | xr.DataArray) -> xr.Dataset:
    """Some variables of the result at fixed coordinates, as `at={"seed": 3, "model": "base"}`.

    An array has the variable's other dimensions, in their order, each from its first coordinate on, unless it brings
    coordinates of its own.
    """
    full = coordinates(study)
    variables: dict[str, tuple] = {}
    coords: dict[str, Any] = {dim: [value] for dim, value in at.items()}
    for name, array in arrays.items():
        dims = VARIABLES[name].dims
        free = [dim for dim in dims if dim not in at]
        sizes = dict(zip(free, np.shape(array), strict=True))
        coords |= {dim: full[dim][:size] for dim, size in sizes.items()}
        coords |= {str(dim): array[dim].values for dim in array.coords} if isinstance(array, xr.DataArray) else {}
        variables[name] = (dims, np.reshape(np.asarray(array), [sizes.get(dim, 1) for dim in dims]))
    return xr.Dataset(variables, coords)


def assemble(study: Study, parts: Iterable[xr.Dataset]) -> xr.Dataset:
    """Lay parts into an empty result, each at its own coordinates; a part may be shorter along any dimension.

    Proxies that only the parts know, since another process computed them, stand behind those that are registered here.
    Raises ValueError for a value that the type of its variable cannot hold.
    """
    result = empty(study)
    for part in parts:
        result = _with_proxies_of(result, part)
        positions = {dim: result.get_index(dim) for dim in part.dims}
        for name, values in part.data_vars.items():
            where = [[positions[dim].get_loc(value) for value in part[dim].values.tolist()] for dim in values.dims]
            result[name].values[np.ix_(*where)] = _held(str(name), values.values, result[name].dtype)
    return result


def _held(name: str, values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Values in the type of their variable. Raises ValueError for one that it cannot hold; rounding is no loss."""
    with np.errstate(over="ignore", invalid="ignore"):
        held = values.astype(dtype)
    same = np.isfinite(held) == np.isfinite(values) if dtype.kind == "f" else held == values
    if not np.all(same):
        raise ValueError(f"{name} is {values[~same].flat[0]}, which {dtype} cannot hold")
    return held


def widened(dataset: xr.Dataset) -> xr.Dataset:
    """A result whose variables have the types of the schema, where they were stored in narrower ones of their kind.

    >>> import numpy as np, xarray as xr
    >>> from landscape.study.schema import widened
    >>> str(widened(xr.Dataset({"swaps": ("end", np.array([1, 2], np.int16))}))["swaps"].dtype)
    'int32'
    """
    wider = {}
    for name, variable in VARIABLES.items():
        stored, full = dataset.variables.get(name), np.dtype(variable.dtype)
        if stored is not None and stored.dtype.kind == full.kind and stored.dtype.itemsize < full.itemsize:
            wider[name] = stored.astype(full, keep_attrs=True)
    return dataset.assign(wider) if wider else dataset


def _with_proxies_of(result: xr.Dataset, part: xr.Dataset) -> xr.Dataset:
    """The result with room for every proxy that a part has."""
    known = result["predictor"].values.tolist()
    more = [key for key in part.coords.get("predictor", xr.DataArray([])).values.tolist() if key not in known]
    return result.reindex(predictor=[*known, *more]) if more else result


def study_of(dataset: xr.Dataset) -> Study:
    """The specification that a result was computed from."""
    return _recorded(dataset.attrs["study"])


@lru_cache(maxsize=64)
def _recorded(text: str) -> Study:
    return recorded(json.loads(text))
