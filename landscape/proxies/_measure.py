"""Every predictor that needs no training, on one network and one batch, with its time: the rows of Table 4."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int

from landscape.analysis.metric import manifold_size, threshold
from landscape.barriers.midpoint import midpoint_barriers
from landscape.proxies import _grad_norm, _grasp, _jacov, _snip, _synflow
from landscape.proxies._parameters import parameters
from landscape.proxies._score import Measurement

Method = Literal["fast", "reference"]

SCORES = {
    "grad_norm": _grad_norm.score,
    "snip": _snip.score,
    "grasp": _grasp.score,
    "synflow": _synflow.score,
    "jacov": _jacov.score,
}


def measure(
    model: nnx.Module,
    inputs: Any,
    targets: Int[Array, "*b"],
    *,
    reference: bool = False,
    permutations: Int[np.ndarray, "n units"] | None = None,
    group: str | None = None,
    method: Method = "fast",
    base_barriers: Float[np.ndarray, " m"] | None = None,
    q: float = 0.4,
) -> dict[str, Measurement]:
    """Value, seconds of one warm run and seconds of compilation, by key of `PREDICTORS`.

    With `permutations` of `group`, the manifold metric is timed as well: one walk of n midpoint barriers, all
    that a candidate costs once its base has been walked. Its value is M in percent against the first n of
    `base_barriers` at quantile q, or NaN without them.

    Raises ValueError for permutations without a group, fewer base barriers than permutations, and wherever
    the predictors do.
    """
    measured = timed_scores(model, inputs, targets, reference=reference)
    start = time.perf_counter()
    count = parameters(model)
    measured["parameters"] = Measurement(count, time.perf_counter() - start, 0.0)
    if permutations is not None:
        if group is None:
            raise ValueError("permutations need the unit group that they permute; got group=None")
        walked = timed_walk(model, np.asarray(permutations), inputs, targets, group=group, method=method)
        value = _metric(walked.barriers, base_barriers, q)
        measured["manifold_metric"] = Measurement(value, walked.seconds, walked.compile_seconds)
    return measured


def timed_scores(
    model: nnx.Module, inputs: Any, targets: Int[Array | np.ndarray, "*b"], *, reference: bool = False
) -> dict[str, Measurement]:
    """The five zero-cost proxies, with their times. Raises ValueError as they do."""
    return {name: score.timed(model, inputs, targets, reference=reference) for name, score in SCORES.items()}


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
    method: Method = "fast",
    known: Float[np.ndarray, " m"] | None = None,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Walked:
    """`landscape.midpoint_barriers` and its time. Raises ValueError as it does.

    One step runs the same programs as n: what it takes more when it runs first is compiling, and the whole walk
    runs once only.
    """
    walk = partial(midpoint_barriers, model, inputs=inputs, targets=targets, group=group, method=method)
    laps = [time.perf_counter()]
    for _ in range(2):
        walk(permutations[:1])
        laps.append(time.perf_counter())
    barriers = walk(permutations, known=known, report=report)
    laps.append(time.perf_counter())
    cold, warm, whole = np.diff(laps)
    return Walked(barriers, float(whole), max(0.0, float(cold - warm)))


def _metric(barriers: np.ndarray, base_barriers: np.ndarray | None, q: float) -> float:
    """M = m(θ, B*_q, n) − m(φ*, B*_q, n) in percent."""
    if base_barriers is None:
        return float("nan")
    n = len(barriers)
    if len(base_barriers) < n:
        raise ValueError(f"a walk of {n} permutations needs as many barriers of the base; got {len(base_barriers)}")
    base = np.asarray(base_barriers)[:n]
    limit = threshold(base, q)
    return 100 * float(manifold_size(barriers, limit) - manifold_size(base, limit))
