"""Symmetries found by tracing: those of the package's own networks are the tables written by hand."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from networks import batch, initial, outputs
from trained import SPECS, build, data

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
