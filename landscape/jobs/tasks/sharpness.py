"""The sharpness of the loss around a network at every checkpoint, for a study that asks for it."""

from __future__ import annotations

import numpy as np

from landscape.jobs.progress import OnActivity, ignore_activity
from landscape.jobs.tasks.networks import network_of
from landscape.jobs.tasks.outcome import Outcome, network_name
from landscape.jobs.tasks.walk import measured_walk
from landscape.models.prng import Stream, stream_key
from landscape.study import schema
from landscape.study.member import Member

GRADIENTS = 200  # of the walk's batch that take about as long as one network: two a product with the Hessian


def sharpness_task(
    member: Member, seed: int, trained: Outcome, *, on_activity: OnActivity = ignore_activity
) -> Outcome:
    """Measure the Hessian of the loss on the walk's batch at every checkpoint, always along the same random vectors.

    So what differs between two checkpoints is the network, and not the draw of the estimator.
    """
    walk, key, found = measured_walk(member, seed), stream_key(seed, Stream.SHARPNESS, member.index), []
    for done, epoch in enumerate(member.checkpoints, 1):
        network = network_of(member, trained.weights[network_name(seed, epoch)])
        found.append(walk.sharpness(network, key))
        on_activity("checkpoint", done, len(member.checkpoints))
    columns = np.array(found).T  # largest, trace and its error; checkpoints
    names = ("sharpness", "hessian_trace", "hessian_trace_error")
    values = {name: column[0] if member.is_base else column for name, column in zip(names, columns, strict=True)}
    return Outcome(schema.part(member.study, member.place(seed), **member.named(**values)), {})
