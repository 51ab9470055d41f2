"""Sums are right at the sizes of a real study, where a compiler once got them wrong."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from flax import nnx

from landscape.barriers.interpolation import interpolate, permuted_curves
from landscape.barriers.midpoint import midpoint_barriers
from landscape.barriers.mixtures import mixture_losses
from landscape.data import Split
from landscape.models.functional import split
from landscape.models.symmetry import Axis, Group
from landscape.numerics import precision
from landscape.study.kinds import MlpSpec
from landscape.study.schema import ALPHAS
from landscape.training.evaluate import evaluate

pytestmark = pytest.mark.slow


def network_and_batch():
    rng = np.random.default_rng(0)
    model = MlpSpec(hidden=(9,)).build((8, 8, 1), 10, nnx.Rngs(0))
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
    precision.check_sums()
    monkeypatch.setattr(precision.jnp, "sum", lambda x, axis: x.sum(axis) * (np.arange(x.shape[1]) < 5))
    with pytest.raises(RuntimeError, match="wrong sums"):
        precision.check_sums.__wrapped__()


class Recording(nnx.Module):
    """A network that notes in which precision it is traced."""

    def __init__(self):
        self.up, self.down = nnx.Linear(4, 5, rngs=nnx.Rngs(0)), nnx.Linear(5, 3, rngs=nnx.Rngs(1))
        self.seen = Seen()

    def __call__(self, x):
        self.seen.append(jax.config.jax_default_matmul_precision)
        return self.down(nnx.relu(self.up(x)))

    def groups(self):
        made_by = (Axis("up.kernel", -1), Axis("up.bias", 0))
        return {"units": Group(made_by, (Axis("down.kernel", -2),))}


class Seen(list):
    """A list that stands still as part of a structure."""

    def __hash__(self):
        return id(self)

    def __eq__(self, other):
        return self is other


@pytest.mark.parametrize("measure", ["barriers", "reference", "curves", "line", "surface", "evaluation"])
def test_measurements_ask_for_products_in_full_precision(measure):
    """On accelerators the default would round the factors; what surrounds a measurement keeps its own."""
    model = Recording()
    steps, batch = np.array([[1, 0, 2, 3, 4]]), (np.ones((6, 4), np.float32), np.zeros(6, int))
    {
        "barriers": lambda: midpoint_barriers(model, steps, *batch, group="units"),
        "reference": lambda: midpoint_barriers(model, steps, *batch, group="units", method="reference"),
        "curves": lambda: permuted_curves(model, steps, ALPHAS, *batch, group="units"),
        "line": lambda: interpolate(model, model, ALPHAS, *batch),
        "surface": lambda: mixture_losses([split(model)] * 3, np.full((2, 2, 3), 1 / 3), *batch),
        "evaluation": lambda: evaluate(split(model), Split(*batch)),
    }[measure]()
    assert set(model.seen) == {"highest"} and jax.config.jax_default_matmul_precision is None
