"""Small trained networks of every kind, one batch of data, and a NumPy network to compare with."""

from __future__ import annotations

import math
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from scipy.special import logsumexp

from landscape.data import Data, Split
from landscape.data import load as load_data
from landscape.models.functional import Network, split
from landscape.models.symmetry import Axis, Group
from landscape.numerics.loss import cross_entropy
from landscape.study.examples import DataSpec
from landscape.study.kinds import CnnSpec, MlpSpec

SPECS = {
    "mlp1": MlpSpec(kind="mlp", hidden=(6,)),
    "mlp2": MlpSpec(kind="mlp", hidden=(7, 5)),
    "cnn1": CnnSpec(kind="cnn", channels=(4,), dense=(5,)),
    "cnn2": CnnSpec(kind="cnn", channels=(4, 5), dense=()),
    "cnn4": CnnSpec(kind="cnn", channels=(4, 4, 4, 5), dense=(6,)),
}
FEW = ("mlp2", "cnn2")  # on every run; all of them where slow tests are run
GROUPS = [
    pytest.param(name, group, marks=() if name in FEW else pytest.mark.slow)
    for name, spec in SPECS.items()
    for group in spec.group_sizes()
]


@cache
def data() -> Data:
    """Digits cut to 7×5 pixels, so that pooling drops a row and a column."""
    digits = load_data(DataSpec(train_size=100, validation_size=30))
    return Data(*(Split(images[:, :7, 2:7], labels) for images, labels in digits[:2]), digits.classes)


@cache
def batch() -> tuple[np.ndarray, np.ndarray]:
    """The inputs and targets on which losses are compared."""
    return data().train.inputs[:24], data().train.targets[:24]


def initial(name: str, seed: int) -> Network:
    """A network of `SPECS` with normal weights, drawn on the host, which compiles nothing."""
    shape = data().train.inputs.shape[1:]
    network = split(nnx.eval_shape(lambda: SPECS[name].build(shape, data().classes, nnx.Rngs(0))))
    rng = np.random.default_rng(seed)
    shapes = network.weights.items()
    drawn = {path: rng.normal(size=leaf.shape) / math.sqrt(leaf.size / leaf.shape[-1]) for path, leaf in shapes}
    return network.replace({path: jnp.asarray(array.astype(np.float32)) for path, array in drawn.items()})


@cache
def trained(name: str, seed: int = 0) -> nnx.Module:
    """A network of `SPECS` after 20 steps of gradient descent: far from symmetric, biases not zero."""
    network = initial(name, seed)
    for _ in range(20):
        network = step(network, *data().train)
    return network.module()


@jax.jit
def step(network: Network, inputs: np.ndarray, targets: np.ndarray) -> Network:
    slope = jax.grad(lambda network: cross_entropy(network.logits(inputs), targets))(network)
    return jax.tree.map(lambda weight, change: weight - 0.2 * change, network, slope)


def outputs(model: nnx.Module) -> np.ndarray:
    """Logits on the batch."""
    return np.asarray(model(jnp.asarray(batch()[0])))


def as_float64(model: nnx.Module) -> nnx.Module:
    """The same network in double precision; use it under `jax.enable_x64`."""
    return jax.tree.map(lambda array: jnp.asarray(np.asarray(array, np.float64)), split(model)).module()


Plain = list[tuple[np.ndarray, np.ndarray]]  # kernel and bias of each layer in order


def plain(model: nnx.Module) -> Plain:
    """The chain's layers in float64."""
    weights = split(model).weights
    names = [link.name for link in model.links]
    return [tuple(np.asarray(weights[f"{name}.{part}"], np.float64) for part in ("kernel", "bias")) for name in names]


def forward(layers: Plain, x: np.ndarray) -> np.ndarray:
    """Table 2's network in NumPy: 3×3 convolutions, 2×2 pooling after the last of them, dense layers, relu."""
    for i, (kernel, bias) in enumerate(layers):
        convolutional = kernel.ndim == 4
        x = _convolve(x, kernel) + bias if convolutional else x.reshape(len(x), -1) @ kernel + bias
        if i + 1 < len(layers):
            x = np.maximum(x, 0)
        if convolutional and layers[i + 1][0].ndim == 2:
            x = np.stack([x[:, a : 6 + a : 2, b : 4 + b : 2] for a in (0, 1) for b in (0, 1)]).max(0)  # 7×5 -> 3×2
    return x


def _convolve(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    height, width = x.shape[1:3]
    padded = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
    shifted = [padded[:, i : i + height, j : j + width] @ kernel[i, j] for i in range(3) for j in range(3)]
    return np.sum(shifted, 0)


def loss(layers: Plain, x: np.ndarray, targets: np.ndarray) -> float:
    """Mean cross-entropy in NumPy."""
    logits = forward(layers, x.astype(np.float64))
    return float(np.mean(logsumexp(logits, axis=1) - logits[np.arange(len(logits)), targets]))


def permuted(layers: Plain, i: int, permutation: np.ndarray) -> Plain:
    """Reorder the units of layer i by hand: its columns and bias, and the next layer's rows."""
    changed = list(layers)
    kernel, bias = layers[i]
    changed[i] = (kernel[..., permutation], bias[permutation])
    following, next_bias = layers[i + 1]
    by_unit = following.reshape(*following.shape[:-2], -1, len(bias), following.shape[-1])  # pixels units out
    changed[i + 1] = (by_unit[..., permutation, :].reshape(following.shape), next_bias)
    return changed


def mixed(a: Plain, b: Plain, alpha: float) -> Plain:
    """α·a + (1−α)·b."""
    return [tuple(alpha * x + (1 - alpha) * y for x, y in zip(p, q, strict=True)) for p, q in zip(a, b, strict=True)]


class Normalised(nnx.Module):
    """A network as a user may bring it: batch normalisation, no cut, a table of one group."""

    def __init__(self, features: int, units: int, classes: int):
        rngs = nnx.Rngs(0)
        self.dense = nnx.Linear(features, units, rngs=rngs)
        self.norm = nnx.BatchNorm(units, momentum=0.9, rngs=rngs)
        self.head = nnx.Linear(units, classes, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.head(nnx.relu(self.norm(self.dense(x.reshape(len(x), -1)))))

    def groups(self) -> dict[str, Group]:
        produced = ("dense.bias", "norm.scale", "norm.bias", "norm.mean", "norm.var")
        axes = (Axis("dense.kernel", -1), *(Axis(path, 0) for path in produced))
        return {"dense": Group(axes, (Axis("head.kernel", -2),))}
