"""The kinds of models, one description each: groups, sizes, allowed expansions, costs, and how to build the network.

Imports `study` only. A kind names its network by a string, so that a description does not load JAX.
"""

from landscape.study.kinds.base import ModelSpec
from landscape.study.kinds.bert import BertSpec
from landscape.study.kinds.cnn import CnnSpec
from landscape.study.kinds.layers import Layer
from landscape.study.kinds.mlp import MlpSpec
from landscape.study.kinds.own import OwnSpec
from landscape.study.kinds.registry import KINDS, AnyModel, kinds_reading, model_spec, register_model
from landscape.study.kinds.resnet import ResNetSpec

for _kind in (MlpSpec, CnnSpec, ResNetSpec, BertSpec, OwnSpec):
    register_model(_kind)

__all__ = [
    "KINDS",
    "AnyModel",
    "BertSpec",
    "CnnSpec",
    "Layer",
    "MlpSpec",
    "ModelSpec",
    "OwnSpec",
    "ResNetSpec",
    "kinds_reading",
    "model_spec",
    "register_model",
]
