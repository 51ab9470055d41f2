from __future__ import annotations

from itertools import permutations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from networks import SPECS, Normalised, outputs, trained

from landscape.barriers.walk import nodes, permute
from landscape.barriers.weight_matching import match
from landscape.data import Split
from landscape.jobs.measurements import MeasuredWalk
from landscape.models.functional import split, trainable
from landscape.models.symmetry import take
from landscape.study import validated

pytestmark = pytest.mark.compiled_quickly

SCALARS = ("dense.bias", "norm.scale", "norm.bias")  # one a unit of `Normalised`


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


def test_running_statistics_move_along_and_have_no_say():
    """The best order of parameters is found by hand; statistics of any size do not change it."""
    model = Normalised(35, 6, 10)
    rng = np.random.default_rng(0)
    a, b = (
        {path: jnp.asarray(rng.normal(size=array.shape), jnp.float32) for path, array in split(model).weights.items()}
        for _ in range(2)
    )
    loud = b | {path: 1e3 * abs(b[path]) for path in ("norm.mean", "norm.var")}
    rows = [
        np.concatenate([w["dense.kernel"].T, *(w[path][:, None] for path in SCALARS), w["head.kernel"]], 1)
        for w in (a, loud)
    ]
    apart = ((rows[0][:, None] - rows[1][None]) ** 2).sum(-1)
    best = list(min(permutations(range(6)), key=lambda order: apart[np.arange(6), list(order)].sum()))
    found = match(a, loud, model.groups(), trainable(model))
    for path in (*SCALARS, "norm.mean", "norm.var"):
        np.testing.assert_array_equal(found[path], loud[path][np.array(best)])
    with pytest.raises(ValueError, match=r"norm\.mean is a running statistic: parameters must say"):
        match(a, b, model.groups())


def test_distances_between_nodes_are_of_parameters():
    model, key = Normalised(35, 6, 10), jax.random.key(0)
    model.norm.mean[...] = jnp.arange(6.0) * 100
    content = {"name": "mine", "model": {"kind": "mlp", "hidden": [6]}, "walk": {"group": "hidden1", "nodes": 3}}
    content |= {"candidates": [[{"widen": "hidden1", "size": 9}]]}
    study = validated(content)
    study = study.model_copy(update={"walk": study.walk.model_copy(update={"group": "dense"})})
    batch = Split(np.zeros(1), np.zeros(1, int))
    walk = MeasuredWalk(study, model, key, batch, batch)
    places = nodes(walk.permutations)[:3]
    network, table, counted = split(model), model.groups()["dense"], ("dense.kernel", *SCALARS, "head.kernel")
    copies = [take(network.weights, table, place) for place in places]
    expected = [
        [distance(*({path: each[path] for path in counted} for each in (c, d))) for d in copies] for c in copies
    ]
    np.testing.assert_allclose(walk.distances(split(model)), expected, rtol=1e-6)


def test_a_network_that_diverged_is_left_in_its_order():
    model = trained("mlp1")
    weights = split(model).weights
    broken = weights | {"hidden1.kernel": weights["hidden1.kernel"] * np.nan}
    assert match(weights, broken, model.groups()) is broken


def test_a_match_with_itself_changes_nothing():
    model = trained("cnn1")
    weights = split(model).weights
    assert match(weights, weights, model.groups()) is weights
