"""One's own model, tried before it is believed."""

from __future__ import annotations

from inspect import unwrap

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from networks import Normalised, batch

from landscape.barriers.interpolation import permuted_curves
from landscape.barriers.midpoint import midpoint_barriers
from landscape.models.batch_norm import reestimated
from landscape.models.cut import Cut
from landscape.models.symmetry import Axis, Group

pytestmark = [pytest.mark.slow, pytest.mark.compiled_quickly]

METHODS = ["fast", "reference"]


def measured(model, steps, inputs, targets, group, how):
    """Barriers by a method, or curves; what types would forbid reaches them."""
    if how == "curves":
        return unwrap(permuted_curves)(model, steps, np.array([0.5]), inputs, targets, group=group)
    return unwrap(midpoint_barriers)(model, steps, inputs, targets, group=group, method=how)


class Untied(Normalised):
    """Its table misses an array."""

    def __init__(self, missing: str):
        super().__init__(35, 5, 10)
        self.missing = missing
        self.dense.bias[...] = 0.01 * jnp.arange(5.0)

    def groups(self):
        table = super().groups()["dense"]
        without = [
            tuple(axis for axis in axes if axis.path != self.missing) for axes in (table.produces, table.consumes)
        ]
        return {"dense": Group(*without)}


@pytest.mark.parametrize("how", [*METHODS, "curves"])
def test_a_table_that_is_not_a_symmetry_is_refused(how):
    """Also where it misses only small biases."""
    steps = np.array([[0, 1, 2, 3, 4], [1, 0, 2, 3, 4]])
    assert np.isfinite(measured(Normalised(35, 5, 10), steps, *batch(), "dense", how)).all()
    for missing in ("head.kernel", "dense.bias"):
        with pytest.raises(ValueError, match=r"'dense' of Untied is not a symmetry.*up to \d"):
            measured(Untied(missing), steps, *batch(), "dense", how)


class Coupled(Normalised):
    """What it says of an example depends on the others."""

    def __call__(self, x):
        x = self.dense(x.reshape(len(x), -1))
        return self.head(nnx.tanh(x - x.mean(0)))


class Masked(Normalised):
    """Its units have a mask, which a permutation moves along."""

    def __init__(self):
        super().__init__(35, 5, 10)
        self.mask = nnx.Variable(jnp.arange(5) % 2)

    def __call__(self, x):
        return self.head(nnx.relu(self.norm(self.dense(x.reshape(len(x), -1)))) * self.mask)

    def groups(self):
        table = super().groups()["dense"]
        return {"dense": Group((*table.produces, Axis("mask", 0)), table.consumes)}


REFUSED = {
    "batch": (lambda: Coupled(35, 5, 10), "logits of Coupled for an example depend on the other examples"),
    "mask": (Masked, "group 'dense' has mask, an array of int32, of which no mean can be taken"),
}


@pytest.mark.parametrize("how", [*METHODS, "curves"])
@pytest.mark.parametrize("name", REFUSED)
def test_a_network_without_midpoints_of_its_own_is_refused(name, how):
    build, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        measured(build(), np.array([[1, 0, 2, 3, 4]]), *batch(), "dense", how)


def test_a_network_that_reads_the_statistics_of_its_batch_on_purpose_is_none_of_these():
    model = reestimated(Normalised(35, 5, 10))
    assert np.isfinite(measured(model, np.array([[1, 0, 2, 3, 4]]), *batch(), "dense", "fast")).all()


class Opened(nnx.Module):
    """A network as a user may bring it, with a cut; its barriers are tiny where its head is."""

    def __init__(self, activation, head: float = 1.0, wrong=lambda h: h):
        self.up, self.down = nnx.Linear(64, 10, rngs=nnx.Rngs(0)), nnx.Linear(10, 10, rngs=nnx.Rngs(1))
        self.down.kernel[...] *= head
        self.activation, self.wrong = activation, wrong

    def __call__(self, x):
        return self.down(self.wrong(nnx.tanh(self.up(x))))

    def groups(self):
        return {"units": Group((Axis("up.kernel", -1), Axis("up.bias", 0)), (Axis("down.kernel", -2),))}

    def cut(self, group):
        kernel, bias = self.down.kernel[...], self.down.bias[...]
        return Cut(
            lambda x: (self.up(x), None),
            lambda z: self.wrong(self.activation(z)),
            jnp.matmul,
            kernel,
            lambda y, _: y + bias,
        )


def cut_case():
    """Of ten units, none, two and all are moved."""
    rng = np.random.default_rng(0)
    steps = np.array([[*range(10)], [1, 0, *range(2, 10)], [*range(1, 10), 0]])
    return steps, rng.normal(size=(100, 64)).astype(np.float32), rng.integers(0, 10, 100), "units"


@pytest.mark.parametrize("how", [*METHODS, "curves"])
@pytest.mark.parametrize("head", [1, 0.01])
def test_a_cut_that_does_not_follow_its_network_is_refused(head, how):
    """However small its barriers are."""
    measured(Opened(nnx.tanh, head), *cut_case(), how)
    with pytest.raises(ValueError, match=r"cut of Opened at group 'units' does not follow.*logits differ by up to \d"):
        measured(Opened(nnx.relu, head), *cut_case(), how)


def test_an_activation_that_mixes_units_is_refused():
    """The network itself is opened rightly; only its midpoints are others."""
    with pytest.raises(ValueError, match=r"does not follow.* changes by [-\d.e]+ nats.*every unit by itself"):
        measured(Opened(nnx.tanh, wrong=nnx.softmax), *cut_case(), "fast")


def test_a_network_that_diverged_is_not_to_blame():
    model = Opened(nnx.tanh, head=np.nan)
    assert np.isnan(measured(model, *cut_case(), "fast")).all()
