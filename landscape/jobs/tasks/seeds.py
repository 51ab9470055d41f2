"""The lines between the networks of two seeds, which were trained separately."""

from __future__ import annotations

import numpy as np

from landscape.jobs.measurements import measurement_batches, seed_curves
from landscape.jobs.progress import OnActivity, ignore_activity
from landscape.jobs.tasks.examples import examples
from landscape.jobs.tasks.networks import structure
from landscape.jobs.tasks.outcome import Outcome, network_name
from landscape.study import schema
from landscape.study.member import Member


def pair_task(member: Member, first: int, *trained: Outcome, on_activity: OnActivity = ignore_activity) -> Outcome:
    """The loss along the line between a seed and the next, as trained and after weight matching, at each moment.

    `trained` are the outcomes of the tasks that trained this member with the two seeds, which may be one task.
    """
    study = member.study
    batches = measurement_batches(study, examples(study.data))
    weights = {name: outcome.weights for outcome in trained for name in outcome.weights}
    curves = []
    for epoch in member.moments.values():
        start, end = (weights[name][name] for name in (network_name(first, epoch), network_name(first + 1, epoch)))
        curves.append(seed_curves(study, structure(member), start, end, batches))
    on_activity("pair", 1, 1)
    return Outcome(schema.part(study, {"model": member.label, "seed_pair": first}, seed_curve=np.stack(curves)), {})
