"""How often a process that computes looks for garbage."""

from __future__ import annotations

import gc

OBJECTS = 10_000  # by which the new ones must outnumber those that have gone; by default it is 700


def collect_seldom() -> None:
    """Has this process look for garbage less often than Python does by default.

    Tracing and compiling make many objects, and JAX looks through its own whenever Python looks for garbage. That takes
    a tenth of the processor time of a small study by default, and finds nothing large: memory peaks at the same height.
    """
    gc.set_threshold(OBJECTS)
