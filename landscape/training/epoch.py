"""One epoch of optimisation steps, in the form that is fastest where it runs.

The choice follows what `python -m benchmarks training` measures. On a processor, a network with convolutions is fastest
with one program per step, and any other with one program per epoch, which does not return to the host in between; to
train several networks together gains nothing there. On an accelerator, one program trains as many networks together as
memory holds, but not networks with convolutions: those of several networks become one grouped convolution, which on an
H100 takes 2.1 ms a network and step (CIFAR-10 CNN, 10 networks), where networks in turn take 0.8.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int

from landscape.data import Split
from landscape.models.functional import Network, Weights
from landscape.numerics.memory import device_bytes, needed, tree_bytes
from landscape.study import Training
from landscape.training.gradients import loss_and_gradients

MEMORY_FRACTION = 0.5  # how much of an accelerator's memory the networks trained together may fill


class TrainState(NamedTuple):
    """A network in training, and the state of its optimiser."""

    network: Network
    optimizer_state: optax.OptState


class Plan(NamedTuple):
    """What an optimisation step needs beside arrays. It is hashable, so that one compilation serves equal plans.

    training: the optimiser and its rates; steps: how many there are until the end, for a schedule that depends on it;
    trained: the paths of the arrays that are trained.
    """

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
        """The arrays that are trained; the others are running statistics."""
        return {path: array for path, array in weights.items() if path in self.trained}

    @partial(jax.jit, static_argnames="self")
    def begin(self, network: Network) -> TrainState:
        """A network before its first step."""
        return TrainState(network, self.optimizer().init(self.parameters(network.weights)))


def run_epoch(
    plan: Plan,
    states: Sequence[TrainState],
    trains: Sequence[Split],
    orders: Sequence[Int[np.ndarray, "batches size"]],
) -> tuple[list[TrainState], list[Float[Array, " batches"]]]:
    """Every network after one step for each row of its order, and the losses of its steps.

    A row lists the training examples of a batch.
    """
    form, at_once = chosen_form(plan, states[0], trains, len(states))
    parts = [slice(start, start + at_once) for start in range(0, len(states), at_once)]
    moved = list(chain.from_iterable(form(plan, states[part], trains[part], orders[part]) for part in parts))
    return [state for state, _ in moved], [losses for _, losses in moved]


def chosen_form(plan: Plan, state: TrainState, trains: Sequence[Split], count: int) -> tuple[Any, int]:
    """How to run an epoch, and on how many networks at once: in as few parts of about equal size as memory allows."""
    limit = device_bytes()
    convolves = any(array.ndim == 4 for array in state.network.weights.values())
    if limit is None or convolves:
        return in_turn if convolves and limit is None else scanned, 1
    rows = np.zeros(plan.training.batch_size, np.int32)
    one = needed(step, {"plan": plan}, state=state, train=trains[0], rows=rows)
    copied = 0 if _shared(trains) else 2 * tree_bytes(trains[0])
    most = max(1, int(MEMORY_FRACTION * limit // (one + tree_bytes(state) + copied)))
    return together, math.ceil(count / math.ceil(count / most))


Moved = list[tuple[TrainState, Array]]  # networks after an epoch, and the losses of its steps


def in_turn(plan: Plan, states: Any, trains: Any, orders: Any) -> Moved:
    """Train network after network, with one program per step."""
    return [_loop(plan, *each) for each in zip(states, trains, orders, strict=True)]


def _loop(plan: Plan, state: TrainState, train: Split, order: np.ndarray) -> tuple[TrainState, Array]:
    losses = []
    for rows in order:
        state, loss = step(plan, state, train, rows)
        losses.append(loss)
    return state, jnp.stack(losses)


def scanned(plan: Plan, states: Any, trains: Any, orders: Any) -> Moved:
    """Train network after network, with one program per epoch."""
    return [_scan(plan, *each) for each in zip(states, trains, orders, strict=True)]


@partial(jax.jit, static_argnames="plan")
def _scan(plan: Plan, state: TrainState, train: Split, order: Array) -> tuple[TrainState, Array]:
    return jax.lax.scan(lambda state, rows: step(plan, state, train, rows), state, order)


def together(plan: Plan, states: Any, trains: Any, orders: Any) -> Moved:
    """Train all networks by one program, which runs the epoch."""
    return _together(plan, states, trains[:1] if _shared(trains) else trains, np.stack(orders))


def _shared(trains: Sequence[Split]) -> bool:
    """Whether all networks read the same examples, of which memory then holds one copy."""
    return all(train is trains[0] for train in trains)


@partial(jax.jit, static_argnames="plan")
def _together(plan: Plan, states: Any, trains: Any, orders: Array) -> Moved:
    shared = len(trains) < len(states)
    train = trains[0] if shared else _stacked(trains)
    each = jax.vmap(partial(_scan, plan), in_axes=(0, None if shared else 0, 0))
    moved = each(_stacked(states), train, orders)
    return [jax.tree.map(lambda array, i=i: array[i], moved) for i in range(len(states))]


def _stacked(trees: Sequence[Any]) -> Any:
    return jax.tree.map(lambda *arrays: jnp.stack(arrays), *trees)


@partial(jax.jit, static_argnames="plan")
def step(
    plan: Plan, state: TrainState, train: Split, rows: Int[Array | np.ndarray, " size"]
) -> tuple[TrainState, Float[Array, ""]]:
    """One optimisation step on the batch of these rows, and the loss before it."""
    network, parameters = state.network, plan.parameters(state.network.weights)
    batch = jax.tree.map(lambda array: array[rows], train)
    value, moved, gradients = loss_and_gradients(network, parameters, batch)
    updates, optimizer_state = plan.optimizer().update(gradients, state.optimizer_state, parameters)
    return TrainState(network.replace(moved | optax.apply_updates(parameters, updates)), optimizer_state), value
