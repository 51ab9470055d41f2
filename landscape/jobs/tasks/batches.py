"""The barriers of a network's walk on further batches, for a study that asks how much of M₀ is owed to its batch."""

from __future__ import annotations

import numpy as np

from landscape.jobs.measurements import other_batches
from landscape.jobs.progress import OnActivity, ignore_activity
from landscape.jobs.tasks.examples import examples
from landscape.jobs.tasks.networks import network_of
from landscape.jobs.tasks.outcome import Outcome, network_name
from landscape.jobs.tasks.walk import measured_walk
from landscape.study import schema
from landscape.study.member import Member


def batches_task(member: Member, seed: int, trained: Outcome, *, on_activity: OnActivity = ignore_activity) -> Outcome:
    """Walk from the base, or from a candidate right after its expansion, on every batch of `other_batches`.

    The steps are those of the walk itself. Where a split does not fill a batch, NaN stays.
    """
    study, walk = member.study, measured_walk(member, seed)
    network = network_of(member, trained.weights[network_name(seed, 0)])
    batches = list(other_batches(study, examples(study.data)))
    shape = (len(schema.SPLITS), len(study.walk.batches), schema.BATCHES, len(walk.permutations))
    barriers = np.full(shape, np.nan)
    for done, (place, batch) in enumerate(batches, 1):
        barriers[place] = walk.barriers_on(network, batch)
        on_activity("batch", done, len(batches))
    return Outcome(schema.part(study, member.place(seed), **member.named(batch_barrier=barriers)), {})
