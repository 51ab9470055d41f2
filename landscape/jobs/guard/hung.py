"""Workers that hang without dying are replaced: stopped by a signal, or caught in a call that never returns."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress

from distributed import Nanny, Scheduler

from landscape.jobs.guard.attendance import report

PERIOD = 5.0  # seconds between two looks at when each worker was last heard of
LOOKS = 9  # how many looks in a row may find that nothing was heard


async def replace_hung(scheduler: Scheduler, nannies: Sequence[Nanny]) -> None:
    """Kill every worker of which nothing is heard for 45 seconds; its nanny starts another, and its tasks start again.

    A worker sends a sign of life twice a second from a thread of its own, while it compiles as well. Silence is
    counted in looks and not in seconds, since no worker is heard while this process stands still itself, as when the
    computer sleeps. Dask's own limit (`distributed.scheduler.worker-ttl`) would then take all of them for dead.
    """
    heard: dict[str, float] = {}
    missed: Counter[str] = Counter()
    while True:
        await asyncio.sleep(PERIOD)
        for nanny in nannies:
            address = str(nanny.worker_address)
            if address not in scheduler.workers:
                continue
            last = scheduler.workers[address].last_seen
            missed[address] = missed[address] + 1 if heard.get(address) == last else 0
            heard[address] = last
            if missed[address] == LOOKS:
                kill(nanny)
                report(scheduler, replaced=True)


def kill(nanny: Nanny) -> None:
    """Kill the process of a worker, whatever it is doing."""
    with suppress(ProcessLookupError):
        if nanny.pid:
            os.kill(nanny.pid, signal.SIGKILL)  # one that is stopped hears no other signal
