"""A study with little work does not wait behind one with much, whose running tasks step aside."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable
from typing import NamedTuple

from distributed import Reschedule, get_worker, secede
from distributed.worker_state_machine import TaskState, WorkerState

from landscape.analysis import cost
from landscape.numerics.clock import standing_still
from landscape.study import Study

CLASS = 4.0  # how many times the work of one study is that of another which takes precedence over it
LAST = 99  # the class of a study whose work is not known
PER_CLASS = 10**6  # priorities of Dask in a class: more than a study has tasks
PERIOD = 0.1  # seconds between two looks at whether it is a task's turn
LOOKS = 3  # how many in a row must find that it is: between two tasks of a study there may be none for a moment


class Turn(NamedTuple):
    """When it is a task's turn among those that have begun: the class of its study, and then which began first."""

    work: int
    began: int


BEGINNINGS = itertools.count()
BEGUN: set[BegunTask] = set()  # at all workers of this process


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


def first_priority(study: Study) -> int:
    """Dask's priority of the first task of a study; the others follow it one by one."""
    return -PER_CLASS * precedence(study)


class BegunTask:
    """A task that has begun at a worker and has not ended: a context of the thread that runs it.

    Of these, as many go on as the worker has threads, in the order of their turns. The others wait and keep what they
    have in memory. One that waits stays in the worker's pool of threads, or Dask would give its place to a task that
    comes later still. Only where a task of a lower class could begin in its place does it leave the pool, for good: it
    goes on beside it once it is its turn, and what begins in the pool meanwhile waits. (Dask's own way back, `rejoin`,
    ends only when another task ends, and no cancelling helps.) A task that has done nothing yet is given back to the
    scheduler instead. So however often they are interrupted, a worker has no more tasks of a class under way than
    threads.

    under_way: whether the task has done anything; whoever runs it says so.
    """

    def __init__(self, study: Study):
        self._worker = get_worker()
        self._key = self._worker.get_current_task()
        self._turn = Turn(precedence(study), next(BEGINNINGS))
        self._in_pool = True
        self.under_way = False

    def __enter__(self) -> BegunTask:
        BEGUN.add(self)
        return self

    def __exit__(self, *raised: object) -> None:
        BEGUN.discard(self)

    def must_wait(self) -> bool:
        """Whether the tasks that go first need all threads of the worker."""
        before = sum(other._turn < self._turn for other in self._others())
        return before + len(self._going_to_begin()) >= self._worker.state.nthreads

    def wait(self, before_look: Callable[[], None]) -> None:
        """Wait until it is this task's turn.

        `before_look` is called before each look at whether it is, and may raise to give up. Raises Dask's Reschedule
        where the task is not under way and another could begin in its place.
        """
        quiet = 0
        with standing_still():  # or the result would say that the task took as long as those that went first
            while quiet < LOOKS:
                before_look()
                if self._in_pool and self._place_is_wanted():
                    self._leave_pool()
                time.sleep(PERIOD)
                quiet = 0 if self.must_wait() else quiet + 1

    def _place_is_wanted(self) -> bool:
        """Whether more tasks could begin than there are tasks in the pool whose turn is later still."""
        later = sum(other._in_pool and other._turn > self._turn for other in self._others())
        return sum(task.state != "executing" for task in self._going_to_begin()) > later

    def _leave_pool(self) -> None:
        if not self.under_way:
            raise Reschedule("tasks of a study with less work go first")
        secede()
        self._in_pool = False

    def _others(self) -> list[BegunTask]:
        return [other for other in [*BEGUN] if other._worker is self._worker and other is not self]

    def _going_to_begin(self) -> list[TaskState]:
        """The tasks of a lower class that have not begun, and have got a thread or could get one.

        The worker's thread changes its sets of tasks meanwhile, and looking for the first in one of its heaps would
        change it, too; the table of all tasks is copied in one step.
        """
        begun = {other._key for other in self._others()}
        return [
            task
            for task in tuple(self._worker.state.tasks.values())
            if task.key not in begun and self._of_lower_class(task) and could_run(task, self._worker.state)
        ]

    def _of_lower_class(self, task: TaskState) -> bool:
        return task.priority is not None and task.priority[0] // PER_CLASS < self._turn.work


def could_run(task: TaskState, state: WorkerState) -> bool:
    """Whether a task has a thread of a worker, or gets the next that is free. A worker that is paused gives none."""
    if task.state in ("ready", "constrained"):
        needed = task.resource_restrictions or {}
        return state.running and all(state.available_resources[name] >= count for name, count in needed.items())
    return task.state == "executing"
