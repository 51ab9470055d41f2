"""The tasks of a study at several places at the same time, each driven by a thread: the devices of one process."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from graphlib import TopologicalSorter
from threading import Event
from typing import TypeAlias, TypeVar

import jax

from landscape.jobs.attempt import Attempt
from landscape.jobs.progress import OnUpdate, Update
from landscape.jobs.resume import AnyOutcome, Arrived, Outcomes, Planned, run_task

Place = TypeVar("Place")
Run: TypeAlias = Callable[[Place, str, list[AnyOutcome], Event], AnyOutcome]


class Stopped(Exception):
    """Another task has failed, or the process was interrupted."""


def raise_if_stopped(stop: Event) -> None:
    """Raises Stopped once the event is set."""
    if stop.is_set():
        raise Stopped


def on_devices(attempt: Attempt, on_update: OnUpdate, planned: Planned, arrived: Arrived) -> Outcomes:
    """Run the missing tasks, each as soon as what it needs has arrived and a device is free.

    Of the tasks that could start, the first in the plan does. When one fails, the others stop at their next update,
    and its error is raised.
    """

    def run(device: jax.Device, name: str, needs: list[AnyOutcome], stop: Event) -> AnyOutcome:
        def update_or_stop(update: Update) -> None:
            raise_if_stopped(stop)
            on_update(update)

        with jax.default_device(device):
            return run_task(attempt, name, planned[name], needs, update_or_stop)

    yield from side_by_side(jax.local_devices(), run, planned, arrived)


def side_by_side(
    places: Sequence[Place], run: Run[Place], planned: Planned, arrived: Arrived, kind: Callable[[str], Hashable] = str
) -> Outcomes:
    """Run the missing tasks at several places, each of which runs one at a time.

    `run` is called with a place, the name of a task, what it needs, and an event; once that is set, it raises Stopped
    soon. Tasks whose `kind` is the same run the same programs. Of the tasks that could start at a place, the first in
    the plan does; but where there are some for which no other place has compiled the programs, one of these.
    """
    free, stop, order = [*range(len(places))], Event(), {name: i for i, name in enumerate(planned)}
    running: dict[Future[AnyOutcome], tuple[str, int]] = {}
    missing, ready, compiled = sorter_of_missing(planned, arrived), list[str](), [set[Hashable]() for _ in places]
    with ThreadPoolExecutor(len(places)) as threads:
        try:
            while missing.is_active():
                ready = sorted([*ready, *missing.get_ready()], key=order.__getitem__)
                while free and ready:
                    place = free.pop()
                    elsewhere = set[Hashable]().union(*compiled) - compiled[place]
                    ready.remove(name := min(ready, key=lambda each: kind(each) in elsewhere))
                    compiled[place].add(kind(name))
                    needs = [arrived[need] for need in planned[name].needs]
                    running[threads.submit(run, places[place], name, needs, stop)] = (name, place)
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    name, place = running.pop(future)
                    free.append(place)
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
