"""Points in turn, of which only so many count, and the batch in slices."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landscape.numerics import microbatch
from landscape.numerics.microbatch import CallSize, in_groups, in_turns, slice_size, summed_changes

pytestmark = pytest.mark.compiled_quickly


@pytest.mark.parametrize("count", range(6))
def test_points_in_turn_are_those_of_a_map_as_far_as_they_count(count):
    points = (jnp.arange(5.0), jnp.ones((5, 3)))
    found = jax.jit(in_turns, static_argnums=0)(lambda point: point[0] * point[1], points, count)
    expected = np.arange(5.0)[:, None] * np.ones(3) * (np.arange(5) < count)[:, None]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("size", [1, 2, 3, 6])
@pytest.mark.parametrize("count", range(7))
def test_groups_know_how_many_of_them_count(count, size):
    """Each group is told; one of which none counts is not called."""
    points = (jnp.arange(6.0), jnp.ones((6, 3)))

    def function(group, count):
        assert group[1].shape == (size, 3)
        return jnp.where(jnp.arange(size) < count, group[0] * group[1].sum(1), 0)

    found = jax.jit(in_groups, static_argnums=(0, 3))(function, points, count, size)
    np.testing.assert_array_equal(found, 3 * np.arange(6.0) * (np.arange(6) < count))


@given(st.integers(1, 5000), st.integers(1, 2**40))
def test_a_slice_is_a_power_of_two_within_the_cache_or_the_batch(examples, held):
    size = slice_size(examples, held)
    assert 1 <= size <= examples
    assert (
        size == examples or size == 1 or (size & (size - 1) == 0 and size * held <= microbatch.SLICE_BYTES * examples)
    )
    assert size == examples or 2 * size * held > microbatch.SLICE_BYTES * examples


@given(st.integers(1, 20), st.integers(1, 7), st.integers(1, 9), st.integers(1, 4))
def test_slices_add_up_and_nothing_that_fills_them_counts(examples, size, points, chunk):
    """A change that is the point's number times the sum of the examples whose target counts."""
    inputs = np.arange(1.0, examples + 1)
    targets = np.where(np.arange(examples) % 3 == 1, -1, 0)
    reports: list[tuple[int, int]] = []

    def change(doubled, rows, count, some_targets, by_logs):
        assert not by_logs and len(rows) == chunk and len(some_targets) == min(size, examples)
        found = np.where(np.arange(chunk) < count, rows + 1.0, np.nan)
        return found * doubled[some_targets >= 0].sum()

    found = summed_changes(
        lambda some: 2 * some,
        change,
        (inputs, targets),
        points,
        CallSize(min(size, examples), chunk),
        lambda *at: reports.append(at),
    )
    np.testing.assert_allclose(found, 2 * inputs[targets >= 0].sum() * np.arange(1, points + 1))
    assert reports == sorted(reports) and reports[-1] == (points, points)


def test_calls_that_lose_a_number_are_asked_for_again_by_logarithms():
    """Only they are; what fills up the last call does not count."""
    asked: list[int] = []

    def change(inputs, rows, count, some_targets, by_logs):
        if by_logs:
            asked.append(int(rows[0]))
        lost = (rows == 3) & (not by_logs) | (np.arange(4) >= count)
        return np.where(lost[:, None], np.nan, np.ones((4, len(some_targets))))

    targets = np.zeros(5, int)
    found = summed_changes(lambda some: some, change, (targets, targets), 7, CallSize(5, 2, 2), lambda *at: None)
    np.testing.assert_array_equal(found, np.full(7, 5.0))
    assert asked == [0]


def test_targets_are_added_up_in_float64():
    """In float32, the sum of so many equal numbers is off in the sixth digit."""
    share, targets = np.float32(0.1), np.zeros(2**14, int)

    def change(inputs, rows, count, some_targets, by_logs):
        return np.full((4, len(some_targets)), share)

    found = summed_changes(lambda some: some, change, (targets, targets), 7, CallSize(2**14, 2, 2), lambda *at: None)
    np.testing.assert_allclose(found, np.full(7, 2**14 * float(share)), rtol=1e-14)
