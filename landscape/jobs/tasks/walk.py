"""The midpoint barriers of a network's walk, one segment of the walk a task."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import xarray as xr

from landscape.analysis.metric import PAPER_PERMUTATIONS
from landscape.jobs.measurements import MeasuredWalk, measurement_batches
from landscape.jobs.progress import OnActivity, ignore_activity
from landscape.jobs.tasks.examples import examples
from landscape.jobs.tasks.networks import network_of, structure
from landscape.jobs.tasks.outcome import Clock, Outcome, network_name, seconds_by_phase
from landscape.models.prng import Stream, stream_key
from landscape.study import Study, schema
from landscape.study.member import Member


def segments(study: Study) -> list[int]:
    """How many steps a walk has taken at the end of each of its segments: the paper's values of n, up to all steps."""
    steps = study.walk.permutations
    return [*(n for n in PAPER_PERMUTATIONS if n < steps), steps]


def measured_walk(member: Member, seed: int) -> MeasuredWalk:
    """The walk of a member's network of one seed, with the batches on which it is measured."""
    key = stream_key(seed, Stream.WALK, member.index)
    batches = measurement_batches(member.study, examples(member.study.data))
    return MeasuredWalk(member.study, structure(member), key, *batches)


class WalkedSoFar(NamedTuple):
    """What the segments before have measured of one network's walk.

    barriers: b̂ in nats of the steps taken, one array a checkpoint; seconds: the wall time of all tasks until then;
    walk_seconds and compile_seconds: of the walk right after the expansion, as `timed_walk` measures them. None is
    the compilation of a walk that has not begun.
    """

    barriers: Sequence[np.ndarray]
    seconds: float = 0.0
    walk_seconds: float = 0.0
    compile_seconds: float | None = None


def walk_task(
    member: Member,
    seed: int,
    segment: int,
    trained: Outcome,
    *before: Outcome,
    on_activity: OnActivity = ignore_activity,
) -> Outcome:
    """Walk from a network through one segment, at every checkpoint; the walk right after the expansion is timed.

    `before` is the outcome of the segment before, where there is one: this outcome holds the barriers of both, and
    the time of both.
    """
    clock, walk, n = Clock(), measured_walk(member, seed), segments(member.study)[segment]
    known = walked_so_far(member, before[0].part if before else None)
    networks = (network_of(member, trained.weights[network_name(seed, epoch)]) for epoch in member.checkpoints)
    on_walk = partial(_report, on_activity, len(member.checkpoints))
    first = walk.timed_barriers(next(networks), n, known.barriers[0], partial(on_walk, 0))
    later = [walk.barriers(network, n, known.barriers[i], partial(on_walk, i)) for i, network in enumerate(networks, 1)]
    compile_seconds = first.compile_seconds if known.compile_seconds is None else known.compile_seconds
    part = schema.part(
        member.study,
        member.place(seed),
        **member.named(
            swaps=walk.swaps[:n],
            width=np.array(walk.width),
            **seconds_by_phase(barriers=known.seconds + clock.lap()),
            barrier=first.barriers if member.is_base else np.stack([first.barriers, *later]),
            walk_seconds=np.array(known.walk_seconds + first.seconds),
            walk_compile_seconds=np.array(compile_seconds),
        ),
    )
    return Outcome(part, {})


def walked_so_far(member: Member, part: xr.Dataset | None) -> WalkedSoFar:
    """What the task of the segment before has put into its part of the result; None is the start of a walk."""
    if part is None:
        return WalkedSoFar([np.empty(0)] * len(member.checkpoints))
    barriers = part[member.variables["barrier"]].values
    by_checkpoint, seconds = list(barriers.reshape(-1, barriers.shape[-1])), part[member.variables["seconds"]].item()
    if not member.is_candidate:  # the result has no times of its walk
        return WalkedSoFar(by_checkpoint, seconds)
    return WalkedSoFar(by_checkpoint, seconds, part["walk_seconds"].item(), part["walk_compile_seconds"].item())


def _report(on_activity: OnActivity, walks: int, walk: int, done: int, total: int) -> None:
    """Report the walks of all checkpoints as one activity, so that its progress never runs backwards."""
    on_activity(f"checkpoint {walk + 1} of {walks}, barrier", walk * total + done, walks * total)
