"""A study as a plain program in PyTorch: training, Net2Net and the walk as Algorithm 1 has it, from the definitions.

`python -m benchmarks._algorithm1 STUDY SEEDS`: a preset or a TOML file whose candidates widen the first hidden layer of
an MLP or a CNN, on as many of its seeds. It prints M of every candidate right after the expansion and at the last
checkpoint, in percent, and G*.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.func import functional_call

from landscape.data import load
from landscape.study import Study, from_toml
from landscape.study.member import Member, members
from landscape.study.presets import preset

Q = 0.4  # the quantile of the base's barriers that is λ


def network(study: Study, shape: tuple[int, ...], classes: int) -> Any:
    """The base, untrained."""
    model: Any = study.model
    layers: list[nn.Module] = []
    if model.kind == "cnn":
        for before, width in zip((shape[-1], *model.channels), model.channels, strict=False):
            layers += [nn.Conv2d(before, width, 3, padding=1), nn.ReLU()]
        layers.append(nn.MaxPool2d(2))
        features, hidden = model.channels[-1] * (shape[0] // 2) * (shape[1] // 2), model.dense
    else:
        features, hidden = math.prod(shape), model.hidden
    layers.append(nn.Flatten())
    for before, width in zip((features, *hidden), hidden, strict=False):
        layers += [nn.Linear(before, width), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(hidden[-1], classes))


def widened(base: Any, index: torch.Tensor) -> Any:
    """The network whose first hidden layer has these units of the base; whoever reads a copy has its share of it."""
    first, second, *rest = (layer for layer in base if hasattr(layer, "weight"))
    copies = torch.bincount(index)[index].reshape(1, -1, *[1] * (second.weight.dim() - 2))
    weights = {
        first: (first.weight[index], first.bias[index]),
        second: (second.weight[:, index] / copies, second.bias),
    } | {layer: (layer.weight, layer.bias) for layer in rest}
    layers = []
    for layer in base:
        if layer in weights:
            weight, bias = (each.detach().clone() for each in weights[layer])
            new: Any = nn.Conv2d(1, 1, 3, padding=1) if weight.dim() == 4 else nn.Linear(1, 1)
            new.weight, new.bias = nn.Parameter(weight), nn.Parameter(bias)
            layer = new
        layers.append(layer)
    return nn.Sequential(*layers)


def epochs(study: Study, model: Any, data: Any, count: int, rng: np.random.Generator) -> Iterator[float]:
    """Train for so many epochs; after each, and before the first, the accuracy on the validation data."""
    options, (images, labels), batch = study.training, data["train"], study.training.batch_size
    kind = torch.optim.AdamW if options.optimizer == "adamw" else torch.optim.Adam
    decay = {"weight_decay": options.weight_decay} if options.optimizer == "adamw" else {}
    optimizer = kind(model.parameters(), lr=options.learning_rate, betas=(options.b1, options.b2), **decay)
    yield accuracy(model, data)
    for _ in range(count):
        order = torch.from_numpy(rng.permutation(len(labels)))
        for rows in order[: len(order) // batch * batch].reshape(-1, batch):
            loss = nn.functional.cross_entropy(model(images[rows]), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        yield accuracy(model, data)


@torch.no_grad()
def accuracy(model: Any, data: Any) -> float:
    """On the validation data."""
    images, labels = data["validation"]
    return float((model(images).argmax(1) == labels).double().mean())


@torch.no_grad()
def walk(study: Study, model: Any, data: Any, rng: np.random.Generator) -> np.ndarray:
    """Algorithm 1: b̂ between every two neighbours of a walk, each of which permutes the one before."""
    images, labels = (each[: study.walk.batch_size] for each in data["train"])
    first, second, *_ = (name for name, _ in model.named_parameters() if name.endswith("weight"))
    bias, units = first.removesuffix("weight") + "bias", dict(model.named_parameters())[first].shape[0]

    def loss(weights: dict[str, torch.Tensor]) -> float:
        return float(nn.functional.cross_entropy(functional_call(model, weights, (images,)), labels))

    here = dict(model.named_parameters())
    loss_here, barriers = loss(here), []
    for _ in range(study.walk.permutations):
        order = np.arange(units)
        for a, b in rng.integers(0, units, (math.ceil(math.log2(units)), 2)):
            order[[a, b]] = order[[b, a]]
        index = torch.from_numpy(order)
        there = here | {first: here[first][index], bias: here[bias][index], second: here[second][:, index]}
        loss_there, middle = loss(there), {name: (here[name] + there[name]) / 2 for name in here}
        barriers.append(abs(loss(middle) - (loss_here + loss_there) / 2))
        here, loss_here = there, loss_there
    return np.array(barriers)


def seed_of(study: Study, seed: int, data: Any, shape: tuple[int, ...], classes: int) -> None:
    """Everything of one seed."""
    torch.manual_seed(seed)
    rng, base = np.random.default_rng(seed), network(study, shape, classes)
    best, reached = -math.inf, {}
    waited = 0
    for reached_now in epochs(study, base, data, study.base_epochs, rng):
        waited = 0 if reached_now > best else waited + 1
        if not waited:
            best, reached = reached_now, {name: each.clone() for name, each in base.state_dict().items()}
        if waited >= study.training.patience:
            break
    base.load_state_dict(reached)
    threshold = np.quantile(walk(study, base, data, rng), Q)
    for member in members(study)[1:]:
        sizes, gains = expanded(study, member, base, data, best, threshold, rng)
        print(seed, member.label, *(f"M = {100 * (size - Q):.1f} %" for size in sizes), f"G* = {100 * gains:.2f}")


def expanded(
    study: Study, member: Member, base: Any, data: Any, of_base: float, threshold: float, rng: np.random.Generator
) -> tuple[list[float], float]:
    """The manifold size of a candidate at its first and last checkpoint, and its best gain."""
    group = study.walk.group
    units, size = members(study)[0].sizes[group], member.sizes[group]
    index = torch.from_numpy(np.concatenate([np.arange(units), rng.integers(0, units, size - units)]))
    model, sizes, reached = widened(base, index), [], []
    for epoch, performance in enumerate(epochs(study, model, data, member.epochs, rng)):
        reached.append(performance)
        if epoch in member.checkpoints:
            sizes.append(float((walk(study, model, data, rng) <= threshold).mean()))
    return [sizes[0], sizes[-1]], max(reached) - of_base


def main() -> None:
    """Run the study that the command line names."""
    name, seeds = sys.argv[1], int(sys.argv[2])
    study = from_toml(name) if name.endswith(".toml") else preset(name)
    loaded = load(study.data)
    data = {
        part: (
            torch.from_numpy(np.ascontiguousarray(np.moveaxis(np.asarray(split.inputs, np.float32), -1, 1))),
            torch.from_numpy(np.asarray(split.targets, np.int64)),
        )
        for part, split in (("train", loaded.train), ("validation", loaded.validation))
    }
    for seed in range(seeds):
        seed_of(study, seed, data, loaded.train.inputs.shape[1:], loaded.classes)


if __name__ == "__main__":
    main()
