"""One study from its tasks to its stored result, whoever runs the tasks.

Outcomes that an earlier attempt or another study has computed are taken from the store, and whoever runs a task keeps
its outcome there, for this study and for others. Only where a study is computed is this module imported: it needs JAX.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial

import xarray as xr

from landscape.jobs.attempt import Attempt
from landscape.jobs.earlier import earlier_result
from landscape.jobs.plan import Task, plan_study, seed_groups, training_name
from landscape.jobs.progress import Meter, OnUpdate, StudyUpdate
from landscape.jobs.provenance import device, record_of
from landscape.jobs.tasks.content import task_key
from landscape.jobs.tasks.names import task_in_words
from landscape.jobs.tasks.outcome import Outcome
from landscape.jobs.tasks.pace import Pace
from landscape.jobs.tasks.stored import stored_task
from landscape.numerics.clock import worked
from landscape.numerics.threads import cores_shared_by
from landscape.store.entries import Entry
from landscape.store.fields import EARLIER, TAKEN
from landscape.store.parts.kept import checksum_of
from landscape.store.parts.outcome import StoredOutcome
from landscape.store.sealed import Unwritable
from landscape.study import schema
from landscape.study.member import members

log = logging.getLogger(__name__)

READING = 0.01  # of an epoch of training

Planned = Mapping[str, Task]
AnyOutcome = Outcome | StoredOutcome
Arrived = Mapping[str, AnyOutcome]
Outcomes = Iterator[tuple[str, AnyOutcome]]


def compute(attempt: Attempt, run: Callable[[Planned, Arrived], Outcomes], on_update: OnUpdate) -> xr.Dataset:
    """Compute what is missing of a study and assemble its result, which `finish` then writes.

    `run` is given all tasks and the outcomes that have arrived, which it finds up to date at any time; it yields the
    outcome of every missing task, or stops early, and then the result has gaps. `on_update` hears how much is done at
    the start and after each task. The attribute `seconds` of the result is the wall time of this attempt and of those
    whose outcomes it uses.
    """
    parts, planned, since = attempt.parts, planned_for(attempt), time.time()
    parts.note_study()
    kept, elapsed_before = keep_usable(attempt, planned), parts.elapsed()
    arrived, here = dict[str, AnyOutcome](kept), device()
    pace = Pace({name: task.weight for name, task in planned.items()})

    def send_update(finished: str = "") -> None:
        before, done, total = (sum(planned[name].weight for name in names) for names in (kept, arrived, planned))
        update = StudyUpdate(attempt.study.key, attempt.number, "running", since, time.time(), before, done, total)
        on_update(
            update._replace(
                parts=len(arrived),
                found=len(kept),
                tasks=len(planned),
                finished=finished,
                device=here,
                ahead=pace.left(planned.keys() - arrived.keys()),
            )
        )

    send_update()
    for name in reading(attempt).keys() - kept.keys():
        arrived[name] = run_task(attempt, name, planned[name], [], on_update)
    for name, outcome in run(planned, arrived):
        arrived[name] = outcome
        if isinstance(outcome, StoredOutcome) and outcome.seconds:
            pace.add(name, outcome.seconds)
        parts.note_elapsed(elapsed_before + time.time() - since)
        send_update(name)
    dataset = schema.assemble(attempt.study, (arrived[name].part for name in planned if name in arrived))
    if taken := sum(isinstance(outcome, StoredOutcome) and outcome.taken for outcome in arrived.values()):
        dataset.attrs[TAKEN] = taken
    seconds = elapsed_before + time.time() - since
    if attempt.earlier:
        dataset.attrs[EARLIER] = json.dumps(attempt.earlier.origins)
        seconds += attempt.earlier.seconds
    return dataset.assign_attrs(seconds=seconds)


def planned_for(attempt: Attempt) -> dict[str, Task]:
    """The tasks of an attempt by name: those that read the seeds of an earlier result, and those that compute."""
    return reading(attempt) | plan_study(attempt.study, attempt.divisions, attempt.first)


def reading(attempt: Attempt) -> dict[str, Task]:
    """The task that reads the seeds of an earlier result, if there is one. It is done before all others, and here."""
    if attempt.earlier is None:
        return {}
    run = partial(stored_task, attempt.store, attempt.earlier.key)
    return {f"base-seeds0_to_{attempt.first - 1}-stored": Task(run, weight=READING)}


def keep_usable(attempt: Attempt, planned: Planned) -> dict[str, StoredOutcome]:
    """The outcomes of earlier attempts and of other studies that this one can use.

    An outcome can be used if the outcomes that it was computed from can be used too. Where the training of a network
    was lost, for example, it trains again and may end elsewhere, and then its old walk belongs to another network.
    Outcomes of earlier attempts that cannot be used are removed from the store.
    """
    found, kept = attempt.parts.read(), dict[str, StoredOutcome]()
    for name, task in planned.items():
        if name in found and all(need in found for need in task.needs):
            kept[name] = found[name]
            continue
        if found.pop(name, None):
            attempt.parts.forget([name])
        if all(need in kept for need in task.needs):
            outcome = taken_over(attempt, name, shared_key(attempt, task, checksums([kept[n] for n in task.needs])))
            kept |= {name: outcome} if outcome else {}
    attempt.parts.forget(found.keys() - kept.keys())
    return kept


def taken_over(attempt: Attempt, name: str, key: str) -> StoredOutcome | None:
    """The outcome of a task that another study has computed under its shared key, if it is there and intact."""
    if not key or not os.path.isdir(attempt.shared.path(key)):
        return None
    attempt.shared.used(key)
    try:
        return attempt.parts.take(name, attempt.shared.path(key))
    except Unwritable:
        return None


def shared_key(attempt: Attempt, task: Task, needs: Iterable[str]) -> str:
    """The name of a task's outcome among those that serve every study; empty where it serves this one alone.

    `needs` are the checksums of the weights of what it needs.
    """
    return task_key(attempt.study, task.content(), needs) if task.content else ""


def checksums(outcomes: Iterable[AnyOutcome]) -> list[str]:
    """The checksums of the weights of outcomes; empty for one that could not be kept."""
    return [outcome.checksum if isinstance(outcome, StoredOutcome) else "" for outcome in outcomes]


def arranged(attempt: Attempt, devices: int) -> Attempt:
    """The attempt arranged so that the least is computed.

    A stored result of fewer seeds gives those, unless all that this code computed for them is still at hand: from its
    networks the lines to those of the next seeds follow too. The others are divided among the devices that there are
    now, unless earlier attempts divided them otherwise and kept more of the training.
    """
    kept, earlier = attempt.parts.names(), earlier_result(attempt.study, attempt.store)
    if earlier and not all_kept(attempt, earlier.seeds):
        attempt = replace(attempt, earlier=earlier)

    def trained(divisions: int) -> int:
        groups, all_members = seed_groups(attempt.study, divisions, attempt.first), members(attempt.study)
        return sum(len(seeds) for seeds in groups for one in all_members if training_name(one, seeds) in kept)

    return replace(attempt, divisions=max((devices, *range(1, attempt.study.seeds + 1)), key=trained))


def all_kept(attempt: Attempt, seeds: int) -> bool:
    """Whether this study or others keep what came of every task of the first seeds."""
    fewer, known = attempt.study.model_copy(update={"seeds": seeds}), dict[str, str]()
    for name, task in plan_study(fewer, seeds).items():
        key = shared_key(attempt, task, [known[need] for need in task.needs])
        places = [attempt.parts.folder / name, *([attempt.shared.path(key)] if key else [])]
        if not (found := next(filter(None, map(checksum_of, places)), "")):
            return False
        known[name] = found
    return True


def run_task(
    attempt: Attempt, name: str, task: Task, needs: Iterable[AnyOutcome], on_update: OnUpdate, at_once: int = 1
) -> AnyOutcome:
    """Run one task and keep its outcome in the store, so that its weights need no memory until they are asked for.

    It does not run where another study has computed it meanwhile. Where its outcome cannot be kept, the log says so and
    the computation goes on. It is one of `at_once` that share the processor.
    """
    key = shared_key(attempt, task, checksums(needs := [*needs]))
    if taken := taken_over(attempt, name, key):
        return taken
    meter = Meter(attempt.study.key, attempt.number, name, task_in_words(attempt.study, name), task.weight, on_update)
    since = worked()
    with cores_shared_by(at_once):
        outcome = task.run(*needs, on_activity=meter)
    meter.end()
    try:
        stored = attempt.shared.giving_way(lambda: attempt.parts.write(name, *outcome))
    except Unwritable as error:
        log.warning("this computation cannot be resumed if it is interrupted: %s", error)
        return outcome
    if key:
        attempt.shared.keep(key, attempt.parts.folder / name)
    return stored._replace(seconds=worked() - since)


def in_order(attempt: Attempt, on_update: OnUpdate, planned: Planned, arrived: Arrived) -> Outcomes:
    """Run the missing tasks in this thread, one after the other in the order of the plan."""
    for name, task in planned.items():
        if name not in arrived:
            yield name, run_task(attempt, name, task, [arrived[need] for need in task.needs], on_update)


def finish(attempt: Attempt, dataset: xr.Dataset) -> Entry:
    """Write the result with the record of where it comes from, and remove the outcomes kept. Raises Unwritable."""
    record = record_of(attempt.study, dataset.attrs["seconds"])
    if TAKEN in dataset.attrs:
        record[TAKEN] = dataset.attrs[TAKEN]
    if EARLIER in dataset.attrs:
        record[EARLIER] = json.loads(dataset.attrs[EARLIER])
    dataset.attrs |= {name: record[name] for name in ("device", "computed", "seconds")}
    dataset.attrs["versions"] = json.dumps(record["versions"])
    entry = attempt.shared.giving_way(lambda: attempt.store.write(dataset, record))
    attempt.parts.remove()
    attempt.shared.trim()
    return entry
