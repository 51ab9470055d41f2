"""The tiny network: two inputs, one hidden layer of relu units, two logits."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike
from scipy.special import logsumexp


class Tiny(NamedTuple):
    """The parameters θ of the tiny network, or of many at once along leading axes."""

    kernel: Float[np.ndarray, "... 2 units"]
    bias: Float[np.ndarray, "... units"]
    head: Float[np.ndarray, "... units 2"]
    head_bias: Float[np.ndarray, "... 2"]

    @property
    def units(self) -> int:
        """The number l of hidden units."""
        return self.bias.shape[-1]


class Batch(NamedTuple):
    """Points in the plane and the class of each."""

    inputs: Float[np.ndarray, "b 2"]
    targets: Int[np.ndarray, " b"]


def hidden(network: Tiny, inputs: Float[np.ndarray, "b 2"]) -> Float[np.ndarray, "... b units"]:
    """The activations of the hidden units."""
    return np.maximum(inputs @ network.kernel + network.bias[..., None, :], 0)


def logits(network: Tiny, inputs: Float[np.ndarray, "b 2"]) -> Float[np.ndarray, "... b 2"]:
    """What the network computes: a logit for each class.

    Example:
      >>> import numpy as np
      >>> from landscape.lessons.network import Tiny, logits
      >>> network = Tiny(np.eye(2), np.zeros(2), np.eye(2), np.ones(2))
      >>> logits(network, np.array([[3.0, -1.0]]))
      array([[4., 1.]])
    """
    return hidden(network, inputs) @ network.head + network.head_bias[..., None, :]


def probability(network: Tiny, inputs: Float[np.ndarray, "b 2"]) -> Float[np.ndarray, "... b"]:
    """The probability of class 1 at each point."""
    values = logits(network, inputs)
    return np.exp(values[..., 1] - logsumexp(values, axis=-1))


def loss(network: Tiny, batch: Batch) -> Float[np.ndarray, ...]:
    """L(θ): the mean cross-entropy on the batch, in nats."""
    values = logits(network, batch.inputs)  # ... b 2
    right = np.take_along_axis(values, np.broadcast_to(batch.targets[:, None], (*values.shape[:-1], 1)), -1)[..., 0]
    return (logsumexp(values, axis=-1) - right).mean(-1)


def take(network: Tiny, index: Int[np.ndarray, "... units"], shares: ArrayLike = 1.0) -> Tiny:
    """The network whose unit j is a copy of unit index[j], with that share of its outgoing weights.

    A permutation is an index without repetition and with shares of 1; an index that repeats units widens the network.

    Args:
      network: a single network of l units.
      index: of shape (..., k): one row a network to make, with units from 0 to l − 1.
      shares: of shape (k,); those of all copies of a unit must add up to 1 for the function to stay the same.

    Example:
      >>> import numpy as np
      >>> from landscape.lessons.network import Tiny, take
      >>> network = Tiny(np.eye(2), np.zeros(2), np.eye(2), np.ones(2))
      >>> take(network, np.array([1, 0])).kernel
      array([[0., 1.],
             [1., 0.]])
    """
    kernel = np.moveaxis(network.kernel[:, index], 0, -2)  # ... 2 k
    scale = np.broadcast_to(shares, index.shape[-1:])[:, None]
    return Tiny(kernel, network.bias[index], network.head[index] * scale, network.head_bias)


def mixed(first: Tiny, second: Tiny, alpha: ArrayLike) -> Tiny:
    """(1 − α) θ₁ + α θ₂, the network at α on the line from the first to the second; or one for each α."""
    alphas = np.asarray(alpha, np.float64)

    def between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        weight = alphas.reshape(*alphas.shape, *[1] * a.ndim) if alphas.ndim else alphas
        return (1 - weight) * a + weight * b

    return Tiny(*map(between, first, second))


def vector(network: Tiny) -> Float[np.ndarray, " p"]:
    """All parameters of a single network in a row: a point in parameter space."""
    return np.concatenate([np.ravel(each) for each in network])
