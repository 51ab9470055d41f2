"""A study with little work does not wait behind one with much, whose running tasks step aside."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from distributed import get_worker, rejoin, secede

from landscape.analysis import cost
from landscape.study import Study

CLASS = 4.0  # how many times the work of one study is that of another which takes precedence over it
LAST = 99  # the class of a study whose work is not known
PER_CLASS = 10**6  # priorities of Dask in a class: more than a study has tasks
PERIOD = 0.5  # seconds between two looks at whether others are done


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


def give_way(own: int, before_look: Callable[[], None]) -> None:
    """Let the tasks of a lower class that are at this worker run first.

    The thread of the task that calls this leaves the worker's pool meanwhile, and keeps all that it has in memory.
    `before_look` is called before each look at whether they are done, and may raise to give up.
    """
    secede()
    while preceded(own):
        before_look()
        time.sleep(PERIOD)
    rejoin()


def first_priority(study: Study) -> int:
    """Dask's priority of the first task of a study; the others follow it one by one."""
    return -PER_CLASS * precedence(study)


def preceded(own: int) -> bool:
    """Whether a task of a class below one's own runs at this worker, or could."""
    state = get_worker().state
    there = [*state.executing, *([state.ready.peek()] if state.ready else [])]
    return any(task.priority is not None and task.priority[0] // PER_CLASS < own for task in there)
