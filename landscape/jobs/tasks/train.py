"""Training: the bases until early stopping, then each candidate and the control for T epochs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial

import numpy as np
import xarray as xr
from flax import nnx

from landscape.barriers.walk import draw_swaps
from landscape.jobs.measurements import measurement_batches, other_batches
from landscape.jobs.progress import OnActivity, ignore_activity
from landscape.jobs.tasks.examples import examples
from landscape.jobs.tasks.networks import (
    at_expansion,
    base_start,
    kept_epochs,
    network_with,
    structure,
    with_dead_units,
    without_dead_units,
)
from landscape.jobs.tasks.outcome import Clock, Outcome, join_seeds, network_name, seconds_by_phase
from landscape.models.checks.same_function import few, is_own
from landscape.models.expansion.copies import copy_cosines
from landscape.models.prng import Stream, stream_key
from landscape.proxies import parameters
from landscape.study import Study, schema
from landscape.study.member import Member, members
from landscape.training.fit import Epoch, early_stopped, fit


def base_task(study: Study, seeds: range, *, on_activity: OnActivity = ignore_activity) -> Outcome:
    """Train the bases of some seeds until early stopping, which chooses φ*; keep the weights of φ*.

    Weights that the study brings are φ* as they are, and only evaluated. Raises ValueError, before it trains, where a
    walk of the study could not be measured or its weights do not fit, and after it, where a base has a finite loss at
    no epoch.
    """
    clock, base = Clock(), Member(study, 0)
    check_walks(study, seeds)
    starts = [base_start(study, seed) for seed in seeds]
    epochs = train(base, seeds, starts, on_activity)
    ends = early_stopped(epochs, study.training.patience, partial(performance, study))
    for seed, end in zip(seeds, ends, strict=True):
        if not np.isfinite(end.best.validation_loss):
            if study.weights:
                raise ValueError("the network in the file of weights has a validation loss that is not finite")
            raise ValueError(f"no epoch of the base of seed {seed} has a finite validation loss, so there is no φ*")
    seconds = clock.lap() / len(seeds)
    parts = [
        training_part(base, seed, starts[0], end.history, seconds, base_stop=np.array(end.best.epoch))
        for seed, end in zip(seeds, ends, strict=True)
    ]
    weights = {
        network_name(seed, 0): without_dead_units(base, end.best.weights) for seed, end in zip(seeds, ends, strict=True)
    }
    return Outcome(join_seeds(parts), weights)


def candidate_task(
    member: Member, seeds: range, bases: Outcome, *, on_activity: OnActivity = ignore_activity
) -> Outcome:
    """Expand the bases of some seeds and train the candidates for T epochs; keep the weights of `kept_epochs`.

    The control is a candidate whose expansion changes nothing.
    """
    clock, base = Clock(), Member(member.study, 0)
    check_walks(member.study, seeds)  # another study may have trained the bases
    trained = [network_with(base, bases.weights[network_name(seed, 0)]) for seed in seeds]
    inputs = few(examples(member.study.data).train.inputs) if is_own(trained[0]) else None
    starts = [at_expansion(member, seed, network, inputs) for seed, network in zip(seeds, trained, strict=True)]
    histories: dict[int, list[Epoch]] = {seed: [] for seed in seeds}
    weights: dict[str, dict[str, np.ndarray]] = {}
    for epochs in train(member, seeds, [start.model for start in starts], on_activity):
        for seed, epoch in zip(seeds, epochs, strict=True):
            histories[seed].append(epoch._replace(weights={}))
            if epoch.epoch in kept_epochs(member):
                weights[network_name(seed, epoch.epoch)] = without_dead_units(member, epoch.weights)
    seconds = clock.lap() / len(seeds)
    parts = [
        training_part(
            member, seed, start.model, histories[seed], seconds, **copies_apart(member, seed, start.originals, weights)
        )
        for seed, start in zip(seeds, starts, strict=True)
    ]
    return Outcome(join_seeds(parts), weights)


def copies_apart(
    member: Member, seed: int, originals: Mapping[str, np.ndarray], weights: Mapping[str, Mapping[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """How far the copies of a candidate's units have parted from their originals, at every checkpoint.

    It is NaN where no unit is a copy; members that are not expanded have no such variable.
    """
    if not member.is_candidate:
        return {}
    network, names = structure(member), [network_name(seed, epoch) for epoch in member.checkpoints]
    cosines = [copy_cosines(network, dict(weights[name]), originals) for name in names]
    known = [each[np.isfinite(each)] if np.isfinite(each).any() else np.array([np.nan]) for each in cosines]
    return {
        "copy_cosine": np.array([each.mean() for each in known]),
        "least_copy_cosine": np.array([each.min() for each in known]),
    }


def train(member: Member, seeds: range, starts: Sequence[nnx.Module], on_activity: OnActivity) -> Iterator[list[Epoch]]:
    """The epochs of one member's networks, one network a seed, trained side by side and with dead units."""
    study = member.study
    stream = Stream.CONTROL if member.is_control else Stream.TRAIN  # not the batches of the base's first epochs again
    keys = [stream_key(seed, stream, member.index) for seed in seeds]
    filled = [with_dead_units(member, start) for start in starts]
    return fit(filled, examples(study.data), study.training, member.epochs, keys, partial(on_activity, "epoch"))


def check_walks(study: Study, seeds: range) -> None:
    """Check that all walks of these seeds can be measured, before hours of training are spent on them.

    Raises ValueError for batches larger than the training data, and where a group has too few units for so many
    distinct steps.
    """
    measurement_batches(study, examples(study.data))
    for _ in other_batches(study, examples(study.data)):
        pass
    for member in members(study) if study.walk.distinct else ():
        for seed in seeds:
            key, units = stream_key(seed, Stream.WALK, member.index), member.sizes[study.walk.group]
            draw_swaps(key, study.walk.permutations, units, distinct=True, start=study.walk.start)


def training_part(
    member: Member, seed: int, start: nnx.Module, history: Iterable[Epoch], seconds: float, **others: np.ndarray
) -> xr.Dataset:
    """What training a member's network of one seed adds to the result."""
    return schema.part(
        member.study,
        member.place(seed),
        **member.named(
            parameters=np.array(parameters(start)), **seconds_by_phase(train=seconds), **learning_curves(history)
        ),
        **others,
    )


def learning_curves(history: Iterable[Epoch]) -> dict[str, np.ndarray]:
    """Each quantity of the epochs as one array over them, epoch 0 included."""
    epochs = list(history)
    names = ("train_loss", "sotl_e", "validation_loss", "validation_accuracy")
    return {name: np.array([getattr(epoch, name) for epoch in epochs]) for name in names}


def performance(study: Study, epoch: Epoch) -> float:
    """A, by which early stopping chooses: the larger the better.

    For language models it is the validation loss with its sign changed, which orders epochs as −log of it does. It is
    not finite where that loss is not.
    """
    return float(-epoch.validation_loss if study.data.modality == "text" else epoch.validation_accuracy)
