"""Flax NNX networks, each with its table of unit groups, their symmetries and exact expansions.

A model joins the explorer by one method, `groups()`, which lists its unit groups (`symmetry.Group`). Three more are
optional: `cut(group)` opens the network at a group where an exact fast barrier exists, or returns None (`cut.Cut`);
`opened(group)` tells which part of a network without a cut the group touches; `deepened(after, name)` inserts a layer
or block that leaves the function unchanged.
"""

from __future__ import annotations

import math

from flax import nnx

from landscape.models.bert import Bert
from landscape.models.cnn import cnn
from landscape.models.mlp import mlp
from landscape.models.resnet import ResNet
from landscape.study.spec import BertSpec, CnnSpec, MlpSpec, ResNetSpec


def build(
    spec: MlpSpec | CnnSpec | ResNetSpec | BertSpec, shape: tuple[int, ...], classes: int, rngs: nnx.Rngs
) -> nnx.Module:
    """The base model of a study for inputs of `shape` (without the batch axis).

    For text, `shape` is (sequence length,) and `classes` the size of the vocabulary. Raises ValueError for a
    shape that the model cannot read.
    """
    match spec:
        case MlpSpec():
            return mlp(math.prod(shape), spec.hidden, classes, rngs)
        case CnnSpec():
            if len(shape) != 3 or min(shape[:2]) < 2:
                raise ValueError(f"a CNN needs images of (height, width, channels), at least 2×2; got shape {shape}")
            return cnn(shape, spec.channels, spec.dense, classes, rngs)
        case ResNetSpec():
            if len(shape) != 3:
                raise ValueError(f"a ResNet needs images of (height, width, channels); got shape {shape}")
            return ResNet(shape[-1], spec.width, classes, rngs)
        case BertSpec():
            if len(shape) != 1:
                raise ValueError(f"BERT needs sequences of tokens, of shape (length,); got shape {shape}")
            return Bert(spec.hidden, spec.heads, spec.ffn, classes, shape[0], rngs)
