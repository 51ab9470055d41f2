"""Calls of compiled programs side by side: XLA divides a small program among the cores badly, or not at all."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any, TypeVar

import jax

Item = TypeVar("Item")

# what JAX keeps for each thread by itself, of which the package and its callers make use
SETTINGS: dict[str, Any] = {
    "jax_enable_x64": jax.enable_x64,
    "jax_default_matmul_precision": jax.default_matmul_precision,
    "jax_default_device": jax.default_device,
}

_tasks: ContextVar[int] = ContextVar("tasks", default=1)


@contextmanager
def cores_shared_by(tasks: int) -> Iterator[None]:
    """Inside, the processor's cores belong to so many tasks, of which this is one; no number depends on it."""
    before = _tasks.set(tasks)
    try:
        yield
    finally:
        _tasks.reset(before)


def side_by_side(calls: Iterator[Callable[[], Item]]) -> Iterator[Item]:
    """What the calls return, in their order; as many run at once as this task has cores.

    On an accelerator two do: it computes one while the host prepares the other.
    """
    many = max(1, _cores() // _tasks.get()) if jax.default_backend() == "cpu" else 2
    if many == 1:
        yield from (call() for call in calls)
        return
    waiting = deque[Future[Item]]()
    settings = [(setting, getattr(jax.config, name)) for name, setting in SETTINGS.items()]

    def with_settings(call: Callable[[], Item]) -> Item:
        with ExitStack() as stack:
            for setting, value in settings:
                stack.enter_context(setting(value))
            return call()

    try:
        for call in calls:
            waiting.append(_threads(os.getpid(), many).submit(with_settings, call))
            if len(waiting) > many:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for each in waiting:
            each.cancel()


@cache
def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _threads(process: int, many: int) -> ThreadPoolExecutor:
    """Kept, since a walk of a small network takes hardly longer than starting them; a forked process has its own."""
    return ThreadPoolExecutor(many, "landscape-calls")
