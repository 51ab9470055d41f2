"""The tasks of a study on several devices of one process: each device runs one task at a time."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from graphlib import TopologicalSorter
from threading import Event

import jax

from landscape.jobs.attempt import Attempt
from landscape.jobs.progress import OnUpdate, Update
from landscape.jobs.resume import AnyOutcome, Arrived, Outcomes, Planned, run_task


class Stopped(Exception):
    """Another task has failed, or the process was interrupted."""


def on_devices(attempt: Attempt, on_update: OnUpdate, planned: Planned, arrived: Arrived) -> Outcomes:
    """Run the missing tasks, each as soon as what it needs has arrived and a device is free.

    Of the tasks that could start, the first in the plan does. When one fails, the others stop at their next update,
    and its error is raised.
    """
    free, stop, places = list(jax.local_devices()), Event(), {name: i for i, name in enumerate(planned)}
    running: dict[Future[AnyOutcome], tuple[str, jax.Device]] = {}
    missing, ready = sorter_of_missing(planned, arrived), list[str]()

    def update_or_stop(update: Update) -> None:
        if stop.is_set():
            raise Stopped
        on_update(update)

    def run(name: str, needs: list[AnyOutcome], device: jax.Device) -> AnyOutcome:
        with jax.default_device(device):
            return run_task(attempt, name, planned[name], needs, update_or_stop)

    with ThreadPoolExecutor(len(free)) as threads:
        try:
            while missing.is_active():
                ready = sorted([*ready, *missing.get_ready()], key=places.__getitem__)
                while free and ready:
                    name, device = ready.pop(0), free.pop()
                    needs = [arrived[need] for need in planned[name].needs]
                    running[threads.submit(run, name, needs, device)] = (name, device)
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    name, device = running.pop(future)
                    free.append(device)
                    yield name, future.result()
                    missing.done(name)
        finally:
            stop.set()


def sorter_of_missing(planned: Planned, arrived: Arrived) -> TopologicalSorter[str]:
    """The missing tasks, each behind those missing tasks that it needs."""
    sorter = TopologicalSorter(
        {name: set(task.needs) - set(arrived) for name, task in planned.items() if name not in arrived}
    )
    sorter.prepare()
    return sorter
