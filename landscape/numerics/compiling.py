"""How long a computation takes without compilation, and what compilation adds.

A run is warm if JAX compiled nothing in it, and read no compiled program from disk: it tells whoever listens.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import jax

from landscape.numerics.clock import worked

Found = TypeVar("Found")

COMPILED = "/jax/core/compile/backend_compile_duration"  # what JAX calls a compilation, or the reading of its outcome


class Timed(NamedTuple):
    """What a computation gave; the seconds of a run without compilation, and what compiling its programs added."""

    found: Any
    seconds: float
    compile_seconds: float


def timed(compute: Callable[[], Found]) -> Timed:
    """Run a computation that waits for the device, a second time where programs were compiled for the first.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from landscape.numerics.compiling import timed
      >>> program = jax.jit(lambda x: 2 * x)
      >>> [timed(lambda: program(jnp.ones(3)).sum().item()).compile_seconds > 0 for _ in range(2)]
      [True, False]
    """
    compilations, since = _compilations.number, worked()
    found, between = compute(), worked()
    if _compilations.number == compilations:
        return Timed(found, between - since, 0.0)
    found, end = compute(), worked()
    return Timed(found, end - between, max(0.0, (between - since) - (end - between)))


class _Compilations:
    """How many there were in this process, by any of its threads: a run beside one is taken for one that compiled."""

    def __init__(self) -> None:
        self.number = 0

    def note(self, event: str, duration_secs: float, **kwargs: str | int) -> None:
        self.number += event == COMPILED


_compilations = _Compilations()
jax.monitoring.register_event_duration_secs_listener(_compilations.note)
