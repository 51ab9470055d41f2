from __future__ import annotations

from collections import Counter
from inspect import unwrap
from itertools import combinations, pairwise, permutations, product
from math import ceil, log2

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import batch, outputs, trained
from scipy.stats import chisquare

from landscape.barriers.midpoint import distinct_midpoints, midpoint_barriers, network_loss
from landscape.barriers.walk import compose, draw_swaps, nodes, permute, seen_from_start, swaps_per_step
from landscape.models.functional import mixed, split
from landscape.models.symmetry import take

KEY = jax.random.key(11)
widths = st.integers(4, 20)
seeds = st.integers(0, 2**31 - 1)


def walk(seed: int, n: int, units: int, **options) -> np.ndarray:
    return compose(draw_swaps(jax.random.key(seed), n, units, **options), units)


def exact_law(units: int) -> dict[tuple[int, ...], float]:
    """The law of one step (A.2.1) by enumeration of all swaps, given that it is not the identity."""
    pairs = list(combinations(range(units), 2))
    counts = Counter()
    for swaps in product(pairs, repeat=ceil(log2(units))):
        places = list(range(units))
        for a, b in swaps:
            places[a], places[b] = places[b], places[a]
        counts[tuple(places)] += 1
    del counts[tuple(range(units))]
    total = sum(counts.values())
    return {permutation: count / total for permutation, count in counts.items()}


@settings(max_examples=30)
@given(seeds, st.integers(1, 40), widths)
def test_a_step_is_ceil_log2_pairs_of_different_units(seed, n, units):
    swaps = draw_swaps(jax.random.key(seed), n, units)
    assert swaps.shape == (n, ceil(log2(units)), 2)
    assert swaps.min() >= 0
    assert swaps.max() < units
    assert (swaps[..., 0] != swaps[..., 1]).all()


def test_swaps_of_four_units_have_the_exact_law():
    law = exact_law(4)
    assert len(law) == 11  # the even permutations but the identity
    drawn = Counter(map(tuple, walk(0, 22_000, 4).tolist()))
    assert drawn.keys() == law.keys()
    observed, expected = zip(*((drawn[each], 22_000 * share) for each, share in law.items()), strict=True)
    assert chisquare(observed, expected).pvalue > 0.01


def test_each_pair_of_units_is_as_likely_as_any_other():
    """Over 16 units a step almost never undoes itself, so single swaps are uniform."""
    swaps = np.sort(draw_swaps(KEY, 6000, 16), axis=-1).reshape(-1, 2)
    counts = Counter(map(tuple, swaps.tolist()))
    assert len(counts) == 120
    assert chisquare(list(counts.values())).pvalue > 0.01


@settings(max_examples=30)
@given(seeds, st.integers(1, 60), st.integers(1, 60), widths)
def test_a_shorter_walk_is_the_start_of_a_longer_one(seed, n, more, units):
    longer = draw_swaps(jax.random.key(seed), n + more, units)
    np.testing.assert_array_equal(draw_swaps(jax.random.key(seed), n, units), longer[:n])


@settings(max_examples=15)
@given(seeds, st.integers(1, 30), st.integers(0, 30), st.sampled_from([5, 6, 8]))
def test_distinct_steps_do_not_repeat_and_keep_the_start(seed, n, more, units):
    longer = walk(seed, n + more, units, distinct=True)
    assert len(set(map(tuple, longer.tolist()))) == n + more
    np.testing.assert_array_equal(walk(seed, n, units, distinct=True), longer[:n])


def test_no_step_stands_still():
    assert (walk(1, 3000, 4) != np.arange(4)).any(1).all()


def test_a_walk_without_replacement_can_use_every_permutation_but_no_more():
    every = walk(2, 11, 4, distinct=True)
    assert set(map(tuple, every.tolist())) == set(exact_law(4))
    with pytest.raises(ValueError, match="only 11 distinct permutations of 4 units found; 12 were asked for"):
        draw_swaps(KEY, 12, 4, distinct=True)


@pytest.mark.parametrize("units", [-1, 0, 3])
def test_fewer_than_four_units_are_refused(units):
    with pytest.raises(ValueError, match=f"at least 4 units; got {units}"):
        draw_swaps(KEY, 5, units)


@pytest.mark.parametrize("n", [0, -3])
def test_a_walk_has_a_step(n):
    with pytest.raises(ValueError, match=f"at least one step; got {n}"):
        draw_swaps(KEY, n, 6)


@pytest.mark.parametrize(("units", "swaps"), [(4, 2), (5, 3), (8, 3), (9, 4), (1024, 10), (1025, 11)])
def test_number_of_swaps(units, swaps):
    assert swaps_per_step(units) == swaps


def test_compose_applies_swaps_in_order():
    swaps = np.array([[[0, 1], [1, 2]], [[1, 2], [0, 1]]])
    np.testing.assert_array_equal(compose(swaps, 4), [[1, 2, 0, 3], [2, 0, 1, 3]])


@pytest.mark.parametrize("units", [4, 5, 6])
def test_distinct_midpoints_are_the_reachable_permutations_up_to_inversion(units):
    """A midpoint belongs to π and π⁻¹ alike: involutions count once, all others by twos."""
    law = exact_law(units)
    involutions = sum(all(each[each[i]] == i for i in range(units)) for each in law)
    count = involutions + (len(law) - involutions) // 2
    assert count == {4: 7, 5: 35, 6: 135}[units]
    drawn = seen_from_start(walk(5, 6000, units))
    assert len(distinct_midpoints(drawn)[0]) == count


@settings(max_examples=30)
@given(seeds, st.integers(1, 40), st.integers(4, 6))
def test_every_row_finds_its_midpoint_or_the_inverse(seed, n, units):
    drawn = walk(seed, n, units)
    chosen, position = distinct_midpoints(drawn)
    found, inverse = chosen[position], np.argsort(drawn, 1)
    assert ((found == drawn).all(1) | (found == inverse).all(1)).all()
    both = [frozenset((tuple(row), tuple(np.argsort(row)))) for row in chosen]
    assert len(set(both)) == len(both)
    assert list(dict.fromkeys(position)) == list(range(len(chosen)))  # in order of appearance


@settings(max_examples=20)
@given(seeds, st.integers(1, 8), widths)
def test_nodes_are_the_steps_together(seed, n, units):
    steps = walk(seed, n, units)
    places = nodes(steps)
    assert places.shape == (n + 1, units)
    np.testing.assert_array_equal(places[0], np.arange(units))
    np.testing.assert_array_equal(np.take_along_axis(places[:-1], steps, 1), places[1:])
    relative = seen_from_start(steps)
    for node, following, step in zip(places[:-1], places[1:], relative, strict=True):
        np.testing.assert_array_equal(step[node], following)  # P(P(θ, ρ), node) = P(θ, following)


def test_the_nodes_parameters_are_those_of_walking():
    model = trained("cnn1")
    weights, table = split(model).weights, model.groups()["conv1"]
    steps = walk(3, 5, 4)
    standing = weights
    for step, place, relative in zip(steps, nodes(steps), seen_from_start(steps), strict=False):
        following = take(standing, table, step)
        same_step = take(take(weights, table, relative), table, place)
        for path in weights:
            np.testing.assert_array_equal(standing[path], take(weights, table, place)[path])
            np.testing.assert_array_equal(following[path], same_step[path])
        standing = following


@pytest.mark.parametrize("distinct", [False, True])
def test_steps_from_the_first_node_lead_to_one_draw_of_swaps_each(distinct):
    """Algorithm 1 read literally: θ_{i+1} = P(θ, π_i), where π_i is never the identity nor π_{i−1}."""
    how = {"distinct": distinct, "start": "first"}
    swaps = draw_swaps(KEY, 300 if not distinct else 11, 4, **how)
    drawn = [list(range(4)), *compose(swaps, 4).tolist()]
    assert nodes(compose(swaps, 4, start="first")).tolist() == drawn
    assert all(a != b for a, b in pairwise(drawn))
    assert list(range(4)) not in drawn[1:]
    assert len(set(map(tuple, drawn[1:]))) == 11
    np.testing.assert_array_equal(draw_swaps(KEY, 7, 4, **how), swaps[:7])


def test_barriers_from_the_first_node_are_those_between_the_permuted_networks():
    model, (inputs, targets) = trained("mlp1"), batch()
    swaps = draw_swaps(KEY, 4, 6, start="first")
    network, table = split(model), model.groups()["hidden1"]
    places = [network.replace(take(network.weights, table, each)) for each in (np.arange(6), *compose(swaps, 6))]
    expected = []
    for a, b in pairwise(places):
        ends, middle = (network_loss(each, inputs, targets) for each in (a, b)), mixed((a, b), (0.5, 0.5))
        expected.append(abs(float(network_loss(middle, inputs, targets)) - float(sum(ends)) / 2))
    found = midpoint_barriers(model, compose(swaps, 6, start="first"), inputs, targets, group="hidden1")
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_an_unknown_start_is_named():
    with pytest.raises(ValueError, match="start must be 'current' or 'first'; got 'node'"):
        unwrap(compose)(np.array([[[0, 1]]]), 6, start="node")


def test_permuting_refuses_what_is_not_a_permutation():
    model = trained("mlp1")
    for wrong in ([0, 1, 2, 3, 4, 4], [1, 2, 3, 4, 5, 6]):
        with pytest.raises(ValueError, match=r"not a permutation of 0\.\.5"):
            permute(model, "hidden1", np.array(wrong))
    with pytest.raises(ValueError, match=r"shape \(n, 6\)"):
        permute(model, "hidden1", np.arange(5))
    with pytest.raises(ValueError, match="'conv1'"):
        permute(model, "conv1", np.arange(6))


def test_permuting_leaves_the_model_as_it_was():
    model = trained("mlp1")
    before = outputs(model)
    for permutation in list(permutations(range(6)))[1::179]:
        permute(model, "hidden1", np.array(permutation))
    np.testing.assert_array_equal(outputs(model), before)
