"""Every public function that takes a batch refuses what is no class, and reads every type of integers alike."""

from __future__ import annotations

from inspect import unwrap

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from networks import batch, trained

from landscape import proxies
from landscape.barriers.interpolation import interpolate, permuted_curves
from landscape.barriers.midpoint import midpoint_barriers
from landscape.models.functional import split
from landscape.models.mlp import mlp

pytestmark = [pytest.mark.slow, pytest.mark.compiled_quickly]

STEPS = np.array([[1, 0, 2, 3, 4, 5], [2, 1, 0, 3, 4, 5]])
# Unwrapped, so that what types would forbid reaches them.
BARRIERS, CURVES, LINE = (unwrap(each) for each in (midpoint_barriers, permuted_curves, interpolate))
READERS = {
    "fast": lambda model, *batch: BARRIERS(model, STEPS, *batch, group="hidden1"),
    "reference": lambda model, *batch: BARRIERS(model, STEPS, *batch, group="hidden1", method="reference"),
    "curves": lambda model, *batch: CURVES(model, STEPS, np.array([0.5]), *batch, group="hidden1"),
    "line": lambda model, *batch: LINE(model, other(model), np.array([0.5]), *batch),
    "grad_norm": unwrap(proxies.grad_norm),
    "snip": unwrap(proxies.snip),
    "grasp": unwrap(proxies.grasp),
    "timed_scores": lambda *case: [score.value for score in unwrap(proxies.timed_scores)(*case).values()],
}


def other(model: nnx.Module) -> nnx.Module:
    """Another network of the same shape."""
    return mlp(35, (6,), split(model).weights["head.bias"].shape[0], nnx.Rngs(7))


@pytest.fixture(params=READERS)
def read(request):
    return READERS[request.param]


def without(targets: np.ndarray, label: int) -> np.ndarray:
    return np.where(np.arange(len(targets)) % 2, label, targets)


INPUTS, TARGETS = batch()
BAD = {
    "labels from 1 on": (INPUTS, TARGETS + 1, r"classes from 0 to 9, or -1 to be left out; got 10"),
    "PyTorch's mark": (INPUTS, without(TARGETS, -100), r"or -1 to be left out; got -100"),
    "one label": (INPUTS, TARGETS[:1], r"equally many; got \[24\] and 1"),
    "a number": (INPUTS, np.array(3), r"equally many; got \[24\] and 1"),
    "fewer inputs": (INPUTS[:10], TARGETS, r"equally many; got \[10\] and 24"),
    "a column": (INPUTS, TARGETS[:, None], r"of shape \(24,\); got \(24, 1\)"),
    "one-hot": (INPUTS, np.eye(10, dtype=int)[TARGETS], r"of shape \(24,\); got \(24, 10\)"),
    "none counts": (INPUTS, np.full(24, -1), "at least one target must count; all 24 are -1"),
    "probabilities": (INPUTS, TARGETS / 10, "whole numbers, the classes; got float64"),
    "truth values": (INPUTS, TARGETS > 3, "whole numbers, the classes; got bool"),
    "other inputs": (INPUTS[:, :3], TARGETS, r"does not take inputs of shape \(24, 3, 5, 1\)"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_batch_with_what_is_no_class_is_refused(read, case):
    *bad, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        read(trained("mlp1"), *bad)


@pytest.mark.parametrize("narrow", [np.int8, np.int64, np.uint64, list])
def test_every_type_of_integers_is_read_alike(read, narrow):
    other = TARGETS.tolist() if narrow is list else TARGETS.astype(narrow)
    found, expected = (np.asarray(read(trained("mlp1"), INPUTS, targets)) for targets in (other, TARGETS))
    np.testing.assert_array_equal(found, expected)


def test_the_last_of_256_classes_counts_in_8_bits(read):
    """As 255 of uint8 it would be −1 of int8."""
    model = mlp(35, (6,), 256, nnx.Rngs(0))
    targets = np.where(np.arange(24) % 3 == 0, 255, TARGETS)
    found, expected = (np.asarray(read(model, INPUTS, targets.astype(kind))) for kind in (np.uint8, np.int32))
    np.testing.assert_array_equal(found, expected)
    ignored = np.asarray(read(model, INPUTS, np.where(targets == 255, -1, targets)))
    assert not np.allclose(ignored, expected)


def test_targets_that_do_not_count_change_nothing(read):
    """Half of the batch by itself, and the whole one in which the other half does not count."""
    half = np.arange(24) % 2 == 0
    some = np.asarray(read(trained("mlp1"), jnp.asarray(INPUTS[half]), TARGETS[half]))
    every = np.asarray(read(trained("mlp1"), INPUTS, without(TARGETS, -1)))
    of_targets = slice(3) if some.shape == (5,) else ...  # SynFlow and Jacov read inputs alone
    np.testing.assert_allclose(every[of_targets], some[of_targets], rtol=1e-4, atol=1e-6)
