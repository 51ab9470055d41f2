"""Networks filled up with dead units: the same numbers, from programs that networks of several widths share."""

import jax
import numpy as np
import pytest
from flax import nnx
from trained import drawn

from landscape.barriers.midpoint import midpoint_barriers
from landscape.barriers.walk import compose, draw_swaps
from landscape.data import Data, Split
from landscape.models.cnn import cnn
from landscape.models.expansion.filling import CHANNELS, MOST, STEP, filling
from landscape.models.functional import split
from landscape.models.mlp import mlp
from landscape.proxies import timed_scores
from landscape.study import Training
from landscape.training.fit import fit

pytestmark = pytest.mark.compiled_quickly

FEATURES, CLASSES = 12, 3


def network(*hidden):
    return drawn(lambda: mlp(FEATURES, hidden, CLASSES, nnx.Rngs(0)))


def filled(model):
    network = split(model)
    return filling(network).module(network.weights)


@pytest.fixture(scope="module")
def examples():
    generator = np.random.default_rng(0)
    labels = np.arange(200) % CLASSES
    inputs = generator.normal(size=(200, FEATURES)) + np.eye(CLASSES, FEATURES)[labels]
    return Split(inputs.astype(np.float32), labels.astype(np.int32))


@pytest.mark.parametrize("hidden", [(5,), (STEP,), (7, 40), (STEP + 1, 4)])
def test_cutting_undoes_filling(hidden):
    model = network(*hidden)
    weights = split(model).weights
    larger = split(filled(model)).weights
    found = filling(split(model)).cut(larger)
    assert all((found[path] == weights[path]).all() for path in weights)
    assert all(
        not size % STEP for path, array in larger.items() if path.startswith("hidden") for size in array.shape[-1:]
    )
    assert all(np.count_nonzero(larger[path]) == np.count_nonzero(weights[path]) for path in weights)


def test_networks_of_several_widths_share_their_programs():
    networks = [split(filled(network(*hidden))) for hidden in ((5, 6), (STEP, 8), (31, STEP))]
    first, *others = (jax.tree.map(lambda array: (array.shape, array.dtype), each) for each in networks)
    assert all(each == first for each in others)


@pytest.mark.parametrize(
    "build",
    [
        lambda: network(MOST),
        lambda: cnn((32, 32, 3), (4, 6), (5,), 3, nnx.Rngs(0)),
        lambda: nnx.Linear(3, 4, rngs=nnx.Rngs(0)),
    ],
)
def test_large_networks_and_other_classes_stay_as_they_are(build):
    model = build()
    assert jax.tree.map(np.shape, split(filled(model))) == jax.tree.map(np.shape, split(model))


def images(*channels):
    return drawn(lambda: cnn((4, FEATURES // 4, 1), channels, (5,), CLASSES, nnx.Rngs(0)))


CASES = [(network, (6, 5), "hidden1"), (images, (4, 6), "conv1"), (images, (4, 6), "conv2")]


def inputs_of(build, examples):
    return examples if build is network else Split(examples.inputs.reshape(-1, 4, FEATURES // 4, 1), examples.targets)


def test_convolutions_of_several_widths_share_their_programs():
    networks = [split(filled(images(*channels))) for channels in ((3, 6), (CHANNELS, 5))]
    first, second = (jax.tree.map(lambda array: (array.shape, array.dtype), each) for each in networks)
    assert first == second
    assert networks[0].weights["conv2.kernel"].shape[-2:] == (CHANNELS, CHANNELS)


@pytest.mark.parametrize(("build", "widths", "optimizer"), [(network, (6, 5), "adam"), (images, (4, 6), "adamw")])
def test_dead_units_stay_dead_and_change_no_training(examples, build, widths, optimizer):
    examples = inputs_of(build, examples)
    model, data = build(*widths), Data(examples, examples, CLASSES, None)
    training = Training(batch_size=20, optimizer=optimizer, weight_decay=0.1, learning_rate=1e-2)
    own, larger = (
        [epoch[0] for epoch in fit([each], data, training, 3, [jax.random.key(1)])] for each in (model, filled(model))
    )
    for one, other in zip(own, larger, strict=True):
        cut = filling(split(model)).cut(other.weights)
        again = split(filling(split(model)).module(cut)).weights
        assert all((again[path] == other.weights[path]).all() for path in again)
        for path, array in one.weights.items():
            np.testing.assert_allclose(cut[path], array, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(other.validation_loss, one.validation_loss, rtol=1e-5)


@pytest.mark.parametrize(("build", "widths", "group"), CASES)
def test_a_walk_and_the_predictors_are_those_of_the_network(examples, build, widths, group):
    examples, model = inputs_of(build, examples), build(*widths)
    units = model.groups()[group].size(split(model).weights)
    steps = compose(draw_swaps(jax.random.key(2), 20, units), units)
    longer = filling(split(model)).permutations(steps, group)
    own, larger = (
        midpoint_barriers(each, walk, *examples, group=group)
        for each, walk in ((model, steps), (filled(model), longer))
    )
    np.testing.assert_allclose(larger, own, rtol=1e-4, atol=1e-7)
    scores = [timed_scores(each, *examples) for each in (model, filled(model))]
    for name, score in scores[0].items():
        np.testing.assert_allclose(scores[1][name].value, score.value, rtol=1e-4)
