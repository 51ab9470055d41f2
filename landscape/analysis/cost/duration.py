"""How long a study takes on a processor: what it does, at the pace of one computer, and how this one compares to that.

The pace is that of two cores of an AMD EPYC with nothing else to do. It came from `python -m benchmarks` (a midpoint's
multiply-adds and logits, a step of training) and from the phases of shipped results. What this computer has computed
says how its own differs. `landscape.analysis.cost` counts; sections are those of Malviya et al. (2024), arXiv
2405.15895.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from landscape.analysis import cost
from landscape.data.shapes import examples_of
from landscape.store.entries import Entry
from landscape.study import Study
from landscape.study.kinds import Layer
from landscape.study.member import Member, members
from landscape.study.predictors import proxies
from landscape.study.schema import PHASES

START = 6.0  # seconds until the first task runs, and in which the result is written
COMPILE = 0.8  # seconds for a layer of each network, all programs together
# units of dense layers and of convolutions to multiples of which networks up to so many weights are filled, to share
# programs
FILLED, CHANNELS, MOST = 32, 8, 2**13
MULTIPLY_ADD = 8e-12  # seconds
READ = 2e-10  # seconds for each number that a layer reads at a place: few units share the price of it, many hide it
LOGIT = 1.7e-9  # seconds: its exponential and its share of a mean
STEP, PARAMETER = 1e-4, 3e-9  # seconds of a step of training, and of the optimiser for each parameter
CALL = 0.02  # seconds of a walk beside its midpoints
ROTATION = 2.5e-10  # seconds of a multiply-add of the decomposition in Jacov, in float64
TRAINING = (3 * 1.25 * MULTIPLY_ADD, 3 * 3 * READ, 3 * 2 * LOGIT)  # of an example that goes forward and back


class Expected(NamedTuple):
    """The wall time that a study is expected to take on this computer.

    Attributes:
      seconds: the wall time.
      reference: the result that was computed here and says how fast this computer is; None without one.
    """

    seconds: float
    reference: Entry | None


def seconds(study: Study) -> float:
    """The wall time of a study on two idle cores of an AMD EPYC, computed by one process with nothing compiled before.

    The training of the base counts in full, though early stopping may end it sooner.

    Raises:
      ValueError: if nothing on this computer describes the images, or the number of training examples is not known.

    Example:
      >>> from landscape import preset
      >>> from landscape.analysis.cost.duration import seconds
      >>> study = preset("digits-mlp")
      >>> seconds(study) < seconds(study.scaled(seeds=20)) < 2 * seconds(study)
      True

    References:
      Malviya et al. (2024), Algorithm 1 and section A.2, for what is computed.
    """
    return START + COMPILE * layers_compiled(study) + sum(phases(study).values())


def layers_compiled(study: Study) -> int:
    """The layers of the networks for which programs are compiled: small networks of all widths share theirs.

    Raises:
      ValueError: as `seconds` does.

    Example:
      >>> from landscape import preset
      >>> from landscape.analysis.cost.duration import layers_compiled
      >>> layers_compiled(preset("digits-mlp")), layers_compiled(preset("cnn-cifar10"))
      (2, 24)

    References:
      The rule is this project's own (`landscape.models.expansion.filling`). Malviya et al. (2024), Table 2: networks.
    """
    return sum(map(len, {_structure(layers) for layers in cost.linear_layers(study)}))


def _structure(layers: Iterable[Layer]) -> tuple[tuple[int, int, int], ...]:
    """Units, inputs and places of a network's layers as they are compiled."""
    found = [layer for layer in layers if layer.places]
    units, inputs = [layer.units for layer in found], [layer.fan_in for layer in found]
    if sum(layer.parameters for layer in found) <= MOST:
        steps = [CHANNELS if layer.places > 1 else FILLED for layer in found[:-1]]
        filled = [-(-each // step) * step for each, step in zip(units, steps, strict=False)]
        inputs[1:] = [read // own * more for read, own, more in zip(inputs[1:], units, filled, strict=False)]
        units[:-1] = filled
    return tuple(zip(units, inputs, (layer.places for layer in found), strict=True))


def phases(study: Study) -> dict[str, float]:
    """The seconds of each phase of a study without those of compiling, as `seconds` counts them.

    Raises:
      ValueError: as `seconds` does.

    Example:
      >>> from landscape import preset
      >>> from landscape.analysis.cost.duration import phases
      >>> found = phases(preset("cnn-cifar10"))
      >>> max(found, key=found.get)
      'train'

    References:
      Malviya et al. (2024), Table 4, compare times too.
    """
    layers, midpoints = cost.linear_layers(study), cost.midpoint_multiply_adds(study)
    found = dict.fromkeys(PHASES, 0.0)
    for member in members(study):
        own = layers[member.index]
        forward = _passed(own, MULTIPLY_ADD, READ, LOGIT)
        found["train"] += _training(member, own, forward)
        found["barriers"] += len(member.checkpoints) * _walk(study, own, midpoints[member.index])
        found["curves"] += len(member.moments) * study.walk.batch_size * cost.points(study) / study.seeds * forward
        found["proxies"] += member.is_candidate * _proxies(study, own)
    return {phase: study.seeds * each for phase, each in found.items()}


def expected(study: Study, known: Iterable[Entry]) -> Expected:
    """The wall time of a study on this computer, in proportion to that of the nearest that it has computed.

    Without any, it is `seconds`. Results that were shipped, uploaded or partly taken from other studies say nothing of
    this computer, and those of a GPU nothing of its processor.

    Raises:
      ValueError: as `seconds` does.

    Example:
      >>> from landscape import preset
      >>> from landscape.analysis.cost.duration import expected, seconds
      >>> study = preset("digits-mlp")
      >>> expected(study, []).seconds == seconds(study)
      True

    References:
      The rule is this project's own; Malviya et al. (2024), Table 4, compare times.
    """
    here = {each.study: each for each in known if each.timed_here and not (each.shipped or each.timed_on_gpu)}
    nearest = cost.nearest(study, here)
    if nearest is None:
        return Expected(seconds(study), None)
    reference = here[nearest]
    return Expected(seconds(study) * float(reference.record["seconds"]) / seconds(nearest), reference)


def _passed(layers: list[Layer], multiply_add: float, read: float, logit: float) -> float:
    """The seconds of one example in a network at these prices."""
    products = sum(layer.multiply_adds for layer in layers)
    reads = sum(layer.fan_in * layer.places for layer in layers)
    return multiply_add * products + read * reads + logit * layers[-1].units * layers[-1].places


def _training(member: Member, layers: list[Layer], forward: float) -> float:
    """The seconds of training one network, and of evaluating it before that and after each epoch."""
    study, examples = member.study, cost.training_examples(member.study)
    step = STEP + PARAMETER * sum(layer.parameters for layer in layers)
    epoch = examples // study.training.batch_size * step + examples * _passed(layers, *TRAINING)
    return member.epochs * epoch + (1 + member.epochs) * study.data.validation_size * forward


def _walk(study: Study, layers: list[Layer], midpoint: int) -> float:
    """The seconds of one walk, whose midpoints see the part of the network that follows the group."""
    share = midpoint / max(1, sum(layer.multiply_adds for layer in layers))
    one = _passed(layers, MULTIPLY_ADD * share, READ * share, LOGIT)
    return CALL + study.walk.permutations * study.walk.batch_size * one


def _proxies(study: Study, layers: list[Layer]) -> float:
    """The seconds of the proxies of one candidate, each of which runs twice."""
    batch, features = study.walk.batch_size, math.prod(examples_of(study.data).shape)
    jacov = ROTATION * batch * features * min(batch, features)
    return 2 * (len(proxies()) * batch * _passed(layers, *TRAINING) + jacov)
