"""The tasks of a study on several devices of one process: each runs one task at a time."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial
from threading import Event

import jax

from landscape.jobs.progress import Meter, News, Report
from landscape.jobs.resume import AnyOutcome, Arrived, Outcomes, Planned, Send, run_task
from landscape.store.results import Store
from landscape.study import Study


class Stopped(Exception):
    """Another task has failed, or the process was interrupted."""


def on_devices(study: Study, store: Store, send: Send, planned: Planned, arrived: Arrived) -> Outcomes:
    """Run the missing tasks, each as soon as what it needs has arrived and a device is free.

    When one fails, the others stop at their next report, and its error is raised.
    """
    free, stop = list(jax.local_devices()), Event()
    waiting = [name for name in planned if name not in arrived]
    running: dict[Future[AnyOutcome], tuple[str, jax.Device]] = {}

    def report(message: News | Report) -> None:
        if stop.is_set():
            raise Stopped
        send(message)

    def run(name: str, needs: list[AnyOutcome], device: jax.Device) -> AnyOutcome:
        with jax.default_device(device):
            meter = Meter(study.key, 0, name, planned[name].weight, report)
            return run_task(study, store, name, planned[name], needs, meter)

    with ThreadPoolExecutor(len(free)) as threads:
        try:
            while waiting or running:
                ready = [name for name in waiting if all(need in arrived for need in planned[name].needs)]
                for name in ready[: len(free)]:
                    waiting.remove(name)
                    device = free.pop()
                    start = partial(run, name, [arrived[need] for need in planned[name].needs], device)
                    running[threads.submit(start)] = (name, device)
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    name, device = running.pop(future)
                    free.append(device)
                    yield name, future.result()
        finally:
            stop.set()
