"""A worker that must not compute a study is passed over as long as another may be fit."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from typing import Any

from distributed import Reschedule, Scheduler, SchedulerPlugin, get_client, get_worker

from landscape.jobs.attempt import Attempt
from landscape.jobs.background.names import attempt_of, folder_name, identity, topic
from landscape.jobs.guard.alike import difference
from landscape.jobs.progress import Refusal

TOPIC = re.compile(topic("(?P<folder>[0-9a-f]{16})", Refusal))

log = logging.getLogger(__name__)


class UnfitWorker(RuntimeError):
    """None of the workers may compute a study. The message says of each what is different there."""


def check_worker(attempt: Attempt, publish: Callable[[Refusal], None]) -> None:
    """Give the task that calls this back where this worker must not compute its study, by raising Dask's Reschedule.

    Raises UnfitWorker where no worker is left that has not refused the study.
    """
    if not (reason := difference(attempt)):
        return
    own, client = get_worker().address, get_client()
    publish(Refusal(attempt.study.key, attempt.number, own, reason))
    earlier = client.get_events(topic(folder_name(attempt.store.root), Refusal))
    asked = (attempt.study.key, attempt.number)
    reasons = {event["worker"]: event["reason"] for _, event in earlier if (event["study"], event["attempt"]) == asked}
    reasons[own] = reason
    if there := client.scheduler_info(n_workers=-1)["workers"].keys() - reasons.keys():
        raise Reschedule(f"to one of {', '.join(there)}")
    raise UnfitWorker("; ".join(reasons.values()))


class PassingOver(SchedulerPlugin):
    """Has the tasks of a study run on workers that have not refused it. Workers that join later may be fit, too."""

    name, idempotent = "landscape-passing-over", True

    async def start(self, scheduler: Scheduler) -> None:
        """Called by the scheduler."""
        self._scheduler = scheduler
        self._refused: dict[str, set[str]] = {}  # workers, by the attempt that they have refused

    def log_event(self, topic: str, msg: Any) -> None:
        """Called by the scheduler with each event; with a refusal before it hears that the task is given back."""
        if not (about := TOPIC.fullmatch(topic)):
            return
        attempt = identity(about["folder"], msg["study"], msg["attempt"])
        refused = self._refused.setdefault(attempt, set())
        if msg["worker"] not in refused:
            log.warning("%s is computed without a worker: %s", attempt, msg["reason"])
            refused.add(msg["worker"])
            self._restrict(self._scheduler.tasks)

    def update_graph(self, scheduler: Scheduler, *, tasks: Iterable[Any], **kwargs: Any) -> None:
        """Called by the scheduler before it hands out new tasks."""
        self._restrict(tasks)

    def add_worker(self, scheduler: Scheduler, worker: str) -> None:
        """Called by the scheduler before a worker that joins gets tasks."""
        self._restrict(scheduler.tasks)

    def transition(self, key: Any, start: str, finish: str, *args: Any, **kwargs: Any) -> None:
        """Called by the scheduler whenever the state of a task changes."""
        if finish == "forgotten":
            self._refused.pop(key, None)

    def _restrict(self, keys: Iterable[Any]) -> None:
        for key in keys if self._refused else ():
            refused = self._refused.get(attempt_of(str(key)) or "")
            if refused and (others := self._scheduler.workers.keys() - refused):
                self._scheduler.tasks[key].worker_restrictions = others
