"""What benchmarks share: times taken in turns, and how far a figure is from its aim."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import jax


class Time(NamedTuple):
    """Median seconds of a warm run, and how much longer the first run took, to compile."""

    seconds: float
    compile_seconds: float


def in_turns(runs: Mapping[str, Callable[[], Any]], repeats: int) -> dict[str, Time]:
    """Every run once to compile and then `repeats` times, in turns, so that other load slows all of them alike."""
    laps: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            jax.block_until_ready(run())
            laps[name].append(time.perf_counter() - start)
    warm = {name: statistics.median(taken[1:]) for name, taken in laps.items()}
    return {name: Time(warm[name], max(0.0, taken[0] - warm[name])) for name, taken in laps.items()}


class Aim(NamedTuple):
    """What a column should be: at least the limit, or with `most` at most that."""

    column: str
    limit: float
    most: bool = False

    def missed(self, row: Mapping[str, Any]) -> bool:
        """Whether a row has the column and falls short."""
        value = row[self.column]
        return value is not None and (value > self.limit if self.most else value < self.limit)


def short_of(row: Mapping[str, Any], aims: Iterable[Aim]) -> str:
    """The aims that a row misses, as text; empty if it misses none."""
    missed = [aim for aim in aims if aim.missed(row)]
    return "; ".join(f"{aim.column}: {row[aim.column]}, aim {'≤' if aim.most else '≥'} {aim.limit:g}" for aim in missed)


def digits(value: float) -> float:
    """The value with three digits."""
    return float(f"{value:.3g}")
