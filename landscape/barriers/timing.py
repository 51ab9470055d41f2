"""How long a walk takes, without the compilation of its programs: what Table 4 compares with the proxies."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int

from landscape.barriers.midpoint import midpoint_barriers
from landscape.models.functional import Network
from landscape.numerics.clock import worked
from landscape.numerics.progress import OnProgress, ignore_progress


class Walked(NamedTuple):
    """b̂ of every step, in nats; seconds of the whole walk without compilation, and what compilation added."""

    barriers: Float[np.ndarray, " n"]
    seconds: float
    compile_seconds: float


def timed_walk(
    model: nnx.Module | Network,
    permutations: Int[np.ndarray, "n units"],
    inputs: Any,
    targets: Int[Array | np.ndarray, "*b"],
    *,
    group: str,
    known: Float[np.ndarray, " m"] | None = None,
    on_progress: OnProgress = ignore_progress,
) -> Walked:
    """The barriers of `landscape.midpoint_barriers`, and how long they took. Raises ValueError as it does.

    A walk of one step runs the same programs as one of n. So the time by which its first run exceeds its second is
    that of compilation, and the whole walk need not run twice. The parameters are those of `midpoint_barriers`.
    """
    walk = partial(midpoint_barriers, model, inputs=inputs, targets=targets, group=group)
    laps = [worked()]
    for _ in range(2):
        walk(permutations[:1])
        laps.append(worked())
    barriers = walk(permutations, known=known, on_progress=on_progress)
    laps.append(worked())
    cold, warm, whole = np.diff(laps)
    return Walked(barriers, float(whole), max(0.0, float(cold - warm)))
