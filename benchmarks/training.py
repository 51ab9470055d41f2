"""A training step in each form, beside PyTorch's: the same sizes, batch and optimiser.

The forms are those of `landscape.training.epoch`, which chooses one by the rule written there: a program per step, a
program per epoch, and one program for several networks. PyTorch runs where it is installed, in channels_last.
Times are medians of a step without compilation, of runs in turns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from typing import Any, NamedTuple

import jax
import numpy as np
from flax import nnx

from benchmarks._measure import Aim, digits, in_turns, short_of
from landscape.data import Split
from landscape.models.functional import split, trainable
from landscape.study import Training
from landscape.study.kinds import CnnSpec, MlpSpec
from landscape.training.epoch import Plan, TrainState, in_turn, run_epoch, scanned, together

STEPS = 4
REPEATS = 2
FEW = 2  # steps that are run of a form that may be slow
TOGETHER = 10  # networks
MODELS: dict[str, MlpSpec | CnnSpec] = {
    "MLP 3072–20–10": MlpSpec(kind="mlp", hidden=(20,)),
    "CNN (CIFAR-10) l=8": CnnSpec(kind="cnn", channels=(8, 32)),
    "CNN (CIFAR-10) l=32": CnnSpec(kind="cnn", channels=(32, 32)),
}


def run(quick: bool) -> Iterator[dict[str, Any]]:
    """One row for each model."""
    names = list(MODELS)[:2] if quick else list(MODELS)
    batch, steps, networks = (16, 2, 2) if quick else (512, STEPS, TOGETHER)
    for name in names:
        yield _measured(name, batch, steps, networks)


class Problem(NamedTuple):
    """An untrained network, made-up images, and the batches of an epoch."""

    plan: Plan
    state: TrainState
    examples: Split
    order: np.ndarray

    def epoch(self, form: Callable[..., Any], steps: int, networks: int = 1) -> Any:
        """Runs the first `steps` steps of `networks` networks."""
        return form(self.plan, [self.state] * networks, [self.examples] * networks, [self.order[:steps]] * networks)


def problem(spec: MlpSpec | CnnSpec, batch: int, steps: int) -> Problem:
    """What a row is measured on: an epoch of so many batches, drawn from twice as many images as one has."""
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(2 * batch, 32, 32, 3)).astype(np.float32)
    examples = jax.device_put(Split(inputs, rng.integers(0, 10, 2 * batch)))
    model = spec.build((32, 32, 3), 10, nnx.Rngs(0))
    plan = Plan(Training(batch_size=batch), steps, trainable(model))
    order = np.stack([rng.permutation(2 * batch)[:batch] for _ in range(steps)]).astype(np.int32)
    return Problem(plan, plan.begin(split(model)), examples, order)


def _measured(name: str, batch: int, steps: int, networks: int) -> dict[str, Any]:
    made, few = problem(MODELS[name], batch, steps), min(steps, FEW)
    runs: dict[str, tuple[Callable[[], Any], int]] = {
        "chosen (ms)": (partial(made.epoch, run_epoch, steps), steps),
        "a program a step (ms)": (partial(made.epoch, in_turn, steps), steps),
        "a program an epoch (ms)": (partial(made.epoch, scanned, few), few),
        f"{networks} networks together (ms each)": (partial(made.epoch, together, few, networks), few * networks),
    }
    if peer := find_spec("torch") and jax.default_backend() == "cpu":  # as it is here, without an accelerator
        inputs, targets = (np.asarray(array) for array in made.examples)
        runs["PyTorch (ms)"] = _torch(MODELS[name], inputs, targets, made.order), steps
    times = in_turns({column: run for column, (run, _) in runs.items()}, REPEATS)
    row: dict[str, Any] = {"model": name, "batch": batch, "PyTorch (ms)": None, "of PyTorch's time": None}
    row |= {column: digits(1e3 * times[column].seconds / count) for column, (_, count) in runs.items()}
    if peer:
        row["of PyTorch's time"] = digits(row["chosen (ms)"] / row["PyTorch (ms)"])
    return row | {"short of its aim": short_of(row, [Aim("of PyTorch's time", 1, most=True)])}


def _torch(spec: MlpSpec | CnnSpec, inputs: np.ndarray, targets: np.ndarray, order: np.ndarray) -> Callable[[], None]:
    """An epoch of the same network."""
    import torch
    from torch import nn

    layers: list[Any] = []
    if isinstance(spec, CnnSpec):
        for before, width in zip((3, *spec.channels), spec.channels, strict=False):
            layers += [nn.Conv2d(before, width, 3, padding=1), nn.ReLU()]
        features = 16 * 16 * spec.channels[-1]
        layers += [nn.MaxPool2d(2), nn.Flatten(), nn.Linear(features, spec.dense[0]), nn.ReLU()]
        layers += [nn.Linear(spec.dense[0], 10)]
    else:
        layers = [nn.Flatten(), nn.Linear(3072, spec.hidden[0]), nn.ReLU(), nn.Linear(spec.hidden[0], 10)]
    network: Any = nn.Sequential(*layers)
    network.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=1e-4)
    images = torch.from_numpy(inputs.transpose(0, 3, 1, 2)).contiguous(memory_format=torch.channels_last)
    labels = torch.from_numpy(targets.astype(np.int64))

    def epoch() -> None:
        for rows in order:
            some = torch.from_numpy(rows.astype(np.int64))
            batch = images[some].contiguous(memory_format=torch.channels_last)
            loss = nn.functional.cross_entropy(network(batch), labels[some])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    return epoch
