"""What a study will cost, before it starts: parameters and multiply-adds, from its specification alone.

Wall time on a processor is that of `landscape.analysis.cost.duration`. On a GPU it comes from a result that was
computed on one: each phase takes time in proportion to its multiply-adds. What does not grow with them, such as the
compilation of training, is part of the proportion, so that an estimate from a much smaller study is too high.
Sections are those of Malviya et al. (2024), arXiv 2405.15895.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import xarray as xr

from landscape.data.shapes import examples_of
from landscape.study import Study
from landscape.study.kinds import Layer
from landscape.study.member import members
from landscape.study.predictors import proxies
from landscape.study.schema import ALPHAS, PHASES, SPLITS, study_of

BACKWARD = 2  # a backward pass costs as much as two forward passes
PROXY_PASSES = 2 * (1 + BACKWARD)  # each proxy runs twice, the first time to compile


class Work(NamedTuple):
    """The multiply-adds of each phase, in the order of `landscape.study.schema.PHASES`."""

    train: float
    barriers: float
    curves: float
    proxies: float


def linear_layers(study: Study) -> list[list[Layer]]:
    """The linear layers of the base and of each candidate, from the specification of its kind.

    Raises:
      ValueError: if nothing on this computer describes the images; see `landscape.data.shapes`.

    Example:
      >>> from landscape import preset
      >>> from landscape.analysis.cost import linear_layers
      >>> [(layer.name, layer.fan_in, layer.units) for layer in linear_layers(preset("digits-mlp"))[0]]
      [('hidden1', 64, 6), ('head', 6, 10)]
    """
    examples = examples_of(study.data)
    return [study.model.linear_layers(sizes, examples) for sizes in study.group_sizes()]


def parameters(study: Study) -> list[int]:
    """The number of trainable parameters of the base and of each candidate.

    Raises:
      ValueError: if nothing on this computer describes the images.

    Example:
      >>> from landscape import preset
      >>> from landscape.analysis.cost import parameters
      >>> parameters(preset("digits-mlp"))
      [460, 535, 610, 760, 910, 1360]

    References:
      Malviya et al. (2024), Tables 2 and 3, have the networks.
    """
    return [sum(layer.parameters for layer in layers) for layers in linear_layers(study)]


def multiply_adds(study: Study) -> list[int]:
    """The multiply-adds of one example in one forward pass, for the base and for each candidate.

    Dense layers, convolutions and products of activations count; biases, normalisations and activations do not.

    Raises:
      ValueError: if nothing on this computer describes the images.

    Example:
      >>> from landscape import preset
      >>> from landscape.analysis.cost import multiply_adds
      >>> multiply_adds(preset("digits-mlp"))
      [444, 518, 592, 740, 888, 1332]

    References:
      Malviya et al. (2024), Tables 2 and 3, have the networks.
    """
    return [sum(layer.multiply_adds for layer in layers) for layers in linear_layers(study)]


def midpoint_multiply_adds(study: Study) -> list[int]:
    """The multiply-adds of one example at one midpoint of the walk, for the base and for each candidate.

    Where the fast form opens the network (`landscape.models.cut`), they are those of what follows the walked group, and
    its reader counts with the moved units only, at most 2⌈log₂ l⌉ of l. Elsewhere they are those of the network.

    Raises:
      ValueError: if nothing on this computer describes the images.

    Example:
      >>> from landscape import preset
      >>> from landscape.analysis.cost import midpoint_multiply_adds
      >>> midpoint_multiply_adds(preset("digits-mlp"))
      [60, 60, 60, 80, 80, 100]

    References:
      Malviya et al. (2024), section A.2.1, for the swaps of one step.
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


def training_examples(study: Study) -> int:
    """How many training examples a study uses.

    Raises:
      ValueError: if that is known only once the examples are loaded.

    Example:
      >>> from landscape import preset
      >>> from landscape.analysis.cost import training_examples
      >>> training_examples(preset("cnn-cifar10-paper"))
      40000

    References:
      Malviya et al. (2024), Table 1.
    """
    found = study.data.train_size or examples_of(study.data).labelled - study.data.validation_size
    if found <= 0:
        raise ValueError(f"how many training examples {study.data.name} has is not known before it is loaded")
    return found


def work(study: Study, base_epochs: float | None = None) -> Work:
    """The multiply-adds of a whole study, phase by phase.

    Args:
      study: its specification.
      base_epochs: how many epochs the base trains; None means all that it may.

    Raises:
      ValueError: if nothing on this computer describes the images, or the number of training examples is not known.

    Example:
      >>> from landscape import preset
      >>> from landscape.analysis.cost import work
      >>> [f"{part:.1e}" for part in work(preset("digits-mlp"))]
      ['1.7e+10', '2.1e+10', '1.1e+11', '6.3e+08']

    References:
      Malviya et al. (2024), Algorithm 1 and section A.2.
    """
    networks = members(study)
    whole, midpoint = multiply_adds(study), midpoint_multiply_adds(study)
    forward = [whole[each.index] for each in networks]
    epochs = [study.base_epochs if base_epochs is None else base_epochs, *(each.epochs for each in networks[1:])]
    walks = _total((midpoint[each.index] for each in networks), [len(each.checkpoints) for each in networks])
    moments = _total(forward, [len(each.moments) for each in networks])
    scored = _total(forward, [each.is_candidate for each in networks])
    batch = study.walk.batch_size
    return Work(
        train=float(study.seeds * _training(study, forward, epochs)),
        barriers=float(study.seeds * study.walk.permutations * batch * walks),
        curves=float(batch * moments * points(study)),
        proxies=float(study.seeds * PROXY_PASSES * len(proxies()) * batch * scored),
    )


def _training(study: Study, forward: list[int], epochs: list[float]) -> float:
    """The multiply-adds of training all networks of one seed, and of evaluating them before it and after each epoch."""
    steps = training_examples(study) * (1 + BACKWARD) * _total(forward, epochs)
    return steps + study.data.validation_size * _total(forward, [1 + each for each in epochs])


def points(study: Study) -> int:
    """At how many points between networks the loss is measured, of all seeds of a member at one moment.

    Example:
      >>> from landscape import preset
      >>> from landscape.analysis.cost import points
      >>> study = preset("digits-mlp")
      >>> points(study.scaled(seeds=20)) < 2 * points(study)  # one surface is shared
      True

    References:
      Malviya et al. (2024), figure 1, for curves and surfaces.
    """
    pairs = math.comb(min(study.walk.nodes, study.walk.permutations + 1), 2) + 4 * (study.seeds > 1)
    return study.seeds * pairs * len(ALPHAS) * len(SPLITS) + study.walk.surface**2


def _total(costs: Iterable[int], times: Iterable[float]) -> float:
    """The sum of what each network costs, as often as it does."""
    return sum(cost * count for cost, count in zip(costs, times, strict=True))


def estimate(study: Study, reference: xr.Dataset, seconds: float) -> float:
    """The wall time of a study, phase by phase in proportion to a result that has been computed.

    The compilation of the proxies counts once. The training of the base counts in full, though early stopping may end
    it sooner.

    Args:
      study: the specification of the study that is asked for.
      reference: the result of another study, or of this one.
      seconds: how long the reference took in all.

    Raises:
      ValueError: if nothing on this computer describes the images, or the reference does not hold its times.

    Example:
      >>> import landscape
      >>> from landscape.analysis.cost import estimate
      >>> study, result = landscape.preset("digits-mlp"), landscape.open_study("digits-mlp")
      >>> twice = estimate(study.scaled(seeds=20), result, seconds=80)
      >>> 150 < twice < 170
      True

    References:
      Malviya et al. (2024), Table 4, compare times too.
    """
    known = study_of(reference)
    by_phase = reference["seconds"].sum(("seed", "model"), skipna=False) + reference["control_seconds"].sum("seed")
    spent = by_phase.sel(phase=list(PHASES[:-1])).values
    scored = np.nansum(reference["proxy_seconds"].values) * 2
    compiled = np.nansum(reference["proxy_compile_seconds"].values)
    spent = np.array([*spent, scored])
    if not np.isfinite(spent).all() or spent.sum() <= 0:
        raise ValueError(f"the result of {known.name} does not hold how long it took")
    trained = float(reference["base_train_loss"].notnull().sum("base_epoch").mean())
    scale = np.array(work(study)) / np.maximum(work(known, trained), 1)
    ratio = seconds / (spent.sum() + compiled)
    return float(ratio * ((spent * scale).sum() + compiled))


def nearest(study: Study, others: Iterable[Study]) -> Study | None:
    """The study whose networks are nearest in kind and then in size; None where there is none.

    Of several with networks of the same size, it is one that walks the same group, and of these the one with the most
    work: compiling is a great part of the time of one that was only tried out, and in proportion to that a large one
    would take a hundred times too long.

    Studies whose multiply-adds cannot be counted here are passed over. One that trained no base says little of how long
    training takes, so it comes behind those of the same kind that did.

    Raises:
      ValueError: if the multiply-adds of the study itself cannot be counted.

    Example:
      >>> from landscape import preset
      >>> from landscape.analysis.cost import nearest
      >>> nearest(preset("minibert"), [preset("digits-mlp"), preset("tinybert")]).name
      'tinybert'
    """
    size = _size(study)

    def distance(other: Study) -> tuple[bool, bool, float, bool, float]:
        untrained, another_walk = other.base_epochs == 0 < study.base_epochs, other.walk.group != study.walk.group
        kind, difference = other.model.kind != study.model.kind, abs(_size(other) - size)
        return kind, untrained, difference, another_walk, -_amount(other)

    return min(filter(_countable, others), key=distance, default=None)


@lru_cache(maxsize=8192)
def _size(study: Study) -> float:
    """The logarithm of the multiply-adds of all networks; the same stored studies are compared with many others."""
    return math.log(sum(multiply_adds(study)))


@lru_cache(maxsize=8192)
def _amount(study: Study) -> float:
    """The multiply-adds of all that a study computes; 0 where they are not known."""
    try:
        return sum(work(study))
    except ValueError:
        return 0.0


def _countable(study: Study) -> bool:
    try:
        return bool(_size(study))
    except ValueError:
        return False
