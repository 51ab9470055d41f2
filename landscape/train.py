"""Training one network, an epoch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jaxtyping import Array, Float, Int, PRNGKeyArray

from landscape.compiler import check_sums
from landscape.data import Data, Split
from landscape.keys import host_generator
from landscape.loss import IGNORED, accuracy, cross_entropy
from landscape.study import Training
from landscape.weights import Weights, logits, merge, split, trainable

Report = Callable[[int, int], None]  # epochs done, and in all


class Epoch(NamedTuple):
    """Where training stands after `epoch` epochs.

    train_loss: mean over the epoch's batches, in nats; sotl_e: their sum (SoTL-E, A.2.3); both NaN at epoch 0.
    validation_loss: nats; validation_accuracy: between 0 and 1.
    """

    epoch: int
    weights: Weights
    train_loss: Float[Array, ""]
    sotl_e: Float[Array, ""]
    validation_loss: Float[Array, ""]
    validation_accuracy: Float[Array, ""]


def fit(
    model: nnx.Module,
    data: Data,
    training: Training,
    epochs: int,
    key: PRNGKeyArray,
    report: Report = lambda done, total: None,
) -> Iterator[Epoch]:
    """Train for `epochs` epochs (A.2.2), yielding the start as epoch 0 and then every epoch.

    Batches are drawn without replacement; the examples that do not fill the last batch of an epoch sit it out.
    Text is masked anew every epoch.
    Raises ValueError for a batch larger than the training data.
    """
    check_sums()
    examples = len(data.train)
    if training.batch_size > examples:
        raise ValueError(f"training.batch_size = {training.batch_size} is larger than the {examples} training examples")
    graphdef, weights = split(model)
    plan = Plan(training, epochs * (examples // training.batch_size), trainable(model))
    state = plan.optimizer().init(plan.parameters(weights))
    train, validation = jax.device_put((data.train, data.validation))
    unknown = jnp.array(jnp.nan)
    yield Epoch(0, weights, unknown, unknown, *evaluate(graphdef, weights, validation))
    for epoch in range(1, epochs + 1):
        generator = host_generator(key, epoch)
        order = _batches(generator, examples, training.batch_size)
        if data.remask is not None:
            train = jax.device_put(data.remask(generator))
        weights, state, losses = run_epoch(graphdef, plan, weights, state, train, order)
        yield Epoch(epoch, weights, losses.mean(), losses.sum(), *evaluate(graphdef, weights, validation))
        report(epoch, epochs)


class Plan(NamedTuple):
    """What an optimisation step needs beside arrays; hashable, so one compilation serves equal plans."""

    training: Training
    steps: int
    trained: frozenset[str]

    def optimizer(self) -> optax.GradientTransformation:
        """AdamW or Adam, at a constant rate or with warm-up and cosine decay to zero (A.2.2)."""
        t = self.training
        rate: Any = t.learning_rate
        if t.schedule == "cosine":
            steps = max(self.steps, 1)
            rate = optax.warmup_cosine_decay_schedule(0.0, rate, min(t.warmup_steps, steps - 1), steps)
        if t.optimizer == "adam":
            return optax.adam(rate, t.b1, t.b2)
        return optax.adamw(rate, t.b1, t.b2, weight_decay=t.weight_decay)

    def parameters(self, weights: Weights) -> Weights:
        """The trained part; the rest is running statistics."""
        return {path: array for path, array in weights.items() if path in self.trained}


def _batches(generator: np.random.Generator, examples: int, size: int) -> Int[np.ndarray, "batches size"]:
    """Indices of the batches of one epoch."""
    count = examples // size
    return generator.permutation(examples)[: count * size].reshape(count, size).astype(np.int32)


def run_epoch(
    graphdef: nnx.GraphDef, plan: Plan, weights: Weights, state: optax.OptState, train: Split, order: np.ndarray
) -> tuple[Weights, optax.OptState, Float[Array, " batches"]]:
    """One step a row of `order`; the losses come back together.

    XLA's CPU backend runs the gradient of a convolution inside a loop primitive many times slower than on its
    own, so there the loop is Python's; elsewhere the whole epoch is one program.
    """
    loop = _python_loop if jax.default_backend() == "cpu" and _convolves(weights) else _scan
    return loop(graphdef, plan, weights, state, train, order)


def _convolves(weights: Weights) -> bool:
    return any(array.ndim == 4 for array in weights.values())


def _python_loop(graphdef: nnx.GraphDef, plan: Plan, weights: Weights, state: Any, train: Split, order: Any) -> Any:
    losses = []
    for rows in order:
        weights, state, loss = _jitted_step(graphdef, plan, weights, state, train, rows)
        losses.append(loss)
    return weights, state, jnp.stack(losses)


@partial(jax.jit, static_argnames=("graphdef", "plan"))
def _scan(graphdef: nnx.GraphDef, plan: Plan, weights: Weights, state: Any, train: Split, order: Any) -> Any:
    def body(carry: tuple[Weights, Any], rows: Array) -> tuple[tuple[Weights, Any], Array]:
        *moved, loss = _step(graphdef, plan, *carry, train, rows)
        return tuple(moved), loss

    (weights, state), losses = jax.lax.scan(body, (weights, state), order)
    return weights, state, losses


def _step(
    graphdef: nnx.GraphDef, plan: Plan, weights: Weights, state: Any, train: Split, rows: Array
) -> tuple[Weights, Any, Array]:
    parameters = plan.parameters(weights)
    batch = jax.tree.map(lambda array: array[rows], train)

    def loss(parameters: Weights) -> tuple[Array, Weights]:
        model = merge(graphdef, weights | parameters)
        model.train()
        return cross_entropy(model(batch.inputs), batch.targets), split(model)[1]

    (value, moved), gradients = jax.value_and_grad(loss, has_aux=True)(parameters)
    updates, state = plan.optimizer().update(gradients, state, parameters)
    return moved | optax.apply_updates(parameters, updates), state, value


_jitted_step = partial(jax.jit, static_argnames=("graphdef", "plan"))(_step)

EVALUATION_LOGITS = 2**24  # at most so many at once: 64 MiB


@partial(jax.jit, static_argnames="graphdef")
def evaluate(graphdef: nnx.GraphDef, weights: Weights, examples: Split) -> tuple[Array, Array]:
    """Mean cross-entropy in nats, and accuracy, in evaluation mode, a batch after the other."""
    one = jax.eval_shape(partial(logits, graphdef), weights, jax.tree.map(lambda array: array[:1], examples.inputs))
    size = min(max(1, EVALUATION_LOGITS // one.size), 1024, len(examples))
    missing = -len(examples) % size

    def batched(array: Any, fill: int) -> Array:
        padding = [(0, missing)] + [(0, 0)] * (array.ndim - 1)
        return jnp.pad(array, padding, constant_values=fill).reshape(-1, size, *array.shape[1:])

    inputs = jax.tree.map(lambda array: batched(array, 0), examples.inputs)
    targets = batched(examples.targets, IGNORED)

    def sums(batch: tuple[Any, Array]) -> tuple[Array, Array, Array]:
        outputs = logits(graphdef, weights, batch[0])
        counted = jnp.sum(batch[1] != IGNORED)
        return counted * cross_entropy(outputs, batch[1]), counted * accuracy(outputs, batch[1]), counted

    losses, correct, counted = jax.lax.map(sums, (inputs, targets))
    return losses.sum() / counted.sum(), correct.sum() / counted.sum()


def early_stopped(
    epochs: Iterator[Epoch], patience: int, better: Callable[[Epoch], float]
) -> tuple[Epoch, list[Epoch]]:
    """The best epoch by `better` (larger wins, the earlier of equals), and the history without weights.

    Stops once `patience` epochs have passed without a better one.
    """
    best, history = next(epochs), []
    history.append(best._replace(weights={}))
    for epoch in epochs:
        history.append(epoch._replace(weights={}))
        if better(epoch) > better(best):
            best = epoch
        elif epoch.epoch - best.epoch >= patience:
            break
    return best, history
