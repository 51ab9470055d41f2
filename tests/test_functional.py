"""A module as a flat table of arrays and back, whatever it is made of."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from networks import batch

from landscape.barriers.interpolation import interpolate, permuted_curves
from landscape.barriers.midpoint import midpoint_barriers, network_loss
from landscape.barriers.mixtures import mixture_losses
from landscape.models.functional import mixed, split, trainable
from landscape.models.mlp import mlp
from landscape.models.net2net import widen
from landscape.models.site import Site
from landscape.models.symmetry import Axis, Group

pytestmark = pytest.mark.compiled_quickly

STEPS = np.array([[1, 0, 2, 3, 4], [0, 1, 3, 2, 4], [4, 3, 2, 1, 0]])


def test_a_name_with_a_dot_is_refused():
    """It would be read as a name within another."""
    with pytest.raises(ValueError, match=r"the name 'up\.0' in a network must have no dot"):
        split(nnx.Dict({"up.0": nnx.Linear(2, 3, rngs=nnx.Rngs(0))}))


class Listed(nnx.Module):
    """Layers in a list, with dropout among them."""

    def __init__(self, seed: int = 0):
        rngs = nnx.Rngs(seed)
        self.net = nnx.Sequential(
            nnx.Linear(35, 5, rngs=rngs), nnx.tanh, nnx.Dropout(0.5, rngs=rngs), nnx.Linear(5, 10, rngs=rngs)
        )

    def __call__(self, x):
        return self.net(x.reshape(len(x), -1))

    def groups(self):
        made_by = (Axis("net.layers.0.kernel", -1), Axis("net.layers.0.bias", 0))
        return {"units": Group(made_by, (Axis("net.layers.3.kernel", -2),))}


def by_hand(weights, x):
    hidden = np.tanh(x.reshape(len(x), -1) @ weights["net.layers.0.kernel"] + weights["net.layers.0.bias"])
    return hidden @ weights["net.layers.3.kernel"] + weights["net.layers.3.bias"]


def test_layers_in_a_list_are_counted_in_their_paths():
    network = split(Listed())
    assert trainable(Listed()) == {f"net.layers.{i}.{part}" for i in (0, 3) for part in ("kernel", "bias")}
    inputs = batch()[0]
    np.testing.assert_allclose(network.logits(inputs), by_hand(network.weights, inputs), atol=1e-5)
    again = split(network.module())
    assert again.graphdef == network.graphdef
    assert again.weights.keys() == network.weights.keys()


def test_equal_structures_are_one_object():
    """So that calls of compiled functions compare them at once; another structure is another one."""
    first, second, other = (split(mlp(4, (width,), 3, nnx.Rngs(seed))) for width, seed in ((5, 0), (5, 1), (6, 0)))
    assert first.graphdef is second.graphdef
    assert first.graphdef != other.graphdef


class Configured(Listed):
    """A network with a setting that its call reads."""

    def __init__(self, setting):
        super().__init__()
        self.setting = setting

    def __call__(self, x):
        return super().__call__(x) * len(self.setting)


@pytest.mark.parametrize("setting", [[1, [2]], {"first": [1], "second": {}}, {1, 2}])
def test_settings_need_no_hash(setting):
    """Lists, dictionaries and sets are part of the structure, and are what they were."""
    model, steps = Configured(setting), STEPS[:2]
    again = split(model).module()
    assert again.setting == setting and isinstance(again.setting, type(setting))
    assert type(model.setting) is type(setting)
    assert split(model).graphdef == split(Configured(setting)).graphdef != split(Configured([1, 2, 3])).graphdef
    fast, reference = (
        midpoint_barriers(model, steps, *batch(), group="units", method=method) for method in ("fast", "reference")
    )
    np.testing.assert_allclose(fast, reference, atol=1e-6)


@dataclass
class Settings:
    width: int = 2


@dataclass(frozen=True)
class Frozen:
    width: int = 2


def test_a_setting_that_cannot_have_a_hash_is_named():
    with pytest.raises(ValueError, match=r"Configured\.setting is a Settings without a hash"):
        split(Configured(Settings()))
    assert split(Configured(Frozen())).module().setting == Frozen()


def test_dropout_is_off_in_whatever_is_measured():
    """The state of its generator is no weight: it is not mixed."""
    model, (inputs, targets) = Listed(), batch()
    fast, reference = (
        midpoint_barriers(model, STEPS, inputs, targets, group="units", method=method)
        for method in ("fast", "reference")
    )
    np.testing.assert_allclose(fast, reference, atol=2e-6)
    assert fast.min() > 1e-5
    curves = permuted_curves(model, STEPS[:1], np.array([0, 0.5, 1]), inputs, targets, group="units")[0]
    assert abs(curves[1] - (curves[0] + curves[2]) / 2) == pytest.approx(reference[0], abs=2e-6)
    ends = interpolate(model, Listed(1), np.array([1.0, 0.0]), inputs, targets)
    for found, seed in zip(ends, (0, 1), strict=True):
        own = split(Listed(seed))
        assert float(found) == pytest.approx(float(network_loss(own, inputs, jnp.asarray(targets))), rel=1e-6)


def test_a_plane_through_networks_with_dropout():
    site, (inputs, targets) = Site(split(Listed()), "units"), batch()
    minima = [site.permuted(step).network for step in STEPS]
    losses = mixture_losses(minima, np.eye(3), inputs, jnp.asarray(targets))
    np.testing.assert_allclose(losses, losses[0], rtol=1e-6)


def test_mixing_is_linear():
    networks = split(Listed(0)), split(Listed(1))
    a, b = (network.weights for network in networks)
    found = mixed(networks, (0.25, 0.75)).weights
    np.testing.assert_allclose(
        found["net.layers.0.bias"] + found["net.layers.0.kernel"].sum(),
        0.25 * (a["net.layers.0.bias"] + a["net.layers.0.kernel"].sum())
        + 0.75 * (b["net.layers.0.bias"] + b["net.layers.0.kernel"].sum()),
        rtol=1e-5,
    )
    assert found["net.layers.2.rngs.key"] == a["net.layers.2.rngs.key"]


def test_a_layer_in_a_list_can_be_widened():
    wide = widen(Listed(), "units", 9, jax.random.key(0))
    inputs = batch()[0]
    np.testing.assert_allclose(split(wide).logits(inputs), split(Listed()).logits(inputs), atol=1e-5)


def test_full_precision_follows_whether_float64_is_on() -> None:
    """Also where a network of the same structure was evaluated in the other one before."""
    network, inputs = split(nnx.Linear(3, 2, dtype="bfloat16", rngs=nnx.Rngs(0))), np.ones((1, 3))
    for double in (False, True, False):
        with jax.enable_x64(double):
            assert network.logits(inputs).dtype == (np.float64 if double else np.float32)
