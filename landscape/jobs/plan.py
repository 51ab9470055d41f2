"""A study as tasks, in an order that shows a whole picture early.

One task trains some seeds of one member and keeps the weights of every checkpoint. Each network is then looked at, and
walked in segments: every walk reaches n = 50 before any goes on to 100, and so on. So a whole picture is there early
and sharpens; what it shows for an n is final, since a shorter walk is a prefix of a longer one. Tasks are plain
functions of the study and of earlier outcomes (`landscape.jobs.tasks`), so anything can run them, here or elsewhere,
in any order that respects `needs`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise
from typing import NamedTuple

from landscape.jobs.tasks import content
from landscape.jobs.tasks.batches import batches_task
from landscape.jobs.tasks.look import look_task
from landscape.jobs.tasks.networks import kept_bytes
from landscape.jobs.tasks.outcome import Outcome
from landscape.jobs.tasks.seeds import pair_task
from landscape.jobs.tasks.sharpness import GRADIENTS, sharpness_task
from landscape.jobs.tasks.train import base_task, candidate_task
from landscape.jobs.tasks.walk import segments, walk_task
from landscape.numerics.memory import device_bytes
from landscape.study import Study
from landscape.study.member import Member, members
from landscape.study.schema import BATCHES

KEPT_BYTES = 4 * 2**30  # of the weights that one training task keeps: its host holds them, and loses them if it ends
PAPER_EXAMPLES = 40_000  # of an epoch where it is not known before the data are loaded
BARRIERS_PER_EPOCH = 500  # midpoint barriers that take about as long as an epoch of training


class Task(NamedTuple):
    """One task of a study.

    run: called as `run(*outcomes, on_activity=...)` with the outcomes of the tasks named in `needs`; weight: its
    cost relative to that of the other tasks, in epochs of training; content: what its numbers depend on beside the
    weights that it needs, so that its outcome serves other studies too. None keeps it for this one.
    """

    run: Callable[..., Outcome]
    needs: tuple[str, ...] = ()
    weight: float = 1.0
    content: Callable[[], content.Content] | None = None


def plan_study(study: Study, divisions: int = 1, first: int = 0) -> dict[str, Task]:
    """Every task of a study by name. Tasks stand behind what they need, and those that complete a picture come first.

    The seeds are divided among `divisions` devices. This changes which task trains a seed, and no number. Those before
    the `first` are left out.
    """
    groups = seed_groups(study, divisions, first)
    trained_by = {seed: seeds for seeds in groups for seed in seeds}
    planned: dict[str, Task] = {}
    measured = planned if study.training.epochs else {}  # where nothing is trained, walks come before all else
    for seeds in groups:
        for member in members(study):
            planned |= _training(member, seeds)
            for seed in seeds:
                planned |= _walk(member, seed, 0, seeds)
                measured |= _look(member, seed, seeds) if member.moments else {}
    for member in (each for each in members(study) if each.moments and study.seeds > 1):
        measured |= _pairs(member, trained_by)
    for seed, seeds in trained_by.items():
        for member in members(study):
            measured |= _further(member, seed, seeds)
    for segment in range(1, len(segments(study))):
        for seed, seeds in trained_by.items():
            for member in members(study):
                planned |= _walk(member, seed, segment, seeds)
    return planned | measured


def seed_groups(study: Study, divisions: int, first: int = 0) -> list[range]:
    """The seeds that each training task trains together, from the `first` on.

    A processor trains one seed at a time. An accelerator trains its whole division of the seeds at once, as long as
    the weights that the task keeps are not more than `KEPT_BYTES`.
    """
    size = 1
    if device_bytes() is not None:
        size = min(-(-(study.seeds - first) // divisions), max(1, KEPT_BYTES // kept_bytes(study)))
    return [range(start, min(start + size, study.seeds)) for start in range(first, study.seeds, size)]


def training_name(member: Member, seeds: range) -> str:
    """The name of the task that trains these seeds of a member: `base-seed0`, or `candidate2-seeds0_to_4`."""
    first, last = seeds[0], seeds[-1]
    return f"{member.name}-seed{first}" if first == last else f"{member.name}-seeds{first}_to_{last}"


def _training(member: Member, seeds: range) -> dict[str, Task]:
    name, weight = training_name(member, seeds), float((member.epochs + 1) * len(seeds))  # epoch 0 is evaluated too
    if member.is_base:
        numbers = partial(content.of_base, member.study, seeds)
        return {name: Task(partial(base_task, member.study, seeds), (), weight, numbers)}
    needs, numbers = (training_name(Member(member.study, 0), seeds),), partial(content.of_candidate, member, seeds)
    return {name: Task(partial(candidate_task, member, seeds), needs, weight, numbers)}


def _look(member: Member, seed: int, trained_with: range) -> dict[str, Task]:
    needs = (training_name(member, trained_with),)
    run, numbers = partial(look_task, member, seed), partial(content.of_look, member, seed)
    return {f"{member.name}-seed{seed}-look": Task(run, needs, content=numbers)}


def _further(member: Member, seed: int, trained_with: range) -> dict[str, Task]:
    """What is measured only where a study asks for it."""
    study, needs, name = member.study, (training_name(member, trained_with),), f"{member.name}-seed{seed}"
    planned = {}
    if study.walk.batches and not member.is_control:
        weight = 2 * BATCHES * sum(study.walk.batches) / study.walk.batch_size
        weight *= study.walk.permutations / BARRIERS_PER_EPOCH
        planned[f"{name}-batches"] = Task(
            partial(batches_task, member, seed), needs, weight, partial(content.of_batches, member, seed)
        )
    if study.walk.sharpness:
        examples = study.data.train_size or PAPER_EXAMPLES
        weight = len(member.checkpoints) * GRADIENTS * study.walk.batch_size / examples
        planned[f"{name}-sharpness"] = Task(
            partial(sharpness_task, member, seed), needs, weight, partial(content.of_sharpness, member, seed)
        )
    return planned


def _walk(member: Member, seed: int, segment: int, trained_with: range) -> dict[str, Task]:
    name, ends = f"{member.name}-seed{seed}-walk", [0, *segments(member.study)]
    needs = (training_name(member, trained_with), *([f"{name}{segment - 1}"] if segment else []))
    weight = (ends[segment + 1] - ends[segment]) * len(member.checkpoints) / BARRIERS_PER_EPOCH
    run, numbers = partial(walk_task, member, seed, segment), partial(content.of_walk, member, seed, ends[segment + 1])
    return {f"{name}{segment}": Task(run, needs, weight, numbers)}


def _pairs(member: Member, trained_by: Mapping[int, range]) -> dict[str, Task]:
    planned = {}
    for first, second in pairwise(trained_by):
        needs = dict.fromkeys(training_name(member, trained_by[seed]) for seed in (first, second))
        run, numbers = partial(pair_task, member, first), partial(content.of_pair, member, first)
        planned[f"{member.name}-seeds{first}_to_{second}-pair"] = Task(run, tuple(needs), content=numbers)
    return planned
