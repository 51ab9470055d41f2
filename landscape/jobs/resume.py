"""One study from its tasks to its stored result, whoever runs the tasks.

Outcomes that an earlier attempt left in the store are taken from there, and each new one is kept there by whoever
computed it. Like the pipeline, this module belongs to the computing side.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping

import xarray as xr

from landscape.jobs.plan import Task, seed_groups, tasks, training_name
from landscape.jobs.progress import Meter, News, Report
from landscape.jobs.provenance import describe
from landscape.jobs.study_tasks import Outcome
from landscape.store.partial import Parts, StoredOutcome
from landscape.store.results import Entry, Store
from landscape.store.sealed import Unwritable
from landscape.study import Study, schema

log = logging.getLogger(__name__)

Planned = Mapping[str, Task]
AnyOutcome = Outcome | StoredOutcome
Arrived = Mapping[str, AnyOutcome]
Outcomes = Iterator[tuple[str, AnyOutcome]]
Send = Callable[[News | Report], None]


def compute(
    study: Study,
    store: Store,
    run: Callable[[Planned, Arrived], Outcomes],
    send: Send,
    attempt: int = 0,
    devices: int = 1,
) -> xr.Dataset:
    """Compute what is missing of a study and assemble its result.

    `run` yields the outcome of every missing task, and finds in its second argument what has arrived until then.
    `send` hears what is done at the start and after each task. The attribute `seconds` of the result is the wall time
    of this attempt and of those it goes on from. The result is not written: that is `finish`.
    """
    parts, planned, since = store.parts(study), tasks(study, devices), time.time()
    kept, elapsed = _kept(parts, planned), parts.elapsed()
    arrived: dict[str, AnyOutcome] = dict(kept)

    def tell(finished: str = "") -> None:
        before, done, total = (sum(planned[name].weight for name in names) for names in (kept, arrived, planned))
        send(News(study.key, attempt, "running", since, time.time(), before, done, total, len(arrived), finished))

    tell()
    for name, outcome in run(planned, arrived):
        arrived[name] = outcome
        parts.note(elapsed + time.time() - since)
        tell(name)
    dataset = schema.assemble(study, (arrived[name].part for name in planned))
    return dataset.assign_attrs(seconds=elapsed + time.time() - since)


def _kept(parts: Parts, planned: Planned) -> dict[str, StoredOutcome]:
    """The outcomes of earlier attempts that can be gone on from: all that they came of are kept too. Others, as of a
    network whose training was lost, would be of another network than what is computed now, and are forgotten.
    """
    found, kept = parts.read(), {}
    for name, task in planned.items():
        if name in found and all(need in kept for need in task.needs):
            kept[name] = found[name]
    parts.forget(found.keys() - kept.keys())
    return kept


def divided(study: Study, store: Store, devices: int) -> int:
    """Among how many devices the seeds are divided: as an earlier attempt did of whose training most is kept, else
    among these.
    """
    kept = store.parts(study).names()

    def trained(count: int) -> int:
        return sum(len(seeds) for seeds in seed_groups(study, count) for model in models if name(model, seeds) in kept)

    models, name = range(len(study.labels) + 1), training_name
    return max((devices, *range(1, study.seeds + 1)), key=trained)


def run_task(
    study: Study, store: Store, name: str, task: Task, needs: Iterable[AnyOutcome], meter: Meter
) -> AnyOutcome:
    """Run one task and keep its outcome in the store, so that its weights need no memory until they are asked for.

    Where it cannot be kept, the log says so and the computation goes on.
    """
    outcome = task.run(*needs, report=meter)
    meter.end()
    try:
        return store.parts(study).write(name, *outcome)
    except Unwritable as error:
        log.warning("this computation cannot be resumed if it is interrupted: %s", error)
        return outcome


def in_order(study: Study, store: Store, send: Send, planned: Planned, arrived: Arrived) -> Outcomes:
    """Run the missing tasks one after the other in this process."""
    for name, task in planned.items():
        if name not in arrived:
            meter = Meter(study.key, 0, name, task.weight, send)
            yield name, run_task(study, store, name, task, [arrived[need] for need in task.needs], meter)


def finish(study: Study, store: Store, dataset: xr.Dataset) -> Entry:
    """Note in the dataset where it comes from, write it with its record, and forget the outcomes kept.

    Raises Unwritable.
    """
    record = describe(study, dataset.attrs["seconds"])
    dataset.attrs |= {name: record[name] for name in ("device", "computed", "seconds")}
    dataset.attrs["versions"] = json.dumps(record["versions"])
    entry = store.write(dataset, record)
    store.parts(study).remove()
    return entry
