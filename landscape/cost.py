"""What a study will cost, before it starts: parameters and multiply-adds from its specification alone.

Seconds come from a result that has been computed: the multiply-adds of each phase, in proportion. Needs NumPy
only. What does not grow with multiply-adds, as compilation, is part of the proportion: an estimate from a much
smaller study is too high.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import xarray as xr

from landscape.data.digits import NAME as DIGITS
from landscape.data.prepared import find
from landscape.result import ALPHAS, PHASES, SPLITS, STAGES, study_of
from landscape.study import CnnSpec, DataSpec, MlpSpec, ModelSpec, Study

BACKWARD = 2  # a backward pass, in forward passes


class Examples(NamedTuple):
    """Shape of one input, number of classes, and how many labelled examples a set has."""

    shape: tuple[int, ...]
    classes: int
    labelled: int


class Layer(NamedTuple):
    """`places` dot products of length `fan_in` for each of `units` units."""

    name: str
    units: int
    fan_in: int
    places: int

    @property
    def multiply_adds(self) -> int:
        """Of one example."""
        return self.units * self.fan_in * self.places

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        return self.units * (self.fan_in + 1)


class Work(NamedTuple):
    """Multiply-adds of each phase, in the order of `landscape.result.PHASES`."""

    train: float
    barriers: float
    curves: float
    proxies: float


class Estimate(NamedTuple):
    """seconds: of wall time; distance: how many times the work per example is that of the study it rests on."""

    seconds: float
    distance: float


def examples(name: str) -> Examples:
    """What the examples of a set look like, without loading it. Raises ValueError for one that is not here."""
    if name == DIGITS:
        return Examples((8, 8, 1), 10, 1797)
    prepared = find(name)
    try:
        image, label = (prepared.features[key] for key in ("image", "label"))  # type: ignore[union-attr]
        shape = tuple(int(size) for size in image["image"]["shape"]["dimensions"])
        return Examples(shape, int(label["classLabel"]["numClasses"]), prepared.sizes["train"])  # type: ignore[union-attr]
    except (AttributeError, KeyError, ValueError):
        raise ValueError(f"the shape of the images in {name!r} is not known here") from None


def layers(spec: ModelSpec, sizes: dict[str, int], data: Examples) -> list[Layer]:
    """Every linear layer of the model of this kind with these group sizes, input side first, head last.

    Raises ValueError for a model that is no MLP or CNN.
    """
    if not isinstance(spec, MlpSpec | CnnSpec):
        raise ValueError(f"the multiply-adds of {spec.kind} are not counted; those of mlp and cnn are")
    names = sorted(sizes, key=_place)
    convs = [name for name in names if name.startswith("conv")] if isinstance(spec, CnnSpec) else []
    features = math.prod(data.shape)
    found = []
    if convs:
        height, width, depth = data.shape
        widths = [depth, *(sizes[name] for name in convs)]
        found = [Layer(name, b, 9 * a, height * width) for name, (a, b) in zip(convs, pairwise(widths), strict=True)]
        features = (height // 2) * (width // 2) * widths[-1]
    dense = [name for name in names if name not in convs]
    widths = [features, *(sizes[name] for name in dense), data.classes]
    return found + [Layer(name, b, a, 1) for name, (a, b) in zip([*dense, "head"], pairwise(widths), strict=True)]


def _place(name: str) -> tuple[str, list[int]]:
    """Where a layer stands: convolutions, then dense ones; an inserted `conv2_1` right behind `conv2`."""
    kind = name.rstrip("0123456789_")
    return kind, [int(number) for number in name.removeprefix(kind).split("_")]


def parameters(study: Study) -> list[int]:
    """Trainable parameters of the base and of each candidate. Raises ValueError as `examples` does."""
    data = examples(study.data.name)
    return [sum(layer.parameters for layer in layers(study.model, sizes, data)) for sizes in study.group_sizes()]


def multiply_adds(study: Study) -> list[int]:
    """Of one example in one forward pass, for the base and each candidate. Raises ValueError as `examples` does."""
    data = examples(study.data.name)
    return [sum(layer.multiply_adds for layer in layers(study.model, sizes, data)) for sizes in study.group_sizes()]


def work(study: Study, base_epochs: float | None = None) -> Work:
    """Multiply-adds of a whole study; `base_epochs` is how many the base trained, all that it may by default.

    Raises ValueError as `examples` does.
    """
    forward = multiply_adds(study)
    epochs = study.training.base_epochs if base_epochs is None else base_epochs
    trained = [epochs, *[study.training.epochs] * len(study.candidates)]
    epoch = training_examples(study) * (1 + BACKWARD) + study.data.validation_size
    train = sum(each * epoch * times for each, times in zip(forward, trained, strict=True))
    walks = [1, *[len(study.checkpoints)] * len(study.candidates)]
    walked = zip(_midpoints(study), walks, strict=True)
    barriers = study.walk.permutations * study.walk.batch_size * sum(each * times for each, times in walked)
    pairs = math.comb(min(study.walk.nodes, study.walk.permutations + 1), 2) + 4 * (study.seeds > 1)
    stages = [1, *[len(STAGES)] * len(study.candidates)]
    paths = pairs * len(ALPHAS) * len(SPLITS) * study.walk.batch_size
    curves = paths * sum(each * times for each, times in zip(forward, stages, strict=True))
    return Work(*(float(study.seeds * part) for part in (train, barriers, curves)))


def training_examples(study: Study) -> int:
    """How many training examples a study uses. Raises ValueError as `examples` does."""
    data: DataSpec = study.data
    return data.train_size or max(0, examples(data.name).labelled - data.validation_size)


def _midpoints(study: Study) -> list[int]:
    """Multiply-adds of one example at one midpoint, by the fast form: what follows the walked group."""
    data, group = examples(study.data.name), study.walk.group
    found = []
    for sizes in study.group_sizes():
        chain = layers(study.model, sizes, data)
        first, *rest = chain[[layer.name for layer in chain].index(group) + 1 :]
        moved = min(1.0, 2 * math.ceil(math.log2(sizes[group])) / sizes[group])
        found.append(round(first.multiply_adds * moved) + sum(layer.multiply_adds for layer in rest))
    return found


def estimate(study: Study, reference: xr.Dataset, seconds: float) -> Estimate:
    """Wall time of a study in proportion to a result that took `seconds`, phase by phase.

    Training of the base counts in full, though early stopping may end it sooner. Raises ValueError as
    `examples` does, or for a reference whose times are missing.
    """
    known = study_of(reference)
    spent = reference["seconds"].sum(("seed", "model")).sel(phase=list(PHASES)).values
    if not np.isfinite(spent).all() or spent.sum() <= 0:
        raise ValueError(f"{known.name} does not tell how long it took")
    trained = float(reference["base_train_loss"].notnull().sum("base_epoch").mean())
    scale = np.array(work(study)) / np.maximum(work(known, trained), 1)
    distance = float(np.mean(multiply_adds(study)) / np.mean(multiply_adds(known)))
    return Estimate(float(seconds * (spent * scale).sum() / spent.sum()), distance)
