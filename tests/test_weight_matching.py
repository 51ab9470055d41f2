from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from networks import SPECS, outputs, trained

from landscape.barriers.walk import permute
from landscape.barriers.weight_matching import match
from landscape.models.functional import split
from landscape.models.symmetry import take


def distance(a: dict, b: dict) -> float:
    return float(np.sqrt(sum(((np.asarray(a[path], np.float64) - b[path]) ** 2).sum() for path in a)))


@pytest.mark.parametrize("name", ["mlp2", "cnn2", "cnn4"])
def test_planted_permutations_are_recovered_bit_by_bit(name):
    model = trained(name)
    rng = np.random.default_rng(0)
    shuffled = model
    for group, table in model.groups().items():
        shuffled = permute(shuffled, group, rng.permutation(table.size(split(model).weights)))
    weights, planted = split(model).weights, split(shuffled).weights
    assert distance(weights, planted) > 0.1
    found = match(weights, planted, model.groups())
    for path in weights:
        np.testing.assert_array_equal(found[path], weights[path])


@pytest.mark.parametrize("name", SPECS)
def test_matching_comes_closer_and_keeps_the_function(name):
    a, b = trained(name, 0), trained(name, 1)
    network = split(a)
    start, end = network.weights, split(b).weights
    matched = match(start, end, a.groups())
    assert distance(start, matched) < distance(start, end)
    np.testing.assert_allclose(outputs(network.replace(matched).module()), outputs(b), atol=1e-5)


def test_one_group_is_matched_as_well_as_any_of_its_permutations():
    """Against all 720 orders of 6 units."""
    model = trained("mlp1", 0)
    a, b = split(model).weights, split(trained("mlp1", 1)).weights
    table = model.groups()["hidden1"]
    found = distance(a, match(a, b, model.groups()))
    rows = [np.concatenate([w["hidden1.kernel"].T, w["hidden1.bias"][:, None], w["head.kernel"]], 1) for w in (a, b)]
    apart = ((rows[0][:, None] - rows[1][None]) ** 2).sum(-1)
    best = min(permutations(range(6)), key=lambda order: apart[np.arange(6), list(order)].sum())
    assert found == pytest.approx(distance(a, take(b, table, np.array(best))), rel=1e-6)


def test_a_network_that_diverged_is_left_in_its_order():
    model = trained("mlp1")
    weights = split(model).weights
    broken = weights | {"hidden1.kernel": weights["hidden1.kernel"] * np.nan}
    assert match(weights, broken, model.groups()) is broken


def test_a_match_with_itself_changes_nothing():
    model = trained("cnn1")
    weights = split(model).weights
    assert match(weights, weights, model.groups()) is weights
