"""One epoch of optimisation steps, in the form that is fastest where it runs.

The choice is made here, by what `python -m benchmarks training` measures. On a processor a program a step is the
fastest where the network convolves; anything else is one program an epoch, without a return to the host. On an
accelerator one program trains as many networks together as its memory holds; on a processor that gains nothing, and
networks take turns.
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
from flax import nnx
from jaxtyping import Array, Float, Int

from landscape.data import Split
from landscape.models.functional import Weights
from landscape.numerics.memory import device_bytes, needed, tree_bytes
from landscape.study import Training
from landscape.training.gradients import loss_and_gradients

SHARE = 0.5  # of an accelerator's memory for what a step of all networks makes


class Network(NamedTuple):
    """A network on its way: its weights and the state of its optimiser."""

    weights: Weights
    state: optax.OptState


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

    def begin(self, weights: Weights) -> Network:
        """A network before its first step."""
        return Network(weights, self.optimizer().init(self.parameters(weights)))


def run_epoch(
    graphdef: nnx.GraphDef,
    plan: Plan,
    networks: Sequence[Network],
    trains: Sequence[Split],
    orders: Sequence[Int[np.ndarray, "batches size"]],
) -> tuple[list[Network], list[Float[Array, " batches"]]]:
    """Every network after one step a row of its order on its training examples, and the losses of its steps."""
    form, at_once = chosen_form(graphdef, plan, networks[0], trains, len(networks))
    parts = [slice(start, start + at_once) for start in range(0, len(networks), at_once)]
    moved = list(
        chain.from_iterable(form(graphdef, plan, networks[part], trains[part], orders[part]) for part in parts)
    )
    return [network for network, _ in moved], [losses for _, losses in moved]


def chosen_form(
    graphdef: nnx.GraphDef, plan: Plan, network: Network, trains: Sequence[Split], count: int
) -> tuple[Any, int]:
    """How to run an epoch, and how many networks at once: as few parts as memory allows, of about equal size."""
    limit = device_bytes()
    if limit is None:
        convolves = any(array.ndim == 4 for array in network.weights.values())
        return in_turn if convolves else scanned, 1
    rows = np.zeros(plan.training.batch_size, np.int32)
    one = needed(step, {"graphdef": graphdef, "plan": plan}, network=network, train=trains[0], rows=rows)
    copied = 0 if _shared(trains) else 2 * tree_bytes(trains[0])
    most = max(1, int(SHARE * limit // (one + tree_bytes(network) + copied)))
    return together, math.ceil(count / math.ceil(count / most))


Way = list[tuple[Network, Array]]


def in_turn(graphdef: nnx.GraphDef, plan: Plan, networks: Any, trains: Any, orders: Any) -> Way:
    """Network by network, a program a step."""
    return [_loop(graphdef, plan, *way) for way in zip(networks, trains, orders, strict=True)]


def _loop(graphdef: nnx.GraphDef, plan: Plan, network: Network, train: Split, order: np.ndarray) -> Any:
    losses = []
    for rows in order:
        network, loss = step(graphdef, plan, network, train, rows)
        losses.append(loss)
    return network, jnp.stack(losses)


def scanned(graphdef: nnx.GraphDef, plan: Plan, networks: Any, trains: Any, orders: Any) -> Way:
    """Network by network, a program an epoch."""
    return [_scan(graphdef, plan, *way) for way in zip(networks, trains, orders, strict=True)]


@partial(jax.jit, static_argnames=("graphdef", "plan"))
def _scan(graphdef: nnx.GraphDef, plan: Plan, network: Network, train: Split, order: Array) -> tuple[Network, Array]:
    return jax.lax.scan(lambda network, rows: step(graphdef, plan, network, train, rows), network, order)


def together(graphdef: nnx.GraphDef, plan: Plan, networks: Any, trains: Any, orders: Any) -> Way:
    """All networks in one program, which runs the epoch."""
    return _together(graphdef, plan, networks, trains[:1] if _shared(trains) else trains, np.stack(orders))


def _shared(trains: Sequence[Split]) -> bool:
    """Whether all networks read the same examples, which are there once."""
    return all(train is trains[0] for train in trains)


@partial(jax.jit, static_argnames=("graphdef", "plan"))
def _together(graphdef: nnx.GraphDef, plan: Plan, networks: Any, trains: Any, orders: Array) -> Way:
    shared = len(trains) < len(networks)
    train = trains[0] if shared else _stacked(trains)
    each = jax.vmap(partial(_scan, graphdef, plan), in_axes=(0, None if shared else 0, 0))
    moved = each(_stacked(networks), train, orders)
    return [jax.tree.map(lambda array, i=i: array[i], moved) for i in range(len(networks))]


def _stacked(trees: Sequence[Any]) -> Any:
    return jax.tree.map(lambda *arrays: jnp.stack(arrays), *trees)


@partial(jax.jit, static_argnames=("graphdef", "plan"))
def step(
    graphdef: nnx.GraphDef, plan: Plan, network: Network, train: Split, rows: Int[Array, " size"]
) -> tuple[Network, Float[Array, ""]]:
    """One optimisation step on the batch of these rows, and the loss before it."""
    parameters = plan.parameters(network.weights)
    batch = jax.tree.map(lambda array: array[rows], train)

    value, moved, gradients = loss_and_gradients(graphdef, network.weights, parameters, batch)
    updates, state = plan.optimizer().update(gradients, network.state, parameters)
    return Network(moved | optax.apply_updates(parameters, updates), state), value
