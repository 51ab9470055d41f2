"""The tiny network of the lessons against the package, which computes the same in JAX."""

from __future__ import annotations

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st

import landscape
from landscape.barriers import walk
from landscape.barriers.weight_matching import match
from landscape.lessons import barriers, matching, training, widening
from landscape.lessons.network import Tiny, logits, loss, mixed, probability, take, vector
from landscape.models import symmetry
from landscape.models.functional import Network, split
from landscape.models.mlp import mlp

UNITS, SEED = 8, 2
CLOSE = {"rtol": 1e-5, "atol": 1e-5}


@cache
def tiny(seed: int = SEED, units: int = UNITS) -> Tiny:
    return training.trained(units, seed)


def in_jax(network: Tiny) -> Network:
    """The same network as the package builds it."""
    names = ("hidden1.kernel", "hidden1.bias", "head.kernel", "head.bias")
    weights = {name: jnp.asarray(array, jnp.float32) for name, array in zip(names, network, strict=True)}
    return split(mlp(2, (network.units,), 2, nnx.Rngs(0))).replace(weights)


def same(network: Tiny, other: dict) -> None:
    for name, array in zip(("hidden1.kernel", "hidden1.bias", "head.kernel", "head.bias"), network, strict=True):
        np.testing.assert_allclose(array, other[name], **CLOSE)


def test_it_computes_what_the_package_computes():
    inputs = training.moons().inputs
    expected = in_jax(tiny()).logits(inputs)
    np.testing.assert_allclose(logits(tiny(), inputs), expected, **CLOSE)
    np.testing.assert_allclose(probability(tiny(), inputs), jax.nn.softmax(expected)[:, 1], **CLOSE)


def test_the_line_between_two_networks():
    alphas, batch = np.linspace(0, 1, 5), training.moons()
    found = barriers.losses_along(tiny(), tiny(seed=1), alphas, batch)
    models = [in_jax(each).module() for each in (tiny(seed=1), tiny())]
    np.testing.assert_allclose(found, landscape.interpolate(*models, alphas, *batch), **CLOSE)


@pytest.mark.parametrize("step", barriers.STEP_SIZES)
def test_a_walk(step):
    permutations = barriers.steps(step, 20, UNITS)
    np.testing.assert_array_equal(barriers.nodes(permutations), walk.nodes(permutations))
    assert (permutations != np.arange(UNITS)).any(1).all()
    found = barriers.walk_barriers(tiny(), permutations, training.moons())
    expected = landscape.midpoint_barriers(in_jax(tiny()).module(), permutations, *training.moons(), group="hidden1")
    np.testing.assert_allclose(found, expected, **CLOSE)


def test_a_step_swaps_as_many_pairs_as_the_package_does():
    assert [barriers.swaps("⌈log₂ l⌉ swaps", units) for units in range(4, 70)] == [
        walk.swaps_per_step(units) for units in range(4, 70)
    ]


def test_permuting_widening_and_matching_are_those_of_the_package():
    network, order = in_jax(tiny()), np.random.default_rng(0).permutation(UNITS)
    table = network.module().groups()["hidden1"]
    same(take(tiny(), order), symmetry.take(network.weights, table, order))
    index, shares = (
        widening.parents(UNITS, 19),
        1 / np.bincount(widening.parents(UNITS, 19))[widening.parents(UNITS, 19)],
    )
    same(widening.widened(tiny(), 19), symmetry.take(network.weights, table, index, shares))
    other = tiny(seed=1)
    matched = match(network.weights, in_jax(other).weights, {"hidden1": table})
    same(take(other, matching.matching(tiny(), other)), matched)


@given(st.integers(UNITS, 24), st.sampled_from(widening.SHARES), st.integers(0, 9))
@settings(max_examples=10)
def test_widening_keeps_the_function_and_copies_may_change_places(units, shares, seed):
    wide, inputs = widening.widened(tiny(), units, shares, seed=seed), training.moons().inputs
    np.testing.assert_allclose(logits(wide, inputs), logits(tiny(), inputs), atol=1e-9)
    found = barriers.swap_barriers(wide, training.moons())
    copies = widening.parents(UNITS, units)
    assert found[copies[:, None] == copies].max() < 1e-9


def test_one_swap_in_the_matrix_is_one_step_of_a_walk():
    step = barriers.steps("one swap", 1, UNITS)
    first, second = np.flatnonzero(step[0] != np.arange(UNITS))
    found = barriers.swap_barriers(tiny(), training.moons())[first, second]
    assert found == pytest.approx(barriers.walk_barriers(tiny(), step, training.moons())[0])


def test_the_gradient_is_the_slope_of_the_loss():
    """Against finite differences, in a random direction."""
    generator = np.random.default_rng(0)
    direction = Tiny(*(generator.normal(size=each.shape) for each in tiny()))
    away = [mixed(tiny(), Tiny(*(a + b for a, b in zip(tiny(), direction, strict=True))), s) for s in (-1e-5, 1e-5)]
    slope = (loss(away[1], training.moons()) - loss(away[0], training.moons())) / 2e-5
    assert vector(training.gradient(tiny(), training.moons())) @ vector(direction) == pytest.approx(slope, rel=1e-4)


def test_it_is_trained():
    assert loss(tiny(), training.moons()) < 0.2


def test_a_network_cannot_be_widened_to_fewer_units():
    with pytest.raises(ValueError, match="units must be at least 8, the width of the base; got 4"):
        widening.widened(tiny(), 4)
