"""A study in this process: for notebooks, scripts and the command line."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import xarray as xr

from landscape.jobs.attempt import Attempt
from landscape.jobs.guard.fits import check_fits
from landscape.jobs.installed import require_computing
from landscape.jobs.own import prepared, surveyed
from landscape.jobs.progress import OnUpdate
from landscape.store.results import Store
from landscape.store.sealed import DamagedEntry, Unwritable
from landscape.store.uploads import with_kept_files
from landscape.study import Study
from landscape.study.files import identified

Build: TypeAlias = Callable[[tuple[int, ...], int, Any], Any]

PREALLOCATE = "XLA_PYTHON_CLIENT_PREALLOCATE"  # whether JAX takes most of a GPU's memory at once


def run(study: Study, cache: str | Path | None = None, *, build: Build | None = None) -> xr.Dataset:
    """The result of a study: read from where results are stored, or else computed here and stored.

    `cache` is the folder of stored results; None is the one that `landscape.store.places` finds. All devices that JAX
    has here take part. An interrupted computation resumes where it stopped. A result that cannot be stored is returned
    with a warning. Paths of data of your own begin at the current folder, or at that of the file of the study.

    A study whose model is `{"kind": "own"}` without a file takes its function `build(shape, classes, rngs)` from here.
    It returns a Flax NNX module for inputs of this shape, which draws its weights from `rngs` and returns a logit for
    each class. The study is known by what the function computes.

    Raises ValueError where the study cannot be computed: its data are missing, a batch is larger than the data, or a
    group has too few units for as many distinct permutations as it asks for.

    The result of a preset may be shipped with the package, and is only read then:

    >>> from landscape import run
    >>> from landscape.study.presets import preset
    >>> dataset = run(preset("digits-mlp"))
    >>> dataset["barrier"].dims
    ('seed', 'candidate', 'checkpoint', 'permutation')
    """
    if not isinstance(study, Study):
        raise ValueError(f"run takes a Study, as landscape.preset and landscape.from_toml give it; got {study!r:.80}")
    study = identified(study) if build is None else _handed_over(study, build)
    dataset, trouble = computed(study, Store(cache), lambda update: None)
    if trouble:
        warnings.warn(f"the result is not stored: {trouble}", stacklevel=2)
    return dataset


def _handed_over(study: Study, build: Build) -> Study:
    require_computing()
    from landscape.jobs.own.described import handed_over

    return handed_over(surveyed(identified(study)), build)


def computed(study: Study, store: Store, on_update: OnUpdate, workers: int = 1) -> tuple[xr.Dataset, Unwritable | None]:
    """The result of a study as `run` has it, and why it could not be stored; `on_update` hears how far it is.

    All devices that JAX has here take part. On a processor, `workers` processes share the tasks, and no number depends
    on how many; 1 is this process. Where another process is computing the study, this one waits for its result. Raises
    ValueError for several workers where the study runs code of one's own, which no other process is sent.
    """
    if workers > 1 and study.model.refusal:
        raise ValueError(f"workers have no code of one's own and are sent none: run {study.name} with 1 worker")
    if (dataset := stored(study, store)) is not None:
        return dataset, None
    check_fits(study, store)
    require_computing()
    study = prepared(study)
    check_fits(study, store)  # by what its own files tell, before anything is kept of it
    from landscape.jobs.resume import arranged, compute, finish

    attempt = Attempt(_with_files(study, store), store)
    with attempt.parts.sole_computation():
        if (dataset := stored(study, store)) is not None:  # another process has computed it meanwhile
            return dataset, None
        runner, devices = _runner(workers)
        attempt = arranged(attempt, devices)
        dataset = compute(attempt, partial(runner, attempt, on_update), on_update)
        try:
            finish(attempt, dataset)
        except Unwritable as trouble:
            return dataset, trouble
        return dataset, None


def _runner(workers: int) -> tuple[Callable[..., Any], int]:
    """What runs the tasks of an attempt here, and on how many devices."""
    import jax

    from landscape.jobs.processes.pool import on_processes
    from landscape.jobs.resume import in_order
    from landscape.jobs.threads import on_devices

    devices = jax.local_device_count()
    if devices > 1:
        return on_devices, devices
    return (partial(on_processes, workers) if workers > 1 and jax.default_backend() == "cpu" else in_order), 1


def _with_files(study: Study, store: Store) -> Study:
    """The study with its files kept in the cache folder, where it can be written to, so that it can go on later."""
    try:
        return with_kept_files(store.root, study)
    except Unwritable:
        return study


def stored(study: Study, store: Store) -> xr.Dataset | None:
    """The result if it is stored intact. A damaged one is set aside, and the log says so."""
    try:
        return store.read(study.key) if study.key in store else None
    except DamagedEntry:
        return None
