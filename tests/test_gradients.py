"""Gradients in slices against those of the whole batch, taken without any of what makes them fast."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from networks import batch, trained

from landscape.data import Split
from landscape.models.functional import Network, split, trainable
from landscape.numerics import microbatch
from landscape.numerics.loss import IGNORED, cross_entropy
from landscape.training.gradients import loss_and_gradients

pytestmark = [pytest.mark.slow, pytest.mark.compiled_quickly]


class Convolved(nnx.Module):
    """A convolution with batch normalisation."""

    def __init__(self):
        rngs = nnx.Rngs(0)
        self.conv, self.norm = nnx.Conv(1, 3, (3, 3), rngs=rngs), nnx.BatchNorm(3, momentum=0.5, rngs=rngs)
        self.head = nnx.Linear(3, 10, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.head(nnx.relu(self.norm(self.conv(x))).mean((1, 2)))


@jax.jit
@jax.value_and_grad
def of_batch(network: Network, inputs: np.ndarray, targets: np.ndarray) -> jax.Array:
    return cross_entropy(network.logits(inputs), targets)


def program() -> Callable[..., Any]:
    """`loss_and_gradients` compiled anew, for slices of the size that a test has set."""
    return jax.jit(lambda *arguments: loss_and_gradients(*arguments))


@pytest.mark.parametrize("bytes_of_a_slice", [1, 20_000, 2**30])
@pytest.mark.parametrize("name", ["mlp1", "cnn1", "cnn2"])
def test_slices_add_up_to_the_gradient_of_the_batch(name, bytes_of_a_slice, monkeypatch):
    """An example a slice, some, or all; the last slice is filled up, and some targets do not count."""
    monkeypatch.setattr(microbatch, "SLICE_BYTES", bytes_of_a_slice)
    inputs, targets = (np.asarray(each)[:13] for each in batch())
    targets = np.where(np.arange(13) % 4 == 1, IGNORED, targets)
    network = split(trained(name))
    weights = network.weights

    loss, gradient = of_batch(network, inputs, targets)
    gradient = gradient.weights
    value, moved, found = program()(network, weights, jax.device_put(Split(inputs, targets)))
    assert float(value) == pytest.approx(float(loss), rel=1e-5)
    jax.tree.map(np.testing.assert_array_equal, moved, weights)
    scale = {path: float(jnp.abs(array).max()) for path, array in gradient.items()}
    for path in weights:
        np.testing.assert_allclose(found[path], gradient[path], rtol=1e-4, atol=1e-5 * scale[path], err_msg=path)


@pytest.mark.parametrize("bytes_of_a_slice", [1, 2**30])
def test_a_batch_with_nothing_to_predict_has_loss_and_gradient_0(bytes_of_a_slice, monkeypatch):
    monkeypatch.setattr(microbatch, "SLICE_BYTES", bytes_of_a_slice)
    inputs, targets = batch()
    network = split(trained("cnn1"))
    nothing = jax.device_put(Split(inputs, np.full(targets.shape, IGNORED)))
    value, _, gradients = program()(network, network.weights, nothing)
    assert float(value) == 0
    assert not any(array.any() for array in gradients.values())


def test_a_network_with_statistics_of_the_batch_is_not_sliced(monkeypatch):
    """They move as its layers, run on the whole batch, move them."""
    monkeypatch.setattr(microbatch, "SLICE_BYTES", 1)
    inputs, targets = batch()
    model = Convolved()
    network = split(model)
    weights = network.weights
    parameters = {path: weights[path] for path in trainable(model)}
    _, moved, _ = program()(network, parameters, jax.device_put(Split(inputs, targets)))
    whole = network.module()
    whole.train()
    whole(inputs)
    expected = split(whole).weights
    assert any(not np.array_equal(expected[path], weights[path]) for path in weights)
    jax.tree.map(np.testing.assert_allclose, moved, expected)
