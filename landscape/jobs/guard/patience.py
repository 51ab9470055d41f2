"""Answers that are waited for no longer than said, whatever they come from."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def within(seconds: float, whom: str, ask: Callable[[], T]) -> T:
    """What `ask` returns or raises. Raises TimeoutError, with the name of whom is asked, where that takes longer.

    Dask's client waits for some answers without end, and the time that it is given does not hold for all others.

    >>> from landscape.jobs.guard.patience import within
    >>> within(5, "the scheduler", lambda: 42)
    42
    """
    answer: Future[T] = Future()

    def settle() -> None:
        try:
            answer.set_result(ask())
        except BaseException as error:
            answer.set_exception(error)

    threading.Thread(target=settle, daemon=True).start()
    try:
        return answer.result(seconds)
    except TimeoutError:
        if answer.done():
            raise
        raise TimeoutError(f"{whom} has not answered for {seconds:g} s") from None
