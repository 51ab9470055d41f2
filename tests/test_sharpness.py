"""The Hessian by its products: against the whole matrix in NumPy, and the law that gradient descent imposes on it."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import example as explicit
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import Normalised, data

from landscape.barriers import sharpness as module
from landscape.barriers.sharpness import sharpness
from landscape.models.batch_norm import reestimated
from landscape.models.functional import Network, split
from landscape.models.mlp import mlp
from landscape.numerics.eigenvalues import hutchinson_trace, largest_eigenvalue
from landscape.numerics.loss import cross_entropy

pytestmark = pytest.mark.compiled_quickly

KEY = jax.random.key(0)


def symmetric(seed: int, size: int) -> np.ndarray:
    square = np.random.default_rng(seed).normal(size=(size, size))
    return square + square.T


@settings(max_examples=25)
@given(st.integers(0, 2**32), st.integers(2, 40))
@explicit(5445, 28)  # the two largest are −0.0004 and −0.65, where the smallest is −230: the iteration stops at −0.65
def test_the_largest_eigenvalue_is_the_one_of_the_whole_matrix(seed, size):
    """The largest, not that of largest modulus: where all are negative, the one nearest to 0, or one close to it."""
    for matrix in (symmetric(seed, size), -(symmetric(seed, size) @ symmetric(seed, size))):
        expected = np.linalg.eigvalsh(matrix)
        found = largest_eigenvalue(lambda v, matrix=matrix: matrix @ v, size, np.random.default_rng(1))
        assert found == pytest.approx(expected[-1], abs=0.05 * np.abs(expected).max())
        assert np.abs(found - expected).min() < 1e-3 * np.abs(expected).max(), "it is one of them"


def test_the_trace_has_the_mean_and_the_error_of_its_law():
    """The variance of vᵀHv over random signs is 2 Σ_{i≠j} H_ij² (Hutchinson, 1989)."""
    matrix = symmetric(0, 30)
    found = [hutchinson_trace(lambda v: matrix @ v, 30, np.random.default_rng(seed)) for seed in range(400)]
    variance = 2 * ((matrix**2).sum() - (np.diag(matrix) ** 2).sum()) / 64
    values, errors = np.array(found).T
    assert values.mean() == pytest.approx(np.trace(matrix), abs=4 * np.sqrt(variance / 400))
    assert values.var() == pytest.approx(variance, rel=0.3)
    assert (errors**2).mean() == pytest.approx(variance, rel=0.05)


def test_one_probe_has_no_error():
    with pytest.raises(ValueError, match="at least 2 probes; got 1"):
        hutchinson_trace(lambda v: v, 3, np.random.default_rng(0), probes=1)


def test_what_is_not_finite_or_does_not_converge_is_missing(monkeypatch):
    assert np.isnan(largest_eigenvalue(lambda v: v * np.nan, 4, np.random.default_rng(0)))
    monkeypatch.setattr("landscape.numerics.eigenvalues.RESTARTS", 1)
    nearly_equal = np.linspace(1, 1 + 1e-3, 500)
    monkeypatch.setattr("landscape.numerics.eigenvalues.TOLERANCE", 1e-12)
    assert np.isnan(largest_eigenvalue(lambda v: nearly_equal * v, 500, np.random.default_rng(0)))


def slope(flat: np.ndarray, x: np.ndarray, y: np.ndarray, units: int) -> np.ndarray:
    """The gradient of the mean cross-entropy of a network with one hidden layer of relu, by hand in float64."""
    features, classes = x.shape[1], 3
    cuts = np.cumsum([units, features * units, classes])  # in the order of the names: bias, kernel of each layer
    bias, kernel, bias_out, kernel_out = np.split(flat, cuts)
    kernel, kernel_out = kernel.reshape(features, units), kernel_out.reshape(units, classes)
    before = x @ kernel + bias
    logits = np.maximum(before, 0) @ kernel_out + bias_out
    error = np.exp(logits - logits.max(1, keepdims=True))
    error = (error / error.sum(1, keepdims=True) - np.eye(classes)[y]) / len(x)
    back = (error @ kernel_out.T) * (before > 0)
    parts = (back.sum(0), x.T @ back, error.sum(0), np.maximum(before, 0).T @ error)
    return np.concatenate([part.ravel() for part in parts])


def test_it_is_that_of_the_whole_matrix_in_numpy(monkeypatch):
    """Central differences of the gradient by hand; the batch in slices of 8 of its 20 examples."""
    rng, units = np.random.default_rng(0), 5
    x, y = rng.normal(size=(20, 4)), rng.integers(3, size=20)
    model = mlp(4, (units,), 3, nnx.Rngs(0))
    weights = split(model).weights
    paths = ("hidden1.bias", "hidden1.kernel", "head.bias", "head.kernel")
    flat = np.concatenate([np.asarray(weights[path], np.float64).ravel() for path in paths])
    steps = 1e-6 * np.eye(flat.size)
    hessian = np.array([slope(flat + step, x, y, units) - slope(flat - step, x, y, units) for step in steps]) / 2e-6
    monkeypatch.setattr(module, "_examples_at_once", lambda *_: 8)
    found = sharpness(model, x.astype(np.float32), y, key=KEY)
    assert found.largest == pytest.approx(np.linalg.eigvalsh((hessian + hessian.T) / 2)[-1], rel=1e-3)
    generator = np.random.default_rng(0)
    probes = [generator.choice([-1.0, 1.0], flat.size) for _ in range(2000)]
    error = np.std([probe @ hessian @ probe for probe in probes]) / 8  # of 64 probes
    assert found.trace == pytest.approx(np.trace(hessian), abs=4 * error)
    assert found.trace_error == pytest.approx(error, rel=0.4)


def test_statistics_of_the_batch_are_those_of_the_whole_batch():
    model = reestimated(Normalised(35, 4, 10))
    examples = data().train
    assert module._examples_at_once(model, examples.inputs, examples.targets) == len(examples)


def test_a_network_that_is_not_finite_has_none():
    network = split(mlp(4, (5,), 3, nnx.Rngs(0)))
    broken = network.replace({path: array * jnp.nan for path, array in network.weights.items()}).module()
    assert np.isnan(sharpness(broken, np.ones((2, 4), np.float32), np.array([0, 1]), key=KEY)).all()


@partial(jax.jit, static_argnames="steps")
def descended(network: Network, inputs: jax.Array, targets: jax.Array, rate: float, steps: int) -> Network:
    """Full-batch gradient descent."""

    def step(network: Network, _: None) -> tuple[Network, None]:
        gradient = jax.grad(lambda network: cross_entropy(network.logits(inputs), targets))(network)
        return jax.tree.map(lambda weight, change: weight - rate * change, network, gradient), None

    return jax.lax.scan(step, network, None, length=steps)[0]


def test_gradient_descent_ends_at_the_edge_of_stability():
    """λ_max goes to 2/η whatever η is (Cohen et al., 2021).

    Every image has two labels, so that the loss has a minimum that finite weights reach: where all examples can be
    fitted, the Hessian of the cross-entropy fades away again.
    """
    images, labels = data().train.inputs[:24], data().train.targets[:24]
    inputs, targets = jnp.concatenate([images, images]), jnp.concatenate([labels, (labels + 1) % 10])
    start = split(mlp(35, (16,), 10, nnx.Rngs(0)))
    for rate in (0.4, 0.2):
        end = descended(start, inputs, targets, rate, 4000)
        before, after = (sharpness(each.module(), inputs, targets, key=KEY).largest for each in (start, end))
        assert before < 0.5 * 2 / rate
        assert after == pytest.approx(2 / rate, rel=0.1)
