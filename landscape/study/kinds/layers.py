"""The linear layers of a network, for counting its parameters and multiply-adds without building it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Layer(NamedTuple):
    """A linear layer: `places` dot products of length `fan_in` for each of its `units`.

    Attributes:
      name: unique in its network, except for normalisations.
      units: the number of outputs, features or channels.
      fan_in: the length of one dot product, such as 9c in a 3×3 convolution of c channels; 0 where there is none.
      places: at how many pixels or tokens of one example each unit is computed.
      own: whether the weights are parameters of this layer, and not activations or the weights of another layer.
      beside: the number of further parameters of each unit: 1 for a bias, 2 for scale and bias of a normalisation.
      reads: the unit group whose units the layer multiplies, if the fast barrier opens the network in front of the
        layer (`landscape.models.cut`); None for every other layer.

    Example:
      >>> from landscape import Layer
      >>> layer = Layer("hidden1", units=6, fan_in=64, places=1)
      >>> layer.parameters, layer.multiply_adds
      (390, 384)
    """

    name: str
    units: int
    fan_in: int
    places: int
    own: bool = True
    beside: int = 1
    reads: str | None = None

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of one example in a forward pass."""
        return self.units * self.fan_in * self.places

    @property
    def parameters(self) -> int:
        """Trainable parameters: weights, biases and scales."""
        return self.units * (self.fan_in * self.own + self.beside)


def dense_layers(sizes: Mapping[str, int], features: int, classes: int, reads: str | None = None) -> list[Layer]:
    """A chain of dense layers: the unit groups of `sizes` in their order, then the head with its `classes`.

    The first layer has `features` inputs and reads the group `reads`; each other layer reads the one before it.

    Example:
      >>> from landscape.study.kinds.layers import dense_layers
      >>> [layer.parameters for layer in dense_layers({"hidden1": 6}, 64, 10)]
      [390, 70]
    """
    layers = []
    for name, units in {**sizes, "head": classes}.items():
        layers.append(Layer(name, units, features, 1, reads=reads))
        features, reads = units, name
    return layers


def in_order(names: Iterable[str]) -> list[str]:
    """The names of layers of one sort from the input on, with an inserted `conv2_1` right behind `conv2`.

    Example:
      >>> from landscape.study.kinds.layers import in_order
      >>> in_order(["conv10", "conv2", "conv2_1"])
      ['conv2', 'conv2_1', 'conv10']
    """
    return sorted(names, key=lambda name: [int(number) for number in re.findall(r"\d+", name)])
