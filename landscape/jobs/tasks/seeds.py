"""Lines between the networks of different seeds, which were trained separately."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from landscape.jobs.measurements import measurement_batches, seed_curves
from landscape.jobs.progress import OnActivity, ignore_activity
from landscape.jobs.tasks.examples import examples
from landscape.jobs.tasks.networks import abstract_network
from landscape.jobs.tasks.outcome import Outcome, network_name
from landscape.study import schema
from landscape.study.member import Member


def seeds_task(member: Member, *trained: Outcome, on_activity: OnActivity = ignore_activity) -> Outcome:
    """The loss along the line between seeds s and s + 1, as trained and after weight matching, at each moment.

    `trained` are the outcomes of all tasks that trained this member.
    """
    study, epochs = member.study, [*member.moments.values()]
    batches = measurement_batches(study, examples(study.data))
    holders = {name: outcome.weights for outcome in trained for name in outcome.weights}
    curves = np.empty((len(epochs), study.seeds - 1, len(schema.ALIGNMENTS), len(batches), len(schema.ALPHAS)))
    for first, second in pairwise(range(study.seeds)):
        for i, epoch in enumerate(epochs):
            start, end = (holders[name][name] for name in (network_name(first, epoch), network_name(second, epoch)))
            curves[i, first] = seed_curves(study, abstract_network(member), start, end, batches)
        on_activity("pair", first + 1, study.seeds - 1)
    return Outcome(schema.part(study, {"model": member.label}, seed_curve=curves), {})
