"""Symmetries found by tracing: those of the package's own networks are the tables written by hand."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from modules import CASES, CLASSES, RIGID, dense, drawn, of
from networks import batch, initial, outputs
from trained import SPECS, build, data

import landscape
from landscape.models.checks.same_function import logits
from landscape.models.functional import split
from landscape.models.symmetry import Axis, Group, unit_groups
from landscape.models.tracing.analysis import Shapes, analysis
from landscape.models.tracing.module import Findings, attached

RESIDUAL = {"tinybert": "tokens", "minibert": "tokens"}  # the residual stream, which BERT's table leaves out


def tied(group: Group) -> frozenset[Axis]:
    return frozenset((*group.produces, *group.consumes))


@pytest.mark.parametrize("name", SPECS)
def test_the_groups_of_the_packages_networks_are_those_of_their_tables(name):
    model = nnx.eval_shape(lambda: build(name))
    found = analysis(split(model), Shapes.of(data(name).train.inputs)).table.groups
    by_hand = {tied(group): group for group in unit_groups(model).values()}
    extra = [each for each, group in found.items() if tied(group) not in by_hand]
    assert extra == [RESIDUAL[name]] if name in RESIDUAL else extra == []
    assert by_hand.keys() <= {tied(group) for group in found.values()}
    for each in set(found) - {*extra}:
        assert {*found[each].consumes} == {*by_hand[tied(found[each])].consumes}
        assert found[each].repeats == by_hand[tied(found[each])].repeats


@pytest.mark.parametrize("name", ["mlp2", "cnn4"])
def test_a_chain_is_cut_by_itself_as_by_hand(name):
    """Same parts, and midpoints that are those of the hand-written cut bit by bit."""
    model, (inputs, _) = initial(name, 0).module(), batch()
    own = attached(model, Findings(Shapes.of(inputs)))
    for group, table in own.groups().items():
        found, by_hand = own.cut(group), model.cut(group)
        (z, carry), (other, _) = found.before(inputs), by_hand.before(jnp.asarray(inputs))
        np.testing.assert_array_equal(z, other)
        some = np.arange(z.shape[-1])[::2]
        np.testing.assert_array_equal(found.activation(z[..., some]), by_hand.activation(z[..., some]))
        np.testing.assert_array_equal(found.kernel.ravel(), by_hand.kernel.ravel())
        h = found.activation(z)
        np.testing.assert_allclose(found.features(found.linear(h, found.kernel), carry), outputs(model), atol=1e-5)
        opened = own.opened(group)
        np.testing.assert_allclose(opened.between(opened.before(inputs)), outputs(model), atol=1e-5)
        assert table.size(split(own).weights) == z.shape[-1]


FEW = ("autoencoder", "experts", "lstm")  # on every run; all of them where slow tests are run
EVERY = [pytest.param(name, marks=() if name in FEW else pytest.mark.slow) for name in CASES]


@pytest.mark.parametrize("name", EVERY)
def test_modules_without_a_table_are_permuted_widened_and_walked(name):
    """The expected groups; each permuted, all widened, and the first walked from activations as by the definition."""
    build, inputs, sizes = CASES[name]
    model = drawn(build)
    found = landscape.symmetries(model, inputs)
    assert found.sizes == sizes and found.rigid.keys() == RIGID.get(name, set())
    network = found.attach(model)
    own, rng = logits(split(network), inputs), np.random.default_rng(1)
    close = partial(np.testing.assert_allclose, desired=own, rtol=1e-5, atol=1e-5 * float(abs(own).max()))
    for group, size in sizes.items():
        close(logits(split(landscape.permute(network, group, rng.permutation(size))), inputs))
    wide = network
    for group in sizes.keys() - found.rigid.keys():
        wide = landscape.widen(wide, group, 2 * sizes[group], jax.random.key(1))
    assert {group: table.size(split(wide).weights) for group, table in wide.groups().items()} == {
        group: size * (1 if group in found.rigid else 2) for group, size in sizes.items()
    }
    close(logits(split(wide), inputs))
    walk = np.stack([rng.permutation(next(iter(sizes.values()))) for _ in range(3)])
    targets = np.broadcast_to(np.arange(len(own)) % own.shape[-1], own.shape[-2::-1]).T
    fast, slow = (
        landscape.midpoint_barriers(network, walk, inputs, targets, group=next(iter(sizes)), method=method)
        for method in ("fast", "reference")
    )
    np.testing.assert_allclose(fast, slow, atol=1e-5)


class Between(nnx.Module):
    """up, anything, down."""

    def __init__(self, between) -> None:
        self.up, self.down, self.between = dense(4, 6), dense(6, CLASSES), between

    def __call__(self, x):
        return self.down(self.between(self.up(x)))


def channel_attention(x):
    weights = jax.nn.softmax(x[:, :, None] * x[:, None, :])
    return jnp.einsum("bcd,bd->bc", weights, x)


REFUSED = {
    "sorted": (lambda x: jnp.sort(x), "sorted by sort, at test_symmetries.py:"),
    "mask": (lambda x: x * np.arange(6.0), "tied to a fixed array by broadcast_in_dim, at test_symmetries.py:"),
    "accumulated": (lambda x: jnp.cumsum(x, -1), "accumulated in order by cumsum"),
    "read backwards": (lambda x: x + x[:, ::-1], "read backwards by rev"),
    "skip": (lambda x: x.at[:, :4].add(1.0) + x[:, 3:4], "indexed at computed places by scatter-add"),
    "largest": (lambda x: x * (jnp.argmax(x, -1) + 1)[:, None], "the position of an extreme by argmax"),
    "unknown": (lambda x: jnp.fft.irfft(jnp.fft.rfft(x), 6), "not known: fft is a primitive that is not followed"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_axis_that_is_no_symmetry_says_why(name):
    between, reason = REFUSED[name]
    model = nnx.eval_shape(lambda: Between(between))
    found = analysis(split(model), Shapes.of(of((4, 4)))).table
    assert found.groups == {}
    assert reason in found.fixed[Axis("up.kernel", 1)] and Axis("down.kernel", 0) in found.fixed


def test_attention_over_channels_can_be_permuted_and_not_widened():
    found = landscape.symmetries(drawn(lambda: Between(channel_attention)), of((4, 4)))
    assert found.sizes == {"up": 6} and not found.groups["up"].widenable
    assert "two activations are multiplied and summed over it by dot_general" in found.rigid["up"]
    assert "up: 6 units, not widenable\n  made by up.kernel(1), up.bias(0)\n  read by down.kernel(0)" in repr(found)


class Noisy(nnx.Module):
    def __init__(self) -> None:
        self.up, self.rngs = dense(4, CLASSES), nnx.Rngs(0)

    def __call__(self, x):
        return self.up(x + jax.random.normal(self.rngs(), x.shape))


UNTRACEABLE = {
    "random": (Noisy, r"the outputs of Noisy depend on a random number \(random_bits, at test_symmetries.py"),
    "batch": (
        lambda: Between(lambda x: x if len(x) < 3 else nnx.relu(x)),
        "differently for another number of examples",
    ),
    "fixed batch": (lambda: Between(lambda x: x.reshape(2, 6)), "Between cannot be run on 3 examples of these inputs"),
    "value": (lambda: Between(lambda x: x if x.sum() > 0 else -x), "cannot be run on 2 examples"),
    "several": (lambda: nnx.Sequential(dense(4, 3), lambda x: (x, x)), "must return one array; it returns PyTreeDef"),
    "infinite": (lambda: Between(lambda x: x / 0), "outputs of Between on these inputs are not finite"),
}


@pytest.mark.parametrize("name", UNTRACEABLE)
def test_what_cannot_be_traced_is_refused_in_one_sentence(name):
    build, message = UNTRACEABLE[name]
    with pytest.raises(ValueError, match=message) as refused:
        landscape.symmetries(drawn(build), of((4, 4)))
    assert "\n" not in str(refused.value)
