"""What a NAME on the command line stands for: a study or its stored result."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from landscape.store.results import Store
from landscape.study import Study, from_toml
from landscape.study.presets import label, means, none_of, one_of, preset, presets


def named_study(name: str, store: Store) -> Study:
    """The study of a preset, of a TOML file, or of what the cache folder holds. Raises ValueError."""
    if not _is_study_file(name):
        return preset(name) if name in presets() else _held(name, store)
    try:
        return from_toml(name)
    except OSError as error:
        raise ValueError(f"{name}: {error.strerror}") from None


def named_result(name: str, store: Store) -> xr.Dataset:
    """The stored result of a preset, a TOML file, a NetCDF file or a key. Raises ValueError."""
    if not _is_study_file(name):
        return store.open(name)
    study = named_study(name, store)
    if study.key not in store:
        raise ValueError(f"{name} has not been computed yet; compute it with: python -m landscape run {name}")
    return store.read(study.key)


def _held(name: str, store: Store) -> Study:
    """The one finished or unfinished study that a name, a label or a key stands for. Raises ValueError."""
    held = {study.key: study for study in (*store.begun(), *(entry.study for entry in store.entries().entries))}
    found = [study for key, study in held.items() if name == study.name or means(name, study.name, key)]
    if len(found) == 1:
        return found[0]
    labels = [label(study.name, study.key) for study in found or held.values()]
    if found:
        raise ValueError(f"{name!r} names several studies: {one_of(labels)}")
    raise ValueError(f"unknown study {name!r}; {none_of([*presets(), *labels], name)}")


def _is_study_file(name: str) -> bool:
    """Whether a name is the path of a study's file: by its suffix, or, with any other than `.nc`, as a path to a file.

    A bare name without a suffix is never one, so that a file beside a preset's name does not take its place.
    """
    path = Path(name)
    suffix = path.suffix.lower()
    return suffix == ".toml" or (suffix != ".nc" and (suffix != "" or path.name != name) and path.is_file())
