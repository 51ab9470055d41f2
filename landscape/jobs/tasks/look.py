"""What is measured of a network beside the barriers of its walk: proxies, curves, distances and a surface."""

from __future__ import annotations

import numpy as np
import xarray as xr

from landscape.jobs.measurements import MeasuredWalk
from landscape.jobs.progress import OnActivity, ignore_activity
from landscape.jobs.tasks.networks import network_of
from landscape.jobs.tasks.outcome import Clock, Outcome, network_name, seconds_by_phase
from landscape.jobs.tasks.walk import measured_walk
from landscape.models.functional import Network
from landscape.study import schema
from landscape.study.member import Member


def look_task(member: Member, seed: int, trained: Outcome, *, on_activity: OnActivity = ignore_activity) -> Outcome:
    """Measure a network at each of its moments: the curves between the walk's first nodes, and their distances.

    Candidates get their zero-cost proxies as well, right after the expansion. Seed 0 gets the surface, for only one
    surface a member is ever looked at, and each takes many forward passes.
    """
    clock, walk = Clock(), measured_walk(member, seed)
    weights = [trained.weights[network_name(seed, epoch)] for epoch in member.moments.values()]
    networks = [network_of(member, each) for each in weights]
    found: dict[str, np.ndarray | xr.DataArray] = {} if member.is_base else proxies(walk, networks[0])
    seconds = {"proxies": clock.lap()}
    found["curve"] = np.stack([walk.curves(network) for network in networks])
    found["node_distance"] = np.stack([walk.distances(network) for network in networks])
    points = member.study.walk.surface
    if points and seed == 0:
        found["surface"] = np.stack([walk.surface(network, points) for network in networks])
    seconds["curves"] = clock.lap()
    on_activity("network", 1, 1)
    return Outcome(schema.part(member.study, member.place(seed), **seconds_by_phase(**seconds), **found), {})


def proxies(walk: MeasuredWalk, network: Network) -> dict[str, np.ndarray | xr.DataArray]:
    """The zero-cost proxies of a network and their times, as variables of the result."""
    scores = walk.scores(network)
    values = {
        "proxy": [score.value for score in scores.values()],
        "proxy_seconds": [score.seconds for score in scores.values()],
        "proxy_compile_seconds": [score.compile_seconds for score in scores.values()],
    }
    return {name: xr.DataArray(each, {"predictor": list(scores)}, ["predictor"]) for name, each in values.items()}
