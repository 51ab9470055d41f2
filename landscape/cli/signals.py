"""Signals that ask a command to stop: Ctrl-C, SIGTERM, and the end of its terminal."""

from __future__ import annotations

import math
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
CLOSING = 5.0  # seconds after one of them in which others are ignored, so that what is open is closed in peace
AGAIN = 0.05  # seconds after which it is raised again where it was lost


class Stopped(KeyboardInterrupt):
    """Somebody has asked this command to stop. `code` is the exit code that shells give such an end."""

    def __init__(self, number: int):
        super().__init__(number)
        self.number, self.code = number, 128 + number


@contextmanager
def stoppable() -> Iterator[None]:
    """A context in which each of these signals raises Stopped.

    A signal that is ignored, as under `nohup`, stays so. Only the main thread of a process hears signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in STOPPING}
    heard, hook = _Ear(), sys.unraisablehook
    sys.unraisablehook = heard.lost(hook)
    for number in (each for each in STOPPING if before[each] is not signal.SIG_IGN):
        signal.signal(number, heard)
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for number in STOPPING:
            signal.signal(number, before[number])


class _Ear:
    """The handler of these signals. It raises, and raises again where that was lost."""

    def __init__(self) -> None:
        self._last = -math.inf

    def __call__(self, number: int, frame: object) -> None:
        if time.monotonic() - self._last > CLOSING:
            self._last = time.monotonic()
            raise Stopped(number)

    def lost(self, hook: Any) -> Any:
        """What Python calls with an exception that nobody can catch, as in a callback of the garbage collector."""

        def report(unraisable: Any) -> None:
            if not isinstance(unraisable.exc_value, Stopped):
                return hook(unraisable)
            self._last = -math.inf
            again = threading.Timer(AGAIN, os.kill, (os.getpid(), unraisable.exc_value.number))
            again.daemon = True
            again.start()
            return None

        return report
