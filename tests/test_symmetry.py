from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import GROUPS, outputs, permuted, plain, trained

from landscape.barriers.walk import permute
from landscape.models.functional import split
from landscape.models.symmetry import Axis, Group, retaken, take, unit_rows

pytestmark = pytest.mark.compiled_quickly


def shuffled(units: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).permutation(units)


def same(a: dict, b: dict) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[path], b[path]) for path in a)


@pytest.mark.parametrize(("name", "group"), GROUPS)
def test_permuting_reorders_by_hand_and_preserves_the_function(name, group):
    model = trained(name)
    permutation = shuffled(model.groups()[group].size(split(model).weights))
    copy = permute(model, group, permutation)
    np.testing.assert_allclose(outputs(copy), outputs(model), atol=1e-5)
    expected = permuted(plain(model), list(model.groups()).index(group), permutation)
    for layer, other in zip(plain(copy), expected, strict=True):
        np.testing.assert_array_equal(layer[0], other[0])
        np.testing.assert_array_equal(layer[1], other[1])


@pytest.mark.parametrize(("name", "group"), GROUPS)
def test_a_permutation_and_its_inverse_cancel_bit_by_bit(name, group):
    model = trained(name)
    weights, table = split(model).weights, model.groups()[group]
    permutation = shuffled(table.size(weights))
    there = take(weights, table, permutation)
    assert not same(there, weights)
    assert same(take(there, table, np.argsort(permutation)), weights)


def test_taking_twice_is_taking_the_composition():
    model = trained("cnn1")
    weights, table = split(model).weights, model.groups()["conv1"]
    first, second = shuffled(4, 1), shuffled(4, 2)
    assert same(take(take(weights, table, first), table, second), take(weights, table, first[second]))


@settings(max_examples=20)
@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 3), st.data())
def test_take_moves_whole_blocks_and_scales_consumers(outer, units, inner, data):
    """An axis (outer, units, inner), element by element: `inner` neighbours belong to one unit."""
    index = np.array(data.draw(st.lists(st.integers(0, units - 1), min_size=1, max_size=5)))
    shares = np.linspace(0.5, 2, len(index))
    array = np.arange(2.0 * outer * units * inner).reshape(2, outer * units * inner)
    group = Group((Axis("bias", 0),), (Axis("kernel", 1, inner),))
    taken = retaken({"bias": np.arange(float(units)), "kernel": array}, group, index, shares)
    np.testing.assert_array_equal(taken["bias"], index)
    expected = [
        array[:, (o * units + unit) * inner + i] * share
        for o in range(outer)
        for unit, share in zip(index, shares, strict=True)
        for i in range(inner)
    ]
    np.testing.assert_allclose(taken["kernel"], np.stack(expected, 1), rtol=1e-6)


@settings(max_examples=30)
@given(st.integers(1, 3), st.integers(0, 2), st.integers(0, 2), st.integers(1, 2), st.integers(1, 2))
def test_take_in_a_segment_of_every_run_moves_nothing_else(runs, before, behind, outer, inner):
    """Runs of (before, outer · 3 units · inner, behind), entry by entry, widened from 3 units to 5."""
    index, shares = np.array([0, 1, 2, 2, 0]), np.array([0.3, 1, 0.4, 0.6, 0.7])
    width = outer * 3 * inner
    array = np.random.default_rng(0).normal(size=(2, runs * (before + width + behind), 3))
    axis = Axis("kernel", 1, inner, (before, before + width), runs)
    taken = retaken({"bias": np.arange(3.0), "kernel": array}, Group((Axis("bias", 0),), (axis,)), index, shares)
    expected = []
    for run in np.split(array, runs, 1):
        blocks = run[:, before : before + width].reshape(2, outer, 3, inner, 3)
        copies = [blocks[:, :, [unit]] * share for unit, share in zip(index, shares, strict=True)]
        middle = np.concatenate(copies, 2).reshape(2, outer * 5 * inner, 3)
        expected += [run[:, :before], middle, run[:, before + width :]]
    np.testing.assert_array_equal(taken["kernel"], np.concatenate(expected, 1))


def test_segments_of_one_axis_follow_one_another():
    """Two segments of an axis, behind one another, are widened in place."""
    group = Group((Axis("bias", 0),), (Axis("kernel", 0, segment=(1, 3)), Axis("kernel", 0, segment=(4, 6))))
    taken = retaken({"bias": np.arange(2), "kernel": np.arange(7)}, group, np.array([0, 1, 1]))
    np.testing.assert_array_equal(taken["kernel"], [0, 1, 2, 2, 3, 4, 5, 5, 6])
    assert group.size(taken) == 3


@pytest.mark.parametrize(("name", "group"), GROUPS)
def test_unit_rows_hold_every_tied_weight_once(name, group):
    model = trained(name)
    weights, table = split(model).weights, model.groups()[group]
    rows = unit_rows(weights, table, weights)
    tied = {axis.path for axis in (*table.produces, *table.consumes)}
    values = np.concatenate([np.asarray(weights[path], np.float64).ravel() for path in tied])
    np.testing.assert_array_equal(np.sort(rows.ravel()), np.sort(values))
    permutation = shuffled(len(rows))
    np.testing.assert_array_equal(unit_rows(take(weights, table, permutation), table, weights), rows[permutation])
