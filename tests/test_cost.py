"""Costs against the networks themselves: every product that JAX would compute, and every weight that Flax holds."""

from __future__ import annotations

import math
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from synthetic import small_study, synthetic

from landscape.analysis import cost
from landscape.barriers import by_activations
from landscape.data.masking import max_predictions
from landscape.data.shapes import examples_of, image_examples
from landscape.models.functional import split
from landscape.models.site import Site
from landscape.study import Study, validated
from landscape.study.presets import preset, presets

pytestmark = [pytest.mark.slow, pytest.mark.compiled_quickly]

SHAPE = (8, 8, 1)


TEXT = {"name": "python-docs", "sequence_length": 20, "vocabulary": 300, "train_size": 8}


def study_of_kind(model: dict, candidates: list, group: str) -> Study:
    data = TEXT if model["kind"] == "bert" else {"name": "digits"}
    return validated({"name": "cost", "data": data, "model": model, "candidates": candidates, "walk": {"group": group}})


STUDIES = [
    study_of_kind({"kind": "mlp", "hidden": [6]}, [[{"widen": "hidden1", "size": 9}]], "hidden1"),
    study_of_kind({"kind": "mlp", "hidden": [6, 5]}, [[{"deepen": "hidden1", "layers": 2}]], "hidden1"),
    study_of_kind(
        {"kind": "cnn", "channels": [4, 6], "dense": [7]},
        [
            [{"widen": "conv*", "factor": 1.5}],
            [{"deepen": "conv1"}, {"deepen": "conv2"}, {"widen": "dense1", "size": 9}],
        ],
        "conv1",
    ),
    study_of_kind({"kind": "cnn", "channels": [4], "dense": []}, [[{"widen": "conv1", "size": 6}]], "conv1"),
    study_of_kind(
        {"kind": "resnet18", "width": 4},
        [
            [{"widen": "*", "factor": 1.5}],
            [{"widen": "stage2_block1", "size": 9}, {"deepen": "stage3"}, {"deepen": "stage2_block1"}],
        ],
        "stage1",
    ),
    study_of_kind(
        {"kind": "bert", "hidden": 8, "heads": 2, "ffn": [6, 7]},
        [
            [{"widen": "ffn*", "factor": 2}],
            [{"deepen": "ffn1"}, {"widen": "ffn2", "size": 9}, {"widen": "heads1", "size": 3}],
        ],
        "ffn1",
    ),
]


@cache
def networks(study: Study) -> list[nnx.Module]:
    from landscape.models.expansion.steps import expand

    examples = examples_of(study.data)
    drawn = nnx.eval_shape(lambda: study.model.build(examples.shape, examples.classes, nnx.Rngs(0)))
    base = jax.tree.map(lambda array: jnp.asarray(np.zeros(array.shape, array.dtype)), split(drawn)).module()
    key = jax.random.key(0)
    found = [base, *(expand(base, candidate, study.expansion, key).model for candidate in study.candidates)]
    for model in found:
        model.eval()
    return found


def products(jaxpr) -> int:
    """Multiply-adds of the dot products and convolutions of a program, from the shapes in it; those that ask for full
    precision pick units and are not counted, what a loop does counts once, and of branches the dearest one does.
    """
    total = 0
    for equation in jaxpr.eqns:
        total += sum(products(inner.jaxpr) for inner in equation.params.values() if hasattr(inner, "jaxpr"))
        total += max((products(branch.jaxpr) for branch in equation.params.get("branches", ())), default=0)
        if equation.params.get("precision") == (jax.lax.Precision.HIGHEST,) * 2:
            continue
        shapes = [each.aval.shape for each in equation.invars[:2]]
        if equation.primitive.name == "dot_general":
            (contracted, _), _ = equation.params["dimension_numbers"]
            total += math.prod(equation.outvars[0].aval.shape) * math.prod(shapes[0][axis] for axis in contracted)
        if equation.primitive.name == "conv_general_dilated":
            total += math.prod(equation.outvars[0].aval.shape) * math.prod(shapes[1][:-1])
    return total


def one_input(study: Study):
    if study.data.modality == "text":
        length = study.data.sequence_length
        return {"tokens": jnp.zeros((1, length), int), "positions": jnp.zeros((1, max_predictions(length)), int)}
    return jnp.zeros((1, *SHAPE))


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: ", ".join(study.labels))
def test_counts_are_those_of_the_networks(study: Study):
    found = networks(study)
    weights = [sum(leaf.size for leaf in jax.tree.leaves(nnx.state(model, nnx.Param))) for model in found]
    programs = [jax.make_jaxpr(model)(one_input(study)) for model in found]
    assert cost.parameters(study) == weights
    assert cost.multiply_adds(study) == [products(program.jaxpr) for program in programs]


MLP, CNN, RESNET, BERT = (STUDIES[i] for i in (1, 2, 4, 5))


@pytest.mark.parametrize(
    ("study", "group"),
    [
        (MLP, "hidden1"),
        (MLP, "hidden2"),
        (CNN, "conv1"),
        (CNN, "conv2"),
        (RESNET, "stage1"),
        (RESNET, "stage2"),
        (RESNET, "stage4"),
        (RESNET, "stage2_block1"),
        (RESNET, "stage3_block2"),
        (BERT, "ffn1"),
        (BERT, "value1"),
    ],
)
def test_midpoints_are_counted_as_the_fast_form_computes_them(study: Study, group: str):
    """What each example adds; a product of weights alone is made once for all of them."""
    walked = study.model_copy(update={"walk": study.walk.model_copy(update={"group": group})})

    def traced(model: nnx.Module, examples: int) -> int:
        site = Site(split(model), group)
        moves = by_activations.moves(swaps(model.groups()[group].size(site.network.weights)))
        one = by_activations.Points(moves, np.array([0.5]))
        inputs = jax.tree.map(lambda array: jnp.repeat(array, examples, 0), one_input(study))
        shared = jax.eval_shape(by_activations.common, site, inputs)
        changes = partial(by_activations.feature_changes, points=one, count=1, turns=True)
        return products(jax.make_jaxpr(changes)(site, shared).jaxpr)

    def midpoint(model: nnx.Module) -> int:
        head = model.cut(group).head
        decoded = 0 if head is None else math.prod(head[0].shape) * max_predictions(study.data.sequence_length)
        return traced(model, 2) - traced(model, 1) + decoded

    assert cost.midpoint_multiply_adds(walked) == [midpoint(model) for model in networks(study)]


def swaps(units: int) -> np.ndarray:
    """A step of the walk that moves as many units as one can."""
    moved = np.arange(units)
    for a in range(0, min(units - 1, 2 * math.ceil(math.log2(units))), 2):
        moved[[a, a + 1]] = moved[[a + 1, a]]
    return moved[None]


def test_digits_are_described_as_they_load():
    from landscape.data import load
    from landscape.study.examples import DataSpec

    loaded, found = load(DataSpec()), image_examples("digits")
    assert found.shape == loaded.train.inputs.shape[1:]
    assert found.classes == loaded.classes
    assert found.labelled == len(loaded.train) + len(loaded.validation)


def test_an_unknown_set_is_named():
    with pytest.raises(ValueError, match="nowhere"):
        image_examples("nowhere")


def test_the_estimate_of_the_reference_itself_is_its_time():
    study = small_study()
    dataset = synthetic(study, np.random.default_rng(0))
    found = cost.estimate(study, dataset, 12.5)  # its base trained for all of its epochs
    assert found == pytest.approx(12.5, rel=0.2)


def test_every_preset_that_says_how_much_it_trains_on_can_be_priced():
    for name, study in presets().items():
        if study.data.train_size is not None:
            assert min(cost.work(study)) > 0, name


def test_the_nearest_study_is_of_the_same_kind_then_of_a_near_size():
    names = ("digits-mlp", "mlp-cifar10", "cnn-cifar10", "tinybert")
    others = [preset(name) for name in names]
    for name, expected in (
        ("cnn-cifar100", "cnn-cifar10"),
        ("minibert", "tinybert"),
        ("mlp-cifar10-paper", "mlp-cifar10"),
    ):
        assert cost.nearest(preset(name), others).name == expected
    assert cost.nearest(preset("tinybert"), []) is None
    tried, asked = (preset("digits-mlp").scaled(seeds=seeds, epochs=seeds) for seeds in (1, 3))
    for both in ((tried, others[0]), (others[0], tried)):
        assert cost.nearest(asked, both) == others[0], "not one that was only tried out"


def test_work_grows_in_proportion_to_what_is_repeated():
    study = small_study()
    flat = study.model_copy(update={"walk": study.walk.model_copy(update={"surface": 0})})
    assert cost.work(flat.scaled(seeds=8)) == pytest.approx([2 * part for part in cost.work(flat)])
    twice = cost.work(study.scaled(permutations=120))
    assert (twice.train, twice.barriers) == pytest.approx((cost.work(study).train, 2 * cost.work(study).barriers))


def test_a_reference_without_times_is_refused():
    dataset = synthetic(small_study(), np.random.default_rng(0))
    dataset["seconds"].values[:] = np.nan
    with pytest.raises(ValueError, match="how long"):
        cost.estimate(small_study(), dataset, 1.0)
