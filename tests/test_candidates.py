"""Candidates of a study as its file writes them down: each kind of model widened, deepened and widened again."""

from __future__ import annotations

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from numpy.testing import assert_allclose
from trained import LENGTH, SPECS, trained

from landscape.barriers.midpoint import midpoint_barriers
from landscape.barriers.walk import compose, draw_swaps, permute
from landscape.models.functional import Network, split
from landscape.models.net2net import expand
from landscape.models.site import Site
from landscape.models.symmetry import named_group
from landscape.study import Study, validated

pytestmark = pytest.mark.slow

KEY = jax.random.key(7)

STEPS: dict[str, list[dict[str, Any]]] = {
    "mlp": [{"widen": "*", "factor": 1.5}, {"deepen": "hidden1", "layers": 2}, {"widen": "hidden1_1", "size": 20}],
    "cnn-cifar10": [{"widen": "conv1", "size": 9}, {"deepen": "conv1"}, {"widen": "conv*", "factor": 1.5}],
    "cnn-cifar100": [{"widen": "*", "factor": 1.25}, {"deepen": "conv3", "layers": 2}, {"widen": "conv3*", "size": 11}],
    "resnet18": [
        {"widen": "*", "factor": 1.25},
        {"deepen": "stage1", "layers": 2},
        {"deepen": "stage3_block1"},
        {"widen": "stage1*", "factor": 1.5},
        {"widen": "stage3*", "factor": 1.2},
    ],
    "tinybert": [
        {"widen": "ffn*", "factor": 1.5},
        {"widen": "heads1", "size": 5},
        {"deepen": "ffn1", "layers": 2},
        {"widen": "ffn1_1", "size": 21},
    ],
    "minibert": [{"widen": "ffn1", "factor": 4}, {"deepen": "ffn4"}, {"widen": "ffn*", "factor": 5}],
}
WALKED = {  # the group of the study, and one that its steps insert
    "mlp": ("hidden1", "hidden1_1"),
    "cnn-cifar10": ("conv1", "conv1_1"),
    "cnn-cifar100": ("conv1", "conv3_2"),
    "resnet18": ("stage1_block1", "stage1_2"),
    "tinybert": ("ffn1", "ffn1_1"),
    "minibert": ("ffn1", "ffn4_1"),
}


@cache
def study(name: str) -> Study:
    data = {"name": "python-docs", "sequence_length": LENGTH} if "bert" in name else {"name": "digits"}
    content = {"data": data, "model": SPECS[name].model_dump(), "walk": {"group": WALKED[name][0]}}
    return validated(content | {"name": name, "candidates": [STEPS[name]]})


@cache
def expanded(name: str) -> nnx.Module:
    return expand(trained(name).model, study(name).candidates[0], study(name).expansion, KEY)


def training(name: str, model: nnx.Module) -> np.ndarray:
    """Logits in training mode, in which BatchNorm reads the batch's own statistics."""
    return np.asarray(forward_in_training(split(model), jax.tree.map(jnp.asarray, trained(name).inputs)))


@jax.jit
def forward_in_training(network: Network, inputs: Any) -> jax.Array:
    model = network.module()
    model.train()
    return model(inputs)


@pytest.mark.parametrize("name", SPECS)
def test_the_function_is_preserved_in_evaluation_and_in_training(name: str):
    base, model = trained(name), expanded(name)
    expected = base.outputs()
    assert np.ptp(expected, 0).min() > 0.1
    assert_allclose(base.outputs(model), expected, atol=1e-5)
    # BatchNorm divides rounding by the spread of 8 examples
    assert_allclose(training(name, model), training(name, base.model), atol=5e-5)


@pytest.mark.parametrize("name", SPECS)
def test_it_is_as_wide_and_as_deep_as_the_study_says(name: str):
    weights, groups = split(expanded(name)).weights, expanded(name).groups()
    base, found = study(name).group_sizes()
    assert found.keys() > base.keys() and all(found[group] >= base[group] for group in base)
    assert {group: groups[group].size(weights) for group in found} == found


@pytest.mark.parametrize(("name", "group"), [(name, group) for name in SPECS for group in WALKED[name]])
def test_it_is_permuted_and_its_fast_barriers_are_those_of_the_definition(name: str, group: str):
    base, model = trained(name), expanded(name)
    units = named_group(model, group).size(split(model).weights)
    steps = compose(draw_swaps(KEY, 4, units), units)
    assert_allclose(base.outputs(permute(model, group, steps[0])), base.outputs(), atol=1e-5)
    assert Site(split(model), group).cut() is not None
    fast, reference = (
        midpoint_barriers(model, steps, base.inputs, base.targets, group=group, method=method)
        for method in ("fast", "reference")
    )
    assert_allclose(fast, reference, atol=2e-6)
    if group in base.model.groups():  # of an inserted identity block nothing is read yet
        assert fast.max() > 1e-5
