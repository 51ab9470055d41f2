"""Costs against the networks themselves: every product that JAX would compute, and every weight that Flax holds."""

from __future__ import annotations

import math
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from synthetic import small_study, synthetic

from landscape import cost
from landscape.study import Study, validated

SHAPE = (8, 8, 1)


def study_of_kind(model: dict, candidates: list, group: str) -> Study:
    return validated({"name": "cost", "model": model, "candidates": candidates, "walk": {"group": group}})


STUDIES = [
    study_of_kind({"kind": "mlp", "hidden": [6]}, [[{"widen": "hidden1", "size": 9}]], "hidden1"),
    study_of_kind({"kind": "mlp", "hidden": [6, 5]}, [[{"deepen": "hidden1", "layers": 2}]], "hidden1"),
    study_of_kind(
        {"kind": "cnn", "channels": [4, 6], "dense": [7]},
        [
            [{"widen": "conv*", "factor": 1.5}],
            [{"deepen": "conv1"}],
            [{"deepen": "conv2"}, {"widen": "dense1", "size": 9}],
        ],
        "conv1",
    ),
    study_of_kind({"kind": "cnn", "channels": [4], "dense": []}, [[{"widen": "conv1", "size": 6}]], "conv1"),
]


def networks(study: Study) -> list[nnx.Module]:
    from landscape.expand import expand
    from landscape.models import build

    base = build(study.model, SHAPE, 10, nnx.Rngs(0))
    key = jax.random.key(0)
    return [base, *(expand(base, candidate, study.expansion, key) for candidate in study.candidates)]


def products(jaxpr) -> int:
    """Multiply-adds of the dot products and convolutions of a program, from the shapes in it."""
    total = 0
    for equation in jaxpr.eqns:
        total += sum(products(inner.jaxpr) for inner in equation.params.values() if hasattr(inner, "jaxpr"))
        shapes = [each.aval.shape for each in equation.invars[:2]]
        if equation.primitive.name == "dot_general":
            (contracted, _), _ = equation.params["dimension_numbers"]
            total += math.prod(equation.outvars[0].aval.shape) * math.prod(shapes[0][axis] for axis in contracted)
        if equation.primitive.name == "conv_general_dilated":
            total += math.prod(equation.outvars[0].aval.shape) * math.prod(shapes[1][:-1])
    return total


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: ", ".join(study.labels))
def test_counts_are_those_of_the_networks(study: Study):
    found = networks(study)
    weights = [sum(leaf.size for leaf in jax.tree.leaves(nnx.state(model, nnx.Param))) for model in found]
    programs = [jax.make_jaxpr(model)(jnp.zeros((1, *SHAPE))) for model in found]
    assert cost.parameters(study) == weights
    assert cost.multiply_adds(study) == [products(program.jaxpr) for program in programs]


def test_digits_are_described_as_they_load():
    from landscape.data import load
    from landscape.study import DataSpec

    loaded, described = load(DataSpec()), cost.examples("digits")
    assert described.shape == loaded.train.inputs.shape[1:]
    assert described.classes == loaded.classes
    assert described.labelled == len(loaded.train) + len(loaded.validation)


def test_an_unknown_set_is_named():
    with pytest.raises(ValueError, match="nowhere"):
        cost.examples("nowhere")


def test_the_estimate_of_the_reference_itself_is_its_time():
    study = small_study()
    dataset = synthetic(study, np.random.default_rng(0))
    found = cost.estimate(study, dataset, 12.5)  # its base trained for all of its epochs
    assert found == pytest.approx((12.5, 1.0), rel=0.2)


def test_work_grows_in_proportion_to_what_is_repeated():
    study = small_study()
    seeds = cost.work(study.scaled(seeds=8))
    assert seeds == pytest.approx([2 * part for part in cost.work(study)])
    twice = cost.work(study.scaled(permutations=120))
    assert (twice.train, twice.barriers) == pytest.approx((cost.work(study).train, 2 * cost.work(study).barriers))


def test_a_reference_without_times_is_refused():
    dataset = synthetic(small_study(), np.random.default_rng(0))
    dataset["seconds"].values[:] = np.nan
    with pytest.raises(ValueError, match="how long"):
        cost.estimate(small_study(), dataset, 1.0)


def test_no_jax():
    code = "import sys, landscape.cost; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
