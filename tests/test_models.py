from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import lax
from networks import GROUPS, SPECS, batch, forward, outputs, plain, trained
from trained import SPECS as KINDS_OF_SPECS

from landscape.models.chain import max_pool
from landscape.models.functional import split
from landscape.models.initializers import identity
from landscape.models.net2net import deepen
from landscape.proxies import parameters
from landscape.study.examples import Examples
from landscape.study.kinds import KINDS, CnnSpec, MlpSpec, OwnSpec

pytestmark = pytest.mark.compiled_quickly

NHWC = ("NHWC", "HWIO", "NHWC")
EXAMPLES = {"images": Examples((9, 8, 3), 10, 100), "text": Examples((20,), 40, 100, predictions=3)}


@pytest.mark.parametrize("name", SPECS)
def test_logits_equal_those_of_a_numpy_network(name):
    model = trained(name)
    np.testing.assert_allclose(outputs(model), forward(plain(model), batch()[0]), atol=2e-6)


@pytest.mark.parametrize("name", SPECS)
def test_groups_have_the_sizes_of_the_specification(name):
    model = trained(name)
    weights = split(model).weights
    assert {group: table.size(weights) for group, table in model.groups().items()} == SPECS[name].group_sizes()


@pytest.mark.parametrize("name", KINDS_OF_SPECS)
def test_every_kind_describes_the_network_that_it_builds(name):
    spec, examples = KINDS_OF_SPECS[name], EXAMPLES[KINDS_OF_SPECS[name].modality]
    model = nnx.eval_shape(lambda: spec.build(examples.shape, examples.classes, nnx.Rngs(0)))
    weights = split(model).weights
    assert {group: table.size(weights) for group, table in model.groups().items()} == spec.group_sizes()
    counted = sum(layer.parameters for layer in spec.linear_layers(spec.group_sizes(), examples))
    assert counted == parameters(model)
    assert spec.resized(spec.group_sizes()) == spec


def test_every_kind_of_the_package_is_described():
    assert {type(spec) for spec in KINDS_OF_SPECS.values()} == {*KINDS.values()} - {OwnSpec}


@pytest.mark.parametrize(("name", "group"), GROUPS)
def test_a_cut_composes_to_the_network(name, group):
    model, (inputs, _) = trained(name), batch()
    cut = model.cut(group)
    z, carry = cut.before(jnp.asarray(inputs))
    assert z.shape[-1] == cut.kernel.shape[-2] == model.groups()[group].size(split(model).weights)
    through = cut.features(cut.linear(cut.activation(z), cut.kernel), carry)
    np.testing.assert_allclose(through, outputs(model), atol=1e-5)


@pytest.mark.parametrize(("name", "group"), GROUPS)
def test_a_cut_acts_unit_by_unit(name, group):
    model, (inputs, _) = trained(name), batch()
    cut = model.cut(group)
    z, _ = cut.before(jnp.asarray(inputs))
    h = cut.activation(z)
    some, others = np.arange(z.shape[-1])[::2], np.arange(z.shape[-1])[1::2]
    np.testing.assert_array_equal(cut.activation(z[..., some]), h[..., some])
    parts = [cut.linear(h[..., units], cut.kernel[..., units, :]) for units in (some, others)]
    np.testing.assert_allclose(sum(parts), cut.linear(h, cut.kernel), atol=1e-5)


@pytest.mark.parametrize(("name", "group"), GROUPS)
def test_deepening_preserves_the_function(name, group):
    model = trained(name)
    twice = deepen(deepen(model, group), f"{group}_1", f"{group}_2")
    np.testing.assert_allclose(outputs(twice), outputs(model), atol=1e-5)
    names = list(twice.groups())
    place = names.index(group)
    assert names[place : place + 3] == [group, f"{group}_1", f"{group}_2"]
    assert [each for each in names if each in model.groups()] == list(model.groups())


@pytest.mark.parametrize("shape", [(3, 3, 2, 5), (5, 3, 4, 4), (6, 4)])
def test_the_identity_passes_inputs_on(shape):
    """By hand, a convolution at every pixel; outputs beyond the inputs start over."""
    kernel = identity(jax.random.key(0), shape)
    x = np.random.default_rng(0).normal(size=(2, 4, 4, shape[-2])).astype(np.float32)
    found = x @ kernel if len(shape) == 2 else lax.conv_general_dilated(x, kernel, (1, 1), "SAME", None, None, NHWC)
    np.testing.assert_allclose(found, x[..., np.arange(shape[-1]) % shape[-2]], atol=1e-6)


def test_an_unknown_layer_is_named_with_the_layers_there_are():
    model = trained("mlp2")
    for act in (lambda: deepen(model, "head"), lambda: model.cut("head")):
        with pytest.raises(ValueError, match=r"'head'.*hidden1, hidden2"):
            act()
    with pytest.raises(ValueError, match="Linear cannot be deepened"):
        deepen(nnx.Linear(2, 2, rngs=nnx.Rngs(0)), "hidden1")


def test_max_pooling_is_the_maximum_of_each_block():
    x = np.random.default_rng(0).normal(size=(2, 5, 6, 3))
    blocks = [[x[:, i : i + 2, j : j + 2].max((1, 2)) for j in (0, 2, 4)] for i in (0, 2)]
    np.testing.assert_allclose(max_pool(jnp.asarray(x)), np.moveaxis(blocks, 2, 0), rtol=1e-6)


@pytest.mark.parametrize("shape", [(64,), (1, 8, 1)])
def test_a_cnn_wants_images(shape):
    with pytest.raises(ValueError, match="a CNN needs images"):
        CnnSpec().build(shape, 10, nnx.Rngs(0))


def test_an_mlp_flattens_whatever_comes():
    spec = MlpSpec(hidden=(4,))
    models = [spec.build(shape, 3, nnx.Rngs(0)) for shape in ((2, 3, 1), (6,))]
    x = jnp.arange(12.0).reshape(2, 2, 3, 1)
    np.testing.assert_array_equal(models[0](x), models[1](x.reshape(2, 6)))
