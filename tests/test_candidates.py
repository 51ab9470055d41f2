"""Candidates of a study as its file writes them down: each kind of model widened, deepened and widened again."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from numpy.testing import assert_allclose
from scipy.special import log_softmax
from trained import LENGTH, SPECS, trained

from landscape.barriers.midpoint import midpoint_barriers
from landscape.barriers.walk import compose, draw_swaps, permute
from landscape.data.split import IGNORED
from landscape.models.expansion.steps import expand
from landscape.models.functional import Network, Weights, split
from landscape.models.site import Site
from landscape.models.symmetry import named_group, take
from landscape.study import Study, validated

pytestmark = [pytest.mark.slow, pytest.mark.compiled_quickly]

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
    "minibert": [{"widen": "ffn1", "factor": 4}, {"deepen": "ffn3"}, {"widen": "ffn*", "factor": 5}],
}
WALKED = {  # the group of the study, and one that its steps insert
    "mlp": ("hidden1", "hidden1_1"),
    "cnn-cifar10": ("conv1", "conv1_1"),
    "cnn-cifar100": ("conv1", "conv3_2"),
    "resnet18": ("stage1_block1", "stage1_2"),
    "tinybert": ("ffn1", "ffn1_1"),
    "minibert": ("ffn1", "ffn3_1"),
}


@cache
def study(name: str) -> Study:
    data = {"name": "python-docs", "sequence_length": LENGTH} if "bert" in name else {"name": "digits"}
    content = {"data": data, "model": SPECS[name].model_dump(), "walk": {"group": WALKED[name][0]}}
    return validated(content | {"name": name, "candidates": [STEPS[name]]})


@cache
def expanded(name: str) -> nnx.Module:
    return expand(trained(name).model, study(name).candidates[0], study(name).expansion, KEY).model


@jax.jit
def in_both_modes(network: Network, inputs: Any) -> tuple[jax.Array, jax.Array]:
    """Logits in evaluation and in training, in which BatchNorm reads the batch's own statistics.

    They are one program, for where the modes are the same it is compiled as one.
    """
    model = network.module()
    model.train()
    return network.logits(inputs), model(jax.tree.map(jnp.asarray, inputs))


def outputs(name: str, network: Network) -> tuple[np.ndarray, np.ndarray]:
    evaluating, training = in_both_modes(network, trained(name).inputs)
    return np.asarray(evaluating), np.asarray(training)


def loss(name: str, weights: Weights) -> float:
    """Mean cross-entropy of the expanded network with these weights, by SciPy in float64."""
    logits = outputs(name, split(expanded(name)).replace(weights))[0].astype(np.float64)
    targets = trained(name).targets
    chosen = np.take_along_axis(log_softmax(logits, -1), np.maximum(targets, 0)[..., None], -1)[..., 0]
    return -chosen[targets != IGNORED].mean()


@pytest.mark.parametrize("name", SPECS)
def test_the_function_is_preserved_in_evaluation_and_in_training(name: str):
    (expected, in_training), found = (outputs(name, split(each)) for each in (trained(name).model, expanded(name)))
    assert np.ptp(expected, 0).min() > 0.1
    assert_allclose(found[0], expected, atol=1e-5)
    # BatchNorm divides rounding by the spread of 8 examples
    assert_allclose(found[1], in_training, atol=5e-5)


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
    permuted = split(permute(model, group, steps[0]))
    assert_allclose(outputs(name, permuted)[0], outputs(name, split(base.model))[0], atol=1e-5)
    assert Site(split(model), group).cut() is not None
    fast = midpoint_barriers(model, steps, base.inputs, base.targets, group=group)
    assert_allclose(fast, by_definition(name, group, steps), atol=2e-6)
    if group in base.model.groups():  # of an inserted identity block nothing is read yet
        assert fast.max() > 1e-5


def by_definition(name: str, group: str, steps: np.ndarray) -> np.ndarray:
    """Algorithm 1, every array of consecutive nodes averaged, by networks run as a whole."""
    nodes = [split(expanded(name)).weights]
    for step in steps:
        nodes.append(take(nodes[-1], named_group(expanded(name), group), step))
    nodes = jax.tree.map(np.asarray, nodes)
    losses = [loss(name, node) for node in nodes]
    middles = [loss(name, {path: (a[path] + b[path]) / 2 for path in a}) for a, b in pairwise(nodes)]
    return np.array([abs(middle - (a + b) / 2) for middle, (a, b) in zip(middles, pairwise(losses), strict=True)])
