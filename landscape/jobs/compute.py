"""One study from its tasks to its stored result, whoever runs the tasks.

Outcomes that an earlier attempt left in the store are taken from there, and each new one is kept there as it
arrives. Like the pipeline, this module belongs to the computing side.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping

import xarray as xr

from landscape import result
from landscape.jobs.progress import Meter, News, Report
from landscape.jobs.record import describe
from landscape.parts import Parts, StoredOutcome
from landscape.pipeline import Outcome, Task, tasks
from landscape.sealed import Unwritable
from landscape.store import Entry, Store
from landscape.study import Study

log = logging.getLogger(__name__)

Planned = Mapping[str, Task]
Kept = Mapping[str, StoredOutcome]
Outcomes = Iterator[tuple[str, Outcome]]
Send = Callable[[News | Report], None]


def compute(
    study: Study, store: Store, run: Callable[[Planned, Kept], Outcomes], send: Send, attempt: int = 0
) -> xr.Dataset:
    """Compute what is missing of a study and assemble its result; `run` yields the outcome of every missing task.

    `send` hears what is done at the start and after each task. Where outcomes cannot be kept, the log says so and
    the computation goes on. The result is not written: that is `finish`.
    """
    planned, parts, since = tasks(study), store.parts(study), time.time()
    kept = {name: outcome for name, outcome in parts.read().items() if name in planned}
    arrived = {name: outcome.part for name, outcome in kept.items()}

    def tell(finished: str = "") -> None:
        before, done, total = (sum(planned[name].weight for name in names) for names in (kept, arrived, planned))
        send(News(study.key, attempt, "running", since, time.time(), before, done, total, len(arrived), finished))

    tell()
    keeping = True
    for name, outcome in run(planned, kept):
        keeping = keeping and _keep(parts, name, outcome)
        arrived[name] = outcome.part
        tell(name)
    return result.assemble(study, arrived.values())


def _keep(parts: Parts, name: str, outcome: Outcome) -> bool:
    """Whether it worked."""
    try:
        parts.write(name, outcome.part, outcome.weights)
    except Unwritable as error:
        log.warning("this computation cannot be resumed if it is interrupted: %s", error)
        return False
    return True


def in_order(study: Study, send: Send, planned: Planned, kept: Kept) -> Outcomes:
    """Run the missing tasks one after the other in this process."""
    outcomes: dict[str, Outcome | StoredOutcome] = dict(kept)
    for name, task in planned.items():
        if name not in outcomes:
            meter = Meter(study.key, 0, name, task.weight, send)
            outcome = task.run(*(outcomes[need] for need in task.needs), report=meter)
            outcomes[name] = outcome
            yield name, outcome


def finish(study: Study, store: Store, dataset: xr.Dataset, seconds: float) -> Entry:
    """Write the result with its record, and forget the outcomes kept. Raises Unwritable."""
    entry = store.write(dataset, describe(study, seconds))
    store.parts(study).remove()
    return entry
