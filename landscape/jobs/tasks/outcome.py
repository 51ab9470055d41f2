"""What a task returns, and how parts of the result are put together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import xarray as xr

from landscape.numerics.clock import worked


class Outcome(NamedTuple):
    """What a task returns.

    part: some variables of the result at some coordinates; weights: the networks that later tasks need, each under
    its `network_name`, as arrays by path.
    """

    part: xr.Dataset
    weights: Mapping[str, dict[str, np.ndarray]]


def network_name(seed: int, epoch: int) -> str:
    """The name of a seed's network among the weights of an outcome.

    `epoch` counts from the expansion; the trained base φ* is at epoch 0.
    """
    return f"seed{seed}-epoch{epoch}"


def join_seeds(parts: Iterable[xr.Dataset]) -> xr.Dataset:
    """One part of the parts of several seeds."""
    return xr.concat(list(parts), "seed", join="outer", data_vars="minimal", coords="minimal", compat="equals")


def seconds_by_phase(**seconds: float) -> dict[str, xr.DataArray]:
    """The variable `seconds` of the result, for the phases given: each is one of `schema.PHASES`."""
    return {"seconds": xr.DataArray(list(seconds.values()), {"phase": list(seconds)}, ["phase"])}


class Clock:
    """Wall time in seconds between laps. Compilation counts, since whoever waits for a task waits for it too.

    While the task steps aside for those of another study, the clock stands still.
    """

    def __init__(self) -> None:
        self._last = worked()

    def lap(self) -> float:
        """Seconds since the last lap, or since the clock was made."""
        now = worked()
        seconds, self._last = now - self._last, now
        return seconds
