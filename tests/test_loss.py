from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example as explicit
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax

from landscape.numerics import loss
from landscape.numerics.loss import (
    IGNORED,
    cross_entropies,
    cross_entropy,
    hits,
    in_blocks,
    loss_change,
    loss_change_of_features,
    scaled_softmax,
)
from landscape.numerics.loss.exponential import exponentials

pytestmark = pytest.mark.compiled_quickly


def example(seed: int, shape: tuple[int, ...] = (7, 5), classes: int = 4):
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 3, (*shape, classes))
    targets = rng.integers(0, classes, shape)
    targets[rng.random(shape) < 0.3] = IGNORED
    targets.flat[0] = 1
    return logits, targets


change_of_loss = jax.jit(loss_change, static_argnames="by_logs")


@cache
def change_of_features(block: int) -> Callable[..., Any]:
    """`loss_change_of_features` as a program, which reads the size of a block when it is traced."""
    return jax.jit(lambda *arguments: loss_change_of_features(*arguments))


def by_hand(logits: np.ndarray, targets: np.ndarray) -> float:
    """Mean over the counted targets, with SciPy's log-softmax."""
    log_p = log_softmax(logits, axis=-1)[targets != IGNORED]
    return -log_p[np.arange(len(log_p)), targets[targets != IGNORED]].mean()


@settings(max_examples=25)
@given(st.integers(0, 2**31))
def test_cross_entropy_and_hits_equal_scipys(seed):
    logits, targets = example(seed)
    assert float(cross_entropy(jnp.asarray(logits), jnp.asarray(targets))) == pytest.approx(
        by_hand(logits, targets), 1e-5
    )
    right = (logits.argmax(-1) == targets) & (targets != IGNORED)
    np.testing.assert_array_equal(hits(jnp.asarray(logits), jnp.asarray(targets)), right)


def test_ignored_targets_do_not_count():
    logits, targets = (jnp.asarray(each) for each in example(0))
    counted = targets != IGNORED
    scrambled = jnp.where(counted[..., None], logits, 50 * logits[..., ::-1])
    whole = float(cross_entropy(logits, targets))
    assert float(cross_entropy(scrambled, targets)) == whole
    assert float(cross_entropy(logits[counted], targets[counted])) == pytest.approx(whole, rel=1e-6)
    np.testing.assert_array_equal(hits(scrambled, targets), hits(logits, targets))


@pytest.mark.parametrize("short", [jnp.bfloat16, jnp.float16])
def test_losses_of_short_logits_are_in_float32(short):
    """The logits are rounded already; what is computed from them is not."""
    logits, targets = example(0)
    rounded = jnp.asarray(logits).astype(short)
    losses = cross_entropies(rounded, jnp.asarray(targets))
    assert losses.dtype == jnp.float32
    expected = by_hand(np.asarray(rounded.astype(jnp.float32), float), targets)
    assert float(losses.sum() / (targets != IGNORED).sum()) == pytest.approx(expected, rel=1e-6)


def test_large_logits_do_not_overflow():
    logits = jnp.array([[1e4, 0.0], [0.0, -1e4]])
    assert float(cross_entropy(logits, jnp.array([0, 0]))) == 0
    assert float(cross_entropy(logits, jnp.array([1, 1]))) == 1e4


@pytest.mark.slow
@settings(max_examples=100)
@given(st.integers(0, 2**31), st.sampled_from([1, 10, 100]), st.sampled_from([1e-6, 1e-3, 1.0, 10.0, 300.0]))
@explicit(148, 100, 300.0)  # a probability of 2⁻¹⁸⁴ grows to a third of a sum of 2⁻⁵⁹
def test_loss_change_is_the_difference_of_losses(seed, confidence, scale):
    """Against float64, for each target and two changes at once; in float32 a change far below the loss's rounding
    keeps its digits, and a network that is sure, and right or wrong, has changes like any other.
    """
    logits, targets = example(seed)
    logits = np.float32(confidence * logits)
    change = np.float32(scale * np.random.default_rng(seed + 1).normal(size=(2, *logits.shape)))
    found = change_of_loss(jax.nn.log_softmax(logits), change, targets)
    before, after = (log_softmax(each.astype(float), axis=-1) for each in (logits, logits.astype(float) + change))
    chosen = np.broadcast_to(np.maximum(targets, 0), change.shape[:-1])[..., None]
    expected = np.where(targets == IGNORED, 0, np.take_along_axis(before - after, chosen, -1)[..., 0])
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-6 * scale)
    kept = change_of_loss(jax.nn.log_softmax(logits), change, targets, by_logs=False)
    assert scale > 1 or np.isfinite(kept).all()
    np.testing.assert_allclose(np.where(np.isnan(kept), found, kept), found, rtol=1e-6, atol=1e-12)


def test_exponentials_are_right_to_three_roundings():
    """Against float64, from where exp is the smallest normal number to where it overflows, and close to 0."""
    rng = np.random.default_rng(0)
    near = [scale * rng.normal(size=20_000) for scale in (1e-6, 1e-3, 0.1, 1)]
    x = np.concatenate([*near, rng.uniform(-87, 88.3, 50_000)]).astype(np.float32)
    for found, expected in zip(
        jax.jit(exponentials)(x), (np.expm1(x.astype(float)), np.exp(x.astype(float))), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=3 * 2.0**-24, atol=2.0**-126)
    beyond = np.array([88.8, 100, np.inf, np.nan], np.float32)
    assert not np.isfinite(jax.jit(exponentials)(beyond)).any()


def test_no_change_is_none():
    logits, targets = (jnp.asarray(each) for each in example(0))
    assert not loss_change(jax.nn.log_softmax(logits), jnp.zeros(logits.shape), targets).any()


@pytest.mark.parametrize("block", [1, 3, 4, 100])
@pytest.mark.parametrize(("confidence", "scale"), [(1, 1e-6), (1, 1), (30, 10), (100, 300)])
def test_changes_of_features_are_those_of_the_logits_they_make(block, confidence, scale, monkeypatch):
    """In blocks of any size, whether one is filled up or the only one; sure networks too, for which logits are written
    down.
    """
    monkeypatch.setattr(loss, "BLOCK", block)
    logits, targets = example(0, classes=7)
    logits, rng = np.float32(confidence * logits), np.random.default_rng(1)
    head, change = np.float32(rng.normal(size=(5, 7))), np.float32(scale * rng.normal(size=(3, *targets.shape, 5)))
    blocks = in_blocks(scaled_softmax(jnp.asarray(logits)))
    assert blocks.shape == (-(-7 // min(block, 7)), *targets.shape, min(block, 7))
    found = change_of_features(block)(head, logits, blocks, change, targets)
    wide = logits.astype(float)
    before, after = (log_softmax(each, axis=-1) for each in (wide, wide + change.astype(float) @ head))
    chosen = np.broadcast_to(np.maximum(targets, 0), change.shape[:-1])[..., None]
    expected = np.where(targets == IGNORED, 0, np.take_along_axis(before - after, chosen, -1)[..., 0])
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=3e-6 * scale)
