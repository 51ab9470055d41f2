from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from networks import GROUPS, Normalised, batch, loss, mixed, permuted, plain, trained
from scipy.special import log_softmax

from landscape.barriers.interpolation import interpolate, permuted_curves
from landscape.barriers.walk import permute
from landscape.models.functional import split
from landscape.models.site import Site

pytestmark = pytest.mark.compiled_quickly

ALPHAS = np.linspace(0, 1.25, 6)


def shuffles(model, group: str, n: int = 3) -> np.ndarray:
    rng = np.random.default_rng(0)
    units = model.groups()[group].size(split(model).weights)
    return np.stack([rng.permutation(units) for _ in range(n)])


@pytest.mark.parametrize("name", ["mlp2", "cnn2"])
def test_interpolation_follows_definition_1(name):
    """α = 1 is the first network, α = 0 the second, and between them weights mix."""
    a, b = trained(name, 0), trained(name, 1)
    curve = interpolate(a, b, ALPHAS, *batch())
    expected = [loss(mixed(plain(a), plain(b), alpha), *batch()) for alpha in ALPHAS]
    assert expected[0] == loss(plain(b), *batch())
    np.testing.assert_allclose(curve, expected, rtol=1e-5)
    np.testing.assert_allclose(interpolate(b, a, 1 - ALPHAS, *batch()), curve, rtol=1e-6)


def test_a_network_is_level_with_itself():
    model = trained("mlp1")
    np.testing.assert_allclose(interpolate(model, model, ALPHAS, *batch()), loss(plain(model), *batch()), rtol=1e-6)


def test_running_statistics_are_interpolated_too():
    """Networks that differ in nothing else."""
    network = split(Normalised(35, 5, 10))
    weights = network.weights
    moved = {"norm.mean": jnp.arange(5.0), "norm.var": 1 + jnp.arange(5.0)}
    expected = {path: (1 - 0.25) * weights[path] + 0.25 * array for path, array in moved.items()}
    networks = [network.replace(weights | some).module() for some in (moved, {}, expected)]
    curve = interpolate(*networks[:2], np.array([0.25, 0]), *batch())
    alone = interpolate(networks[2], networks[2], np.array([1.0]), *batch())
    assert float(curve[0]) == pytest.approx(float(alone[0]), rel=1e-6)
    assert abs(float(curve[1] - curve[0])) > 1e-3


@pytest.mark.parametrize(("name", "group"), GROUPS)
def test_permuted_curves_follow_the_definition(name, group):
    """Any permutation, also one that moves every unit, or undoes itself; P(θ, π) is at α = 1, and more beyond."""
    model = trained(name)
    permutations = np.concatenate([shuffles(model, group), shuffles(model, group, 1)])
    permutations[-1] = np.roll(np.arange(permutations.shape[1])[::-1], 1)
    curves = permuted_curves(model, permutations, ALPHAS[1:], *batch(), group=group)
    layer, own = list(model.groups()).index(group), plain(model)
    expected = [
        [loss(mixed(permuted(own, layer, each), own, alpha), *batch()) for alpha in ALPHAS[1:]] for each in permutations
    ]
    np.testing.assert_allclose(curves, expected, rtol=1e-5)
    np.testing.assert_allclose(curves[:, -2], loss(own, *batch()), rtol=1e-5)


@pytest.mark.parametrize("alphas", [[0, 1], [0.5], [0.25, 0.75, 0.3, 1]])
def test_a_curve_at_any_points_of_the_line(alphas):
    """Of disjoint swaps, whose line is the same from both ends, of a cycle, and of none; the ends have the loss."""
    model = trained("mlp1")
    permutations = np.array([[1, 0, 3, 2, 4, 5], [1, 2, 0, 3, 4, 5], [0, 1, 2, 3, 4, 5]])
    found = permuted_curves(model, permutations, np.array(alphas, float), *batch(), group="hidden1")
    copies = [permute(model, "hidden1", permutation) for permutation in permutations]
    expected = [interpolate(copy, model, np.array(alphas, np.float32), *batch()) for copy in copies]
    np.testing.assert_allclose(found, expected, atol=2e-6)


@pytest.mark.parametrize("has_cut", [True, False])
def test_permuted_curves_equal_interpolation_of_explicit_copies(has_cut, monkeypatch):
    model = trained("cnn1")
    permutations = shuffles(model, "conv1")
    copies = [permute(model, "conv1", each) for each in permutations]
    if not has_cut:
        monkeypatch.setattr(Site, "has_cut", False)
    curves = permuted_curves(model, permutations, ALPHAS, *batch(), group="conv1")
    explicit = [interpolate(copy, model, ALPHAS, *batch()) for copy in copies]
    np.testing.assert_allclose(curves, explicit, rtol=1e-5)


def test_networks_of_different_shape_are_refused_by_name():
    with pytest.raises(ValueError, match=r"hidden1\.kernel"):
        interpolate(trained("mlp1"), trained("mlp2"), ALPHAS, *batch())
    with pytest.raises(ValueError, match="'conv2'"):
        permuted_curves(trained("cnn1"), np.arange(4)[None], ALPHAS, *batch(), group="conv2")


@pytest.mark.parametrize("short", [jnp.bfloat16, jnp.float16])
def test_layers_of_a_short_type_leave_losses_their_digits(short):
    """The network rounds its logits; the loss of these logits is not rounded, nor are weights in between."""
    layers = [nnx.Linear(35, 10, dtype=short, param_dtype=kind, rngs=nnx.Rngs(1)) for kind in (jnp.float32, short)]
    inputs, targets = batch()
    inputs = inputs.reshape(len(inputs), -1)
    for layer in layers:
        logits = np.asarray(layer(jnp.asarray(inputs)).astype(jnp.float32), np.float64)
        expected = -log_softmax(logits, axis=1)[np.arange(len(targets)), targets].mean()
        found = interpolate(layer, layer, np.array([0.0, 0.3, 1.0]), inputs, targets)
        assert found.dtype == jnp.float32
        np.testing.assert_allclose(found, expected, rtol=1e-3 if short is jnp.bfloat16 else 1e-4)
