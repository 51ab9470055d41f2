"""Training networks, one epoch at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int, PRNGKeyArray

from landscape.data import Data, Split
from landscape.models.functional import Weights, split, trainable
from landscape.models.prng import host_generator
from landscape.numerics.batch import checked_batch
from landscape.numerics.loss import IGNORED
from landscape.numerics.precision import check_sums
from landscape.numerics.progress import OnProgress, ignore_progress
from landscape.study import Training
from landscape.training.epoch import Plan, run_epoch
from landscape.training.evaluate import evaluate


class Epoch(NamedTuple):
    """A network after `epoch` epochs of training.

    train_loss: mean over the epoch's batches with a target that counts, in nats; sotl_e: the sum over them (SoTL-E,
    A.2.3); both NaN at epoch 0.
    validation_loss: nats; validation_accuracy: between 0 and 1.
    """

    epoch: int
    weights: Weights
    train_loss: Float[Array, ""]
    sotl_e: Float[Array, ""]
    validation_loss: Float[Array, ""]
    validation_accuracy: Float[Array, ""]


def fit(
    models: Sequence[nnx.Module],
    data: Data,
    training: Training,
    epochs: int,
    keys: Sequence[PRNGKeyArray],
    on_progress: OnProgress = ignore_progress,
) -> Iterator[list[Epoch]]:
    """Train networks of one structure for `epochs` epochs (A.2.2), yielding the start as epoch 0, then every epoch.

    Each network is trained by its own key, as if it were alone. Batches are drawn without replacement, and the examples
    that do not fill the last batch of an epoch are left out of it. Text is masked anew every epoch.
    Raises ValueError for a batch larger than the training data, and for targets that are not classes, or
    of which none counts.
    """
    check_sums()
    examples = len(data.train)
    if training.batch_size > examples:
        raise ValueError(f"training.batch_size = {training.batch_size} is larger than the {examples} training examples")
    steps = epochs * (examples // training.batch_size) if training.schedule == "cosine" else 0
    plan = Plan(training, steps, trainable(models[0]))
    first, *others = (split(model) for model in models)
    states = [plan.begin(network) for network in (first, *(first.replace(other.weights) for other in others))]
    train, validation = jax.device_put([Split(*checked_batch(first, *part)) for part in (data.train, data.validation)])

    def reached(epoch: int, losses: Sequence[tuple[Array, Array]]) -> list[Epoch]:
        return [
            Epoch(epoch, network.weights, *loss, *evaluate(network, validation))
            for (network, _), loss in zip(states, losses, strict=True)
        ]

    yield reached(0, [(jnp.array(jnp.nan), jnp.array(jnp.nan))] * len(states))
    for epoch in range(1, epochs + 1):
        generators = [host_generator(key, epoch) for key in keys]
        orders = [_batches(generator, examples, training.batch_size) for generator in generators]
        trains = [train if data.remask is None else jax.device_put(data.remask(each)) for each in generators]
        states, losses = run_epoch(plan, states, trains, orders)
        yield reached(epoch, [_mean_and_sum(*each) for each in zip(losses, trains, orders, strict=True)])
        on_progress(epoch, epochs)


def _batches(generator: np.random.Generator, examples: int, size: int) -> Int[np.ndarray, "batches size"]:
    """The examples in each batch of one epoch, by index."""
    count = examples // size
    return generator.permutation(examples)[: count * size].reshape(count, size).astype(np.int32)


@jax.jit
def _mean_and_sum(
    losses: Float[Array, " batches"], train: Split, order: Int[Array | np.ndarray, "batches size"]
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """The mean of an epoch's losses over the batches that have a target that counts, and the sum."""
    counted = jnp.any(train.targets[order].reshape(len(order), -1) != IGNORED, axis=1).sum()
    return losses.sum() / counted, losses.sum()


class Stopped(NamedTuple):
    """The outcome of early stopping: the best epoch, and all epochs until training stopped, without their weights."""

    best: Epoch
    history: list[Epoch]


def early_stopped(epochs: Iterator[list[Epoch]], patience: int, better: Callable[[Epoch], float]) -> list[Stopped]:
    """The best epoch of each network by `better`, where larger values win, and of equal ones the earlier.

    An epoch of which `better` is not finite is never the best, unless no epoch is better than the start. A network
    stops once `patience` epochs have passed without a better one, and training once all have stopped.
    """
    going = [Stopped(start, [start._replace(weights={})]) for start in next(epochs)]

    def score(epoch: Epoch) -> float:
        return value if math.isfinite(value := float(better(epoch))) else -math.inf

    def stopped(one: Stopped) -> bool:
        return one.history[-1].epoch - one.best.epoch >= patience

    for reached in epochs:
        for i, (one, epoch) in enumerate(zip(going, reached, strict=True)):
            if not stopped(one):
                one.history.append(epoch._replace(weights={}))
                going[i] = one._replace(best=epoch) if score(epoch) > score(one.best) else one
        if all(map(stopped, going)):
            break
    return going
