"""A study as tasks, and their outcomes as one labelled result.

Some seeds of one model are trained by one task, which keeps the weights of every checkpoint. Each network is then
looked at, and walked in stages: every walk reaches n = 50 before any goes on to 100, and so on, so that a whole
picture is there early and sharpens; a stage is final for its n, since a shorter walk is a prefix of a longer one.
Tasks are plain functions of the study and of earlier outcomes (`landscape.jobs.study_tasks`), so any engine can run
them in any order that respects `needs`, here or elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import xarray as xr

from landscape.jobs.study_tasks import (
    Outcome,
    Report,
    base_task,
    candidate_task,
    kept_bytes,
    look_task,
    seeds_task,
    silent,
    stages,
    walk_task,
)
from landscape.numerics.memory import device_bytes
from landscape.study import Study, schema


class Task(NamedTuple):
    """`run(*outcomes, report=...)` with the outcomes of the tasks named in `needs`; `weight` is its relative cost."""

    run: Callable[..., Outcome]
    needs: tuple[str, ...] = ()
    weight: float = 1.0


def tasks(study: Study, devices: int = 1) -> dict[str, Task]:
    """Every task of a study by name, in an order in which they can run, and should: the whole picture first.

    Seeds are divided among so many devices; no number depends on it.
    """
    models, groups = range(len(study.labels) + 1), seed_groups(study, devices)
    planned: dict[str, Task] = {}
    for seeds in groups:
        for model in models:
            planned |= _training(study, model, seeds)
            for seed in seeds:
                planned |= _stage(study, model, seed, 0, training_name(model, seeds))
                planned |= _look(study, model, seed, training_name(model, seeds))
    for model in models if study.seeds > 1 else ():
        needs = tuple(training_name(model, seeds) for seeds in groups)
        planned[f"seeds-{name_of(model)}"] = Task(partial(seeds_task, study, model), needs, 1.0)
    for stage in range(1, len(stages(study))):
        for seeds in groups:
            for seed in seeds:
                for model in models:
                    planned |= _stage(study, model, seed, stage, training_name(model, seeds))
    return planned


def seed_groups(study: Study, devices: int) -> list[range]:
    """The seeds that one task trains: one on a processor, on accelerators a device's share of them, as far as the
    weights that it keeps are not too many.
    """
    size = 1
    if device_bytes() is not None:
        size = min(-(-study.seeds // devices), max(1, KEPT_BYTES // kept_bytes(study)))
    return [range(start, min(start + size, study.seeds)) for start in range(0, study.seeds, size)]


def name_of(model: int) -> str:
    """Of a model, in the names of tasks."""
    return f"candidate{model}" if model else "base"


def training_name(model: int, seeds: range) -> str:
    """Of the task that trains a model."""
    first, last = seeds[0], seeds[-1]
    return f"{name_of(model)}-seed{first}" if first == last else f"{name_of(model)}-seeds{first}_to_{last}"


def _training(study: Study, model: int, seeds: range) -> dict[str, Task]:
    epochs = (study.training.epochs if model else study.training.base_epochs) + 1
    run = partial(candidate_task, study, model, seeds) if model else partial(base_task, study, seeds)
    needs = (training_name(0, seeds),) if model else ()
    return {training_name(model, seeds): Task(run, needs, float(epochs * len(seeds)))}


def _look(study: Study, model: int, seed: int, training: str) -> dict[str, Task]:
    return {f"{name_of(model)}-seed{seed}-look": Task(partial(look_task, study, model, seed), (training,), 1.0)}


def _stage(study: Study, model: int, seed: int, stage: int, training: str) -> dict[str, Task]:
    name, reached = f"{name_of(model)}-seed{seed}-walk", [0, *stages(study)]
    steps = reached[stage + 1] - reached[stage]
    needs = (training, f"{name}{stage - 1}") if stage else (training,)
    weight = steps * (len(study.checkpoints) if model else 1) / WEIGHT
    return {f"{name}{stage}": Task(partial(walk_task, study, model, seed, stage), needs, weight)}


KEPT_BYTES = 4 * 2**30  # of the weights of a training task's checkpoints: what the host holds, and an end may lose
WEIGHT = 500  # midpoint barriers that count as much as an epoch of training


def compute(study: Study, report: Report = silent, keep: Callable[[str, Outcome], None] | None = None) -> xr.Dataset:
    """Run every task in this process and assemble the result; `keep` receives each outcome as it arrives."""
    outcomes: dict[str, Outcome] = {}
    for name, task in tasks(study).items():
        outcomes[name] = task.run(*(outcomes[need] for need in task.needs), report=report)
        if keep is not None:
            keep(name, outcomes[name])
    return schema.assemble(study, (outcome.part for outcome in outcomes.values()))
