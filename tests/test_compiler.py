"""Sums are right at the sizes of a real study, where a compiler once got them wrong."""

from __future__ import annotations

import numpy as np
import pytest
from flax import nnx

from landscape import compiler
from landscape.barrier import midpoint_barriers
from landscape.lines import permuted_curves
from landscape.models import build
from landscape.result import ALPHAS
from landscape.specs import MlpSpec


def network_and_batch():
    rng = np.random.default_rng(0)
    model = build(MlpSpec(kind="mlp", hidden=(9,)), (8, 8, 1), 10, nnx.Rngs(0))
    return model, rng.normal(size=(512, 8, 8, 1)).astype(np.float32), rng.integers(10, size=512)


def test_many_barriers_on_a_whole_batch_equal_the_reference():
    model, *batch = network_and_batch()
    steps = np.random.default_rng(1).permuted(np.tile(np.arange(9), (200, 1)), axis=1)
    fast, reference = (
        midpoint_barriers(model, steps, *batch, group="hidden1", method=method) for method in ("fast", "reference")
    )
    np.testing.assert_allclose(fast, reference, rtol=1e-4, atol=1e-6)


def test_curves_of_many_copies_end_at_the_loss_that_they_start_from():
    model, *batch = network_and_batch()
    copies = np.random.default_rng(1).permuted(np.tile(np.arange(9), (20, 1)), axis=1)
    curves = permuted_curves(model, copies, ALPHAS, *batch, group="hidden1")
    np.testing.assert_allclose(curves[:, -1], curves[:, 0], rtol=1e-5)
    assert curves.min() > 0


def test_a_compiler_that_sums_wrongly_is_refused(monkeypatch):
    compiler.check_sums()
    monkeypatch.setattr(compiler.jnp, "sum", lambda x, axis: x.sum(axis) * (np.arange(x.shape[1]) < 5))
    with pytest.raises(RuntimeError, match="wrong sums"):
        compiler.check_sums.__wrapped__()
