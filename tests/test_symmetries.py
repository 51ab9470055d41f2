"""Symmetries found by tracing: those of the package's own networks are the tables written by hand."""

from __future__ import annotations

import pytest
from flax import nnx
from trained import SPECS, build, data

from landscape.models.functional import split
from landscape.models.symmetry import Axis, Group, unit_groups
from landscape.models.tracing.analysis import Shapes, table

RESIDUAL = {"tinybert": "tokens", "minibert": "tokens"}  # the residual stream, which BERT's table leaves out


def tied(group: Group) -> frozenset[Axis]:
    return frozenset((*group.produces, *group.consumes))


@pytest.mark.parametrize("name", SPECS)
def test_the_groups_of_the_packages_networks_are_those_of_their_tables(name):
    model = nnx.eval_shape(lambda: build(name))
    found = table(split(model), Shapes.of(data(name).train.inputs)).groups
    by_hand = {tied(group): group for group in unit_groups(model).values()}
    extra = [each for each, group in found.items() if tied(group) not in by_hand]
    assert extra == [RESIDUAL[name]] if name in RESIDUAL else extra == []
    assert by_hand.keys() <= {tied(group) for group in found.values()}
    for each in set(found) - {*extra}:
        assert {*found[each].consumes} == {*by_hand[tied(found[each])].consumes}
        assert found[each].repeats == by_hand[tied(found[each])].repeats
