"""What a study will cost, before it starts: parameters and multiply-adds from its specification alone.

Seconds come from a result that has been computed: the multiply-adds of each phase, in proportion. Needs NumPy
only. What does not grow with multiply-adds, as compilation of training, is part of the proportion: an estimate
from a much smaller study is too high.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import xarray as xr

from landscape.data.shapes import examples_of
from landscape.study import Study
from landscape.study.kinds import Layer
from landscape.study.member import members
from landscape.study.predictors import proxies
from landscape.study.schema import ALPHAS, PHASES, SPLITS, study_of

BACKWARD = 2  # a backward pass, in forward passes
PROXY_PASSES = 2 * (1 + BACKWARD)  # each proxy runs twice, the first time to compile


class Work(NamedTuple):
    """Multiply-adds of each phase, in the order of `landscape.study.schema.PHASES`."""

    train: float
    barriers: float
    curves: float
    proxies: float


class Estimate(NamedTuple):
    """seconds: of wall time; distance: how many times the work per example is that of the study it rests on."""

    seconds: float
    distance: float


def parameters(study: Study) -> list[int]:
    """Trainable parameters of the base and of each candidate. Raises ValueError as `examples_of` does."""
    return [sum(layer.parameters for layer in layers) for layers in linear_layers(study)]


def multiply_adds(study: Study) -> list[int]:
    """Of one example in one forward pass, for the base and each candidate. Raises ValueError as `examples_of` does."""
    return [sum(layer.multiply_adds for layer in layers) for layers in linear_layers(study)]


def linear_layers(study: Study) -> list[list[Layer]]:
    """The linear layers of the base and of each candidate, from the specification of its kind.

    Raises:
      ValueError: if what the images look like is not known here; see `landscape.data.shapes`.

    Example:
      >>> from landscape import preset
      >>> from landscape.analysis.cost import linear_layers
      >>> [(layer.name, layer.fan_in, layer.units) for layer in linear_layers(preset("digits-mlp"))[0]]
      [('hidden1', 64, 6), ('head', 6, 10)]
    """
    examples = examples_of(study.data)
    return [study.model.linear_layers(sizes, examples) for sizes in study.group_sizes()]


def work(study: Study, base_epochs: float | None = None) -> Work:
    """Multiply-adds of a whole study; `base_epochs` is how many the base trained, all that it may by default.

    Raises ValueError as `examples_of` does.
    """
    forward = multiply_adds(study)
    epochs = study.training.base_epochs if base_epochs is None else base_epochs
    trained = [epochs, *[study.training.epochs] * len(study.candidates)]
    epoch = training_examples(study) * (1 + BACKWARD) + study.data.validation_size
    train = sum(each * epoch * times for each, times in zip(forward, trained, strict=True))
    walks = [1, *[len(study.checkpoints)] * len(study.candidates)]
    walked = zip(midpoint_multiply_adds(study), walks, strict=True)
    barriers = study.walk.permutations * study.walk.batch_size * sum(each * times for each, times in walked)
    pairs = math.comb(min(study.walk.nodes, study.walk.permutations + 1), 2) + 4 * (study.seeds > 1)
    moments = [len(member.moments) for member in members(study)]
    batch = study.walk.batch_size
    paths = pairs * len(ALPHAS) * len(SPLITS) * batch
    curves = study.seeds * paths * sum(each * times for each, times in zip(forward, moments, strict=True))
    planes = study.walk.surface**2 * batch * sum(each * times for each, times in zip(forward, moments, strict=True))
    scores = PROXY_PASSES * len(proxies()) * batch * sum(forward[1:])
    return Work(
        *(float(part) for part in (study.seeds * train, study.seeds * barriers, curves + planes, study.seeds * scores))
    )


def training_examples(study: Study) -> int:
    """How many training examples a study uses. Raises ValueError where that is known only once they are loaded."""
    found = study.data.train_size or examples_of(study.data).labelled - study.data.validation_size
    if found <= 0:
        raise ValueError(f"how many training examples {study.data.name} gives is not known before it is loaded")
    return found


def midpoint_multiply_adds(study: Study) -> list[int]:
    """Of one example at one midpoint, for the base and each candidate: what follows the walked group, its reader on
    the moved units only; or where there is no fast form, the network. Raises ValueError as `examples_of` does.
    """
    group, found = study.walk.group, []
    for sizes, layers in zip(study.group_sizes(), linear_layers(study), strict=True):
        readers = [i for i, layer in enumerate(layers) if layer.reads == group]
        if not readers or study.walk.statistics == "re-estimated":
            found.append(sum(layer.multiply_adds for layer in layers))
            continue
        reader, *rest = layers[readers[0] :]
        moved = min(1.0, 2 * math.ceil(math.log2(sizes[group])) / sizes[group])
        found.append(round(reader.multiply_adds * moved) + sum(layer.multiply_adds for layer in rest))
    return found


def estimate(study: Study, reference: xr.Dataset, seconds: float) -> Estimate:
    """Wall time of a study in proportion to a result that took `seconds`, phase by phase.

    Compiling the proxies counts once. Training of the base counts in full, though early stopping may end it
    sooner. Raises ValueError as `examples_of` does, or for a reference whose times are missing.
    """
    known = study_of(reference)
    spent = reference["seconds"].sum(("seed", "model"), skipna=False).sel(phase=list(PHASES[:-1])).values
    proxies = np.nansum(reference["proxy_seconds"].values) * 2
    compiled = np.nansum(reference["proxy_compile_seconds"].values)
    spent = np.array([*spent, proxies])
    if not np.isfinite(spent).all() or spent.sum() <= 0:
        raise ValueError(f"{known.name} does not tell how long it took")
    trained = float(reference["base_train_loss"].notnull().sum("base_epoch").mean())
    scale = np.array(work(study)) / np.maximum(work(known, trained), 1)
    distance = float(np.mean(multiply_adds(study)) / np.mean(multiply_adds(known)))
    share = seconds / (spent.sum() + compiled)
    return Estimate(float(share * ((spent * scale).sum() + compiled)), distance)


def nearest(study: Study, others: Iterable[Study]) -> Study | None:
    """The study whose networks are nearest in kind, then in size; those that cannot be counted are passed over.

    Raises ValueError as `examples_of` does for the study itself.
    """
    size = math.log(sum(multiply_adds(study)))

    def distance(other: Study) -> tuple[bool, float]:
        return other.model.kind != study.model.kind, abs(math.log(sum(multiply_adds(other))) - size)

    return min(filter(_countable, others), key=distance, default=None)


def _countable(study: Study) -> bool:
    try:
        return bool(multiply_adds(study))
    except ValueError:
        return False
