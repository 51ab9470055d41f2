"""How many tasks of a study this computer runs at the same time. Every way of computing asks here.

No number of a result depends on it. Each process has as many of XLA's threads as the computer has cores, however many
processes there are, since the order of a convolution's sums follows the number of threads. Programs that a task runs
side by side get its share of the cores (`landscape.numerics.threads`).
"""

from __future__ import annotations

import math
from functools import cache

from landscape.analysis.cost import BACKWARD, multiply_adds
from landscape.jobs.footprint import footprint
from landscape.study import Study
from landscape.study.member import members

PROCESS = 2**29  # bytes of a process before it computes: its imports and compiled programs
# Multiply-adds of a training step that count as another core: 1 to 13 ms of it, where a thread costs 0.1 ms. It is a
# guess: on two cores, steps of 6e6 to 5e9 kept 1.5 to 2.1 threads busy on average, and larger ones no more of them.
CORE = 5e7
START = 10.0  # seconds of a study's work that are worth another process, which takes a few to start


@cache
def cores() -> int:
    """The cores that this process may use: of its affinity and of its container."""
    from dask.system import cpu_count

    return cpu_count()


@cache
def memory() -> int:
    """Bytes of memory that this process may use: of the computer or of its container."""
    from distributed.system import memory_limit

    return memory_limit()


def tags() -> list[dict[str, float]]:
    """The workers of an engine on a processor, one a core as far as memory allows: each with its tags.

    A task of a study of which c run at the same time asks for a worker with the tag of c, which the first c have. There
    is enough of it for all: a worker has one thread, and a task that steps aside for another keeps what it has got.

    >>> from landscape.jobs.processes import capacity
    >>> len(capacity.tags()) <= capacity.cores()
    True
    """
    workers = max(1, min(cores(), memory() // (2 * PROCESS)))
    return [{tag(c): math.inf for c in range(i + 1, workers)} for i in range(workers)]


def tag(limit: int) -> str:
    """The tag of workers on which tasks run of which so many may run at the same time."""
    return f"at most {limit}"


def at_once(study: Study) -> int:
    """How many tasks of a study run here at the same time, each in a process of its own.

    A small network leaves all cores but one idle, so each core gets a task; a large one occupies several by XLA's
    threads. There are never more than memory holds. It is 1 where it is not known yet how large the examples are.

    >>> from landscape import preset
    >>> from landscape.jobs.processes.capacity import at_once, cores
    >>> at_once(preset("digits-mlp")) == cores(), at_once(preset("cnn-cifar10-paper")) < 2 or cores() > 100
    (True, True)
    """
    if study.refusal:
        return 1
    try:
        need = footprint(study).memory + PROCESS
        step = (1 + BACKWARD) * study.training.batch_size * max(multiply_adds(study))
    except ValueError:
        return 1
    occupied, networks = max(1, int(step / CORE)), study.seeds * len(members(study))
    return max(1, min(cores() // occupied, int(memory() / need), networks))


def worth(study: Study, expected: float | None) -> int:
    """How many processes are started to compute a study that is expected to take so many seconds in one.

    None is where nobody knows how long it takes.
    """
    return at_once(study) if expected is None else min(at_once(study), 1 + int(expected / START))
