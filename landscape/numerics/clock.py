"""How long a computation takes: a clock that stands still while its thread waits for other computations."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

WAITED = threading.local()  # in the attribute `seconds`, how long a thread has waited so far


def worked() -> float:
    """Seconds of wall time, from any moment on, without those in which this thread stood still.

    Example:
      >>> import time
      >>> from landscape.numerics.clock import standing_still, worked
      >>> since = worked()
      >>> with standing_still():
      ...     time.sleep(0.2)
      >>> worked() - since < 0.2
      True
    """
    return time.perf_counter() - getattr(WAITED, "seconds", 0.0)


@contextmanager
def standing_still() -> Iterator[None]:
    """A context whose time does not count for its thread."""
    since = time.perf_counter()
    try:
        yield
    finally:
        WAITED.seconds = getattr(WAITED, "seconds", 0.0) + time.perf_counter() - since
