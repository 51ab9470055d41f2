"""How long a walk takes, without the compilation of its programs: what Table 4 compares with the proxies."""

from __future__ import annotations

import time
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int

from landscape.barriers.midpoint import midpoint_barriers
from landscape.numerics.progress import OnProgress, ignore_progress


class Walked(NamedTuple):
    """b̂ of every step, in nats; wall time of the whole walk without compiling, and what compiling added."""

    barriers: Float[np.ndarray, " n"]
    seconds: float
    compile_seconds: float


def timed_walk(
    model: nnx.Module,
    permutations: Int[np.ndarray, "n units"],
    inputs: Any,
    targets: Int[Array | np.ndarray, "*b"],
    *,
    group: str,
    known: Float[np.ndarray, " m"] | None = None,
    on_progress: OnProgress = ignore_progress,
) -> Walked:
    """`landscape.midpoint_barriers` and its time. Raises ValueError as it does.

    One step runs the same programs as n: what it takes more when it runs first is compiling, and the whole walk
    runs once only.
    """
    walk = partial(midpoint_barriers, model, inputs=inputs, targets=targets, group=group)
    laps = [time.perf_counter()]
    for _ in range(2):
        walk(permutations[:1])
        laps.append(time.perf_counter())
    barriers = walk(permutations, known=known, on_progress=on_progress)
    laps.append(time.perf_counter())
    cold, warm, whole = np.diff(laps)
    return Walked(barriers, float(whole), max(0.0, float(cold - warm)))
