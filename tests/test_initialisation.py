from __future__ import annotations

import jax
import numpy as np
import pytest
from flax import nnx
from scipy.stats import kstest

from landscape.jobs.tasks.networks import abstract_network, untrained
from landscape.models.functional import split
from landscape.models.initializers import drawn_as_pytorch
from landscape.study import validated
from landscape.study.member import Member

pytestmark = pytest.mark.compiled_quickly

KEY = jax.random.key(5)


class Mixed(nnx.Module):
    """One layer of each type that is drawn, a grouped one and one without bias, and two that are not."""

    def __init__(self, rngs: nnx.Rngs):
        self.dense = nnx.Linear(40, 50, rngs=rngs)
        self.conv = nnx.Conv(6, 30, (3, 5), use_bias=False, rngs=rngs)
        self.grouped = nnx.Conv(40, 80, (3, 3), feature_group_count=10, rngs=rngs)
        self.norm = nnx.LayerNorm(40, rngs=rngs)
        self.embed = nnx.Embed(9, 40, rngs=rngs)


def test_kernels_and_biases_have_the_law_of_pytorch():
    """Uniform on ±1/√fan_in, which counts the inputs that one output reads."""
    found = split(drawn_as_pytorch(Mixed(nnx.Rngs(0)), KEY)).weights
    for layer, fan_in in {"dense": 40, "conv": 6 * 3 * 5, "grouped": 4 * 3 * 3}.items():
        drawn = [np.ravel(array) for path, array in found.items() if path.startswith(layer)]
        values = np.concatenate(drawn) * np.sqrt(fan_in)
        assert kstest(values, "uniform", (-1, 2)).pvalue > 0.01
        assert len(set(values.tolist())) > 0.99 * len(values)


def test_other_layers_and_the_network_itself_stay():
    model = Mixed(nnx.Rngs(0))
    before, found = split(model).weights, split(drawn_as_pytorch(model, KEY)).weights
    kept = {path for path in before if np.array_equal(before[path], found[path])}
    assert kept == {"norm.scale", "norm.bias", "embed.embedding"}
    np.testing.assert_array_equal(
        split(Mixed(nnx.Rngs(0))).weights["dense.kernel"], split(model).weights["dense.kernel"]
    )


def test_a_study_draws_as_it_says():
    content = {"name": "mine", "model": {"kind": "mlp", "hidden": [6]}, "walk": {"group": "hidden1"}}
    content |= {"candidates": [[{"widen": "hidden1", "size": 9}]], "data": {"train_size": 50, "validation_size": 50}}
    members = {
        name: Member(validated(content | {"training": {"initialisation": name}}), 0) for name in ("flax", "pytorch")
    }
    flax, pytorch, other = (
        untrained(members[name], seed) for name, seed in (("flax", 0), ("pytorch", 0), ("pytorch", 1))
    )
    assert abstract_network(members["pytorch"]).hidden1.kernel.shape == (64, 6)
    assert not flax.hidden1.bias[...].any()
    assert pytorch.hidden1.bias[...].all()
    assert not np.array_equal(pytorch.hidden1.bias[...], other.hidden1.bias[...])
