"""A study with little work does not wait behind one with much, whose running tasks step aside."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable
from typing import NamedTuple

from distributed import get_worker, rejoin, secede

from landscape.analysis import cost
from landscape.study import Study

CLASS = 4.0  # how many times the work of one study is that of another which takes precedence over it
LAST = 99  # the class of a study whose work is not known
PER_CLASS = 10**6  # priorities of Dask in a class: more than a study has tasks
PERIOD = 0.1  # seconds between two looks at whether others are done


class Turn(NamedTuple):
    """When it is a running task's turn: the class of its study, and then which of them began first.

    So of two tasks that could both go on, one always steps aside for the other and never the reverse.
    """

    work: int
    began: int


BEGINNINGS = itertools.count()
WAITING: set[tuple[str, Turn]] = set()  # by worker, the tasks that stepped aside and will want their thread back


def precedence(study: Study) -> int:
    """The class of a study by its work: of two classes, tasks of the lower one run first.

    A study whose work is not known before its data are loaded comes last.

    Example:
      >>> from landscape import preset
      >>> from landscape.jobs.guard.precedence import precedence
      >>> precedence(preset("digits-mlp")) < precedence(preset("cnn-cifar10-paper"))
      True
    """
    try:
        return int(math.log(1 + sum(cost.work(study)), CLASS))
    except ValueError:
        return LAST


def turn(study: Study) -> Turn:
    """The turn of a task of a study that begins now."""
    return Turn(precedence(study), next(BEGINNINGS))


def give_way(own: Turn, before_look: Callable[[], None]) -> None:
    """Let the tasks at this worker run first whose turn is before one's own.

    The thread of the task that calls this leaves the worker's pool meanwhile, and keeps all that it has in memory.
    `before_look` is called before each look at whether they are done, and may raise to give up.

    Dask may have given the thread to a task whose turn is later, between two looks. That one steps aside at its next
    update, since it finds one that waits.
    """
    waiting = get_worker().address, own
    WAITING.add(waiting)
    try:
        secede()
        while preceded(own):
            before_look()
            time.sleep(PERIOD)
        rejoin()
    finally:
        WAITING.discard(waiting)


def first_priority(study: Study) -> int:
    """Dask's priority of the first task of a study; the others follow it one by one."""
    return -PER_CLASS * precedence(study)


def preceded(own: Turn) -> bool:
    """Whether a task of a class below one's own runs at this worker or could, or one waits whose turn is before."""
    worker = get_worker()
    there = [*worker.state.executing, *([worker.state.ready.peek()] if worker.state.ready else [])]
    return any(task.priority is not None and task.priority[0] // PER_CLASS < own.work for task in there) or any(
        address == worker.address and other < own for address, other in [*WAITING]
    )
