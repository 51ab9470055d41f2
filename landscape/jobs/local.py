"""A study in this process: for notebooks, scripts and the command line."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import xarray as xr

from landscape.jobs.installed import require_computing
from landscape.jobs.progress import News, Report
from landscape.store.results import Store
from landscape.store.sealed import DamagedEntry, Unwritable
from landscape.study import Study

log = logging.getLogger(__name__)

PREALLOCATE = "XLA_PYTHON_CLIENT_PREALLOCATE"  # whether JAX takes most of a GPU's memory at once

Send = Callable[[News | Report], None]


def run(study: Study, cache: str | Path | None = None) -> xr.Dataset:
    """The result of a study, from the cache folder or else computed here and stored there.

    An interrupted computation resumes where it stopped. A result that cannot be stored is returned with a warning.
    """
    dataset, trouble = computed(study, Store(cache), lambda message: None)
    if trouble:
        warnings.warn(f"the result is not stored: {trouble}", stacklevel=2)
    return dataset


def computed(study: Study, store: Store, send: Send) -> tuple[xr.Dataset, Unwritable | None]:
    """The result of a study as `run` has it, and why it could not be stored; `send` hears how far it is.

    All devices that JAX has here take part. Where another process computes the study, its result is waited for.
    """
    if (dataset := stored(study, store)) is not None:
        return dataset, None
    require_computing()
    import jax

    from landscape.jobs.resume import compute, divided, finish, in_order
    from landscape.jobs.threads import on_devices

    with store.parts(study).alone():
        if (dataset := stored(study, store)) is not None:  # by another process, meanwhile
            return dataset, None
        devices = jax.local_device_count()
        run = partial(on_devices if devices > 1 else in_order, study, store, send)
        dataset = compute(study, store, run, send, devices=divided(study, store, devices))
        try:
            finish(study, store, dataset)
        except Unwritable as trouble:
            return dataset, trouble
        return dataset, None


def stored(study: Study, store: Store) -> xr.Dataset | None:
    """The result if it is stored intact; a damaged one is set aside, which the log says."""
    try:
        return store.read(study.key) if study.key in store else None
    except DamagedEntry:
        return None
