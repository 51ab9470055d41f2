"""Copies of units: which they are, how far they have parted, and why Adam hardly parts them."""

from __future__ import annotations

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from networks import batch, plain, trained

from landscape.models.expansion.copies import copy_cosines
from landscape.models.expansion.steps import expand
from landscape.models.functional import split
from landscape.models.mlp import mlp
from landscape.models.symmetry import named_group
from landscape.numerics.loss import cross_entropy
from landscape.study import Expansion
from landscape.study.steps import Deepen, Widen

pytestmark = pytest.mark.compiled_quickly

KEY = jax.random.key(5)


@pytest.mark.parametrize(("name", "group"), [("mlp2", "hidden2"), ("cnn2", "conv1")])
def test_copies_are_their_originals_until_they_are_trained(name, group):
    units = named_group(trained(name), group).size(split(trained(name)).weights)
    steps = (Widen(widen=group, size=units + 3), Deepen(deepen=group), Widen(widen=group, size=units + 7))
    model, originals = expand(trained(name), steps, Expansion(), KEY)
    assert list(originals) == [group]
    assert originals[group][:units].tolist() == list(range(units))
    assert originals[group].max() < units  # a copy of a copy is one of the first original
    np.testing.assert_allclose(copy_cosines(model, split(model).weights, originals), np.ones(7), atol=1e-12)


def test_the_cosine_is_that_of_kernel_and_bias_by_hand():
    model, originals = expand(trained("cnn4"), (Widen(widen="*", factor=1.5),), Expansion(), KEY)
    rng = np.random.default_rng(0)
    weights = {path: rng.normal(size=array.shape) for path, array in split(model).weights.items()}
    layers, expected = plain(split(model).replace(weights).module()), []
    for (kernel, bias), places in zip(layers[:-1], originals.values(), strict=True):
        units = np.concatenate([kernel.reshape(-1, len(bias)), bias[None]])
        expected += [
            units[:, j] @ units[:, i] / np.sqrt((units[:, j] ** 2).sum() * (units[:, i] ** 2).sum())
            for j, i in enumerate(places)
            if i != j
        ]
    np.testing.assert_allclose(copy_cosines(model, weights, originals), expected, rtol=1e-6)


def test_a_network_without_copies_has_no_cosine():
    model, originals = expand(trained("mlp1"), (Deepen(deepen="hidden1"),), Expansion(), KEY)
    assert originals == {} and copy_cosines(model, split(model).weights, originals).shape == (0,)


def test_units_that_were_drawn_are_no_copies():
    steps = tuple(Widen(widen="hidden1", size=size, units=units) for size, units in ((9, "silent"), (14, None)))
    drawn = split(mlp(35, (14,), 10, nnx.Rngs(0))).weights
    originals = expand(trained("mlp1"), steps, Expansion(), KEY, drawn=drawn).originals["hidden1"]
    assert originals[:9].tolist() == list(range(9))
    assert originals[9:].max() < 9


def test_nothing_that_comes_in_has_no_direction():
    model, originals = expand(trained("mlp1"), (Widen(widen="hidden1", size=8),), Expansion(), KEY)
    silent = {path: 0 * array for path, array in split(model).weights.items()}
    assert np.isnan(copy_cosines(model, silent, originals)).all()


@pytest.mark.parametrize("shares", ["unequal", "equal"])
def test_adam_steps_alike_for_the_copies_of_a_unit_and_gradient_descent_does_not(shares):
    """A copy's gradient is its share of the unit's: Adam divides by this scale, and so do copies of equal shares."""
    model, originals = expand(trained("mlp1"), (Widen(widen="hidden1", size=12),), Expansion(shares=shares), KEY)
    network, (inputs, targets) = split(model), map(jnp.asarray, batch())
    gradients = jax.grad(lambda network: cross_entropy(network.logits(inputs), targets))(network).weights
    copies = np.flatnonzero(originals["hidden1"] != np.arange(12))
    places = originals["hidden1"][copies]
    outgoing = np.asarray(network.weights["head.kernel"], np.float64)
    largest = np.abs(outgoing[places]).argmax(1)
    shares_of = outgoing[copies, largest] / outgoing[places, largest]
    slope = np.asarray(gradients["hidden1.kernel"], np.float64)
    np.testing.assert_allclose(slope[:, copies], slope[:, places] * shares_of, atol=1e-6)
    adam = optax.adam(1e-2, eps=0.0)
    steps = np.asarray(adam.update(gradients, adam.init(gradients))[0]["hidden1.kernel"])
    moved = slope[:, places] != 0  # a pixel that is always blank has no gradient, and 0 / 0 is no step
    np.testing.assert_allclose(steps[:, copies][moved], steps[:, places][moved], rtol=1e-4)
    assert np.allclose(shares_of, 1, atol=1e-5) == (shares == "equal")


def test_noise_parts_copies_from_the_start_in_proportion():
    angles = []
    for noise in (0.01, 0.02, 0.04):
        steps = (Widen(widen="hidden1", size=40),)
        model, originals = expand(trained("mlp1"), steps, Expansion(shares="equal", noise=noise), KEY)
        angles.append(np.arccos(copy_cosines(model, split(model).weights, originals)).mean())
    for smaller, larger in pairwise(angles):
        assert larger / smaller == pytest.approx(2, rel=0.02)
