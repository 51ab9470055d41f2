"""The memory and the disk space that a study needs, before it starts: from its specification alone."""

from __future__ import annotations

import math
from typing import NamedTuple

from landscape.analysis.cost import linear_layers, parameters, training_examples
from landscape.data.shapes import examples_of
from landscape.study import Study
from landscape.study.member import members

FLOAT = 4  # bytes of a weight
COPIES = 4  # of the weights while they are trained: themselves, their gradients, and the optimiser's two moments
PASSES = 2  # activations that are held at once: of the forward pass, and what goes back


class Footprint(NamedTuple):
    """What a study needs at least, in bytes.

    Attributes:
      memory: of the process that trains its largest network: weights, gradients, moments, activations of one batch,
        and the examples. Imports and compiled programs come on top, about half a gigabyte.
      disk: of the checkpoints that are kept until the study is finished.
      least: of that memory what no slicing of a batch saves: all but the activations.
    """

    memory: float
    disk: float
    least: float


def footprint(study: Study) -> Footprint:
    """The memory and the disk space that a study needs at least.

    Raises:
      ValueError: if nothing on this computer describes the examples, or it is not known how many there are.

    Example:
      >>> from landscape import preset
      >>> from landscape.jobs.footprint import footprint
      >>> small, large = footprint(preset("digits-mlp")), footprint(preset("cnn-cifar10-paper"))
      >>> small.memory < 10e6 < 100e6 < large.memory
      True
    """
    counts, layers, examples = parameters(study), linear_layers(study), examples_of(study.data)
    activations = max(sum(layer.units * layer.places for layer in network) for network in layers)
    batch = max(study.training.batch_size, study.walk.batch_size)
    held = (training_examples(study) + study.data.validation_size) * math.prod(examples.shape)
    least = COPIES * max(counts) + held
    memory = least + PASSES * batch * activations
    kept = sum(counts[each.index] * max(len(each.checkpoints), 2) for each in members(study))
    return Footprint(float(FLOAT * memory), float(FLOAT * study.seeds * kept), float(FLOAT * least))
