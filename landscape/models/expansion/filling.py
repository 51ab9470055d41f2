"""Networks filled up with dead units, so that networks of different widths share their compiled programs.

A unit whose incoming weights, bias and outgoing weights are all 0 sends nothing on. Where its activation maps 0 to 0,
the gradients of all of them are 0 as well, ∂L/∂W_out = h δ with h = 0 and ∂L/∂W_in = x σ'(0) W_out δ with W_out = 0,
and Adam leaves a parameter of 0 with gradients of 0 where it is, with and without weight decay. So such units stay
dead, and whatever follows from losses and their gradients is that of the network itself, up to the order of sums. What
follows from second derivatives need not be: that with respect to W_in and W_out is x σ'(0) δ.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from flax import nnx
from jaxtyping import Int

from landscape.models.functional import Network, Weights, split
from landscape.models.net2net import pad
from landscape.models.symmetry import Group, retaken, unit_groups
from landscape.numerics.structure import once_a_structure

STEP, CHANNELS = 32, 8  # units of a dense layer, and of a convolution: each group gets a multiple of them
# Weights of a network filled up, beyond which computing outweighs the compiling that is saved: one width takes about 3
# seconds of a processor to compile, and a step of 100 digits 45 µs with 32 units, where it takes 33 µs with 7.
MOST = 2**13


class Filling(NamedTuple):
    """How networks of one structure are filled up.

    network: the structure with dead units, shapes in place of its arrays; sizes: the units of each group, dead ones
    included; places: where the entries of each array stand among those of the larger one, counted as if that were flat.
    Both are empty where nothing is filled up.
    """

    network: Network
    sizes: Mapping[str, int]
    places: Mapping[str, Int[np.ndarray, ...]]

    def module(self, weights: Mapping[str, Any]) -> Any:
        """The network of these weights with dead units.

        Example:
          >>> import jax.numpy as jnp
          >>> from flax import nnx
          >>> from landscape.models.expansion.filling import filling
          >>> from landscape.models.functional import split
          >>> from landscape.models.mlp import mlp
          >>> model, x = mlp(4, (5,), 3, nnx.Rngs(0)), jnp.ones((1, 4))
          >>> filled = filling(split(model)).module(split(model).weights)
          >>> filled.hidden1.kernel.shape, bool(jnp.allclose(filled(x), model(x), atol=1e-6))
          ((4, 32), True)
        """
        return self.network.replace(self.weights(weights)).module()

    def weights(self, weights: Mapping[str, Any]) -> Weights:
        """These weights with those of the dead units, which are 0, in the memory of the device."""
        larger = {path: self._filled(path, weights[path]) for path in self.places}
        return jax.device_put({**weights, **larger})

    def cut(self, weights: Weights) -> Weights:
        """The weights without those of the dead units, which are in the memory of the host then."""
        return weights | {path: np.asarray(weights[path]).ravel()[where] for path, where in self.places.items()}

    def permutations(self, of_units: Int[np.ndarray, "n units"], group: str) -> Int[np.ndarray, "n filled"]:
        """Permutations of a group that leave its dead units where they are."""
        n, units = of_units.shape
        dead = np.arange(units, self.sizes.get(group, units))
        return np.concatenate([of_units, np.tile(dead, (n, 1))], axis=1)

    def _filled(self, path: str, array: Any) -> np.ndarray:
        like = self.network.weights[path]
        filled = np.zeros(like.size, like.dtype)
        filled[self.places[path]] = array
        return filled.reshape(like.shape)


@once_a_structure
def filling(network: Network) -> Filling:
    """How a network is filled up: not at all unless it is small and of a class whose dead units stay dead.

    Such a class says so by an attribute `dead_units_stay`, as `landscape.models.chain.Chain` does. How far a network is
    filled up follows from its own structure alone, and so do the last digits of all that is computed of it: a study
    with other candidates finds the same.
    """
    shapes = _shapes(network)
    model = shapes.module()
    if not getattr(model, "dead_units_stay", False) or _size(network) > MOST:
        return Filling(shapes, {}, {})
    larger = _shapes(split(_larger(network)))
    if _size(larger) > MOST:
        return Filling(shapes, {}, {})
    groups = unit_groups(model)
    sizes = {name: group.size(larger.weights) for name, group in groups.items()}
    places = {path: np.arange(array.size).reshape(array.shape) for path, array in larger.weights.items()}
    for group in groups.values():
        places = retaken(places, group, np.arange(group.size(network.weights)))
    return Filling(larger, sizes, places)


def _shapes(network: Network) -> Network:
    return jax.tree.map(lambda array: jax.ShapeDtypeStruct(array.shape, array.dtype), network)


def _size(network: Network) -> int:
    return sum(array.size for array in network.weights.values())


def _larger(network: Network) -> nnx.Module:
    """A network of the filled-up structure, whose weights mean nothing."""
    zeros = {path: np.zeros(array.shape, array.dtype) for path, array in network.weights.items()}
    model = network.replace(zeros).module()
    for name, group in unit_groups(model).items():
        units, step = group.size(network.weights), _step(network, group)
        if units % step:
            model = pad(model, name, units + -units % step, dict.fromkeys(zeros, 0.0))
    return model


def _step(network: Network, group: Group) -> int:
    convolved = any(network.weights[axis.path].ndim > 2 for axis in group.produces)
    return CHANNELS if convolved else STEP
