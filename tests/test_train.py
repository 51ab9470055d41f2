from __future__ import annotations

import math
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import Normalised, data, initial, trained
from scipy.special import log_softmax, softmax

from landscape.barriers.midpoint import midpoint_barriers
from landscape.barriers.walk import permute
from landscape.data import Data, Split
from landscape.models.functional import split, trainable
from landscape.models.net2net import widen
from landscape.models.prng import host_generator
from landscape.numerics.loss import IGNORED
from landscape.numerics.memory import tree_bytes
from landscape.study import Training
from landscape.training import epoch as steps_module
from landscape.training import evaluate as evaluation
from landscape.training.epoch import Plan
from landscape.training.evaluate import evaluate
from landscape.training.fit import Epoch, _batches, early_stopped, fit

pytestmark = [pytest.mark.slow, pytest.mark.compiled_quickly]

KEY = jax.random.key(5)


class Linear(nnx.Module):
    """Softmax regression, whose gradient is known by hand."""

    def __init__(self):
        self.layer = nnx.Linear(3, 4, kernel_init=nnx.initializers.ones, rngs=nnx.Rngs(0))

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.layer(x)


def alone(model: nnx.Module, data: Data, training: Training, epochs: int, key: jax.Array, *progress) -> Iterator[Epoch]:
    """The epochs of one network."""
    return (reached for (reached,) in fit([model], data, training, epochs, [key], *progress))


def small(examples: int = 12, validation: int = 5) -> Data:
    rng = np.random.default_rng(0)

    def draw(n: int) -> Split:
        return Split(rng.normal(size=(n, 3)).astype(np.float32), rng.integers(0, 4, n).astype(np.int32))

    return Data(draw(examples), draw(validation), 4)


def mean_loss(w: np.ndarray, x: np.ndarray, y: np.ndarray) -> float:
    """Of softmax regression; the last row of `w` is the bias."""
    return -log_softmax(x @ w[:-1] + w[-1], axis=1)[np.arange(len(y)), y].mean()


def by_hand(training: Training, steps: int, examples: Split) -> Iterator[tuple[np.ndarray, float]]:
    """Adam (Kingma & Ba, algorithm 1) with decoupled weight decay (Loshchilov & Hutter), in float64, full batches."""
    x, y = examples.inputs.astype(np.float64), examples.targets
    w, m, v = np.vstack([np.ones((3, 4)), np.zeros(4)]), np.zeros((4, 4)), np.zeros((4, 4))
    decay = training.weight_decay if training.optimizer == "adamw" else 0.0
    for t in range(1, steps + 1):
        before = mean_loss(w, x, y)
        error = (softmax(x @ w[:-1] + w[-1], axis=1) - np.eye(4)[y]) / len(y)
        g = np.vstack([x.T @ error, error.sum(0)])
        m, v = (b * old + (1 - b) * new for b, old, new in ((training.b1, m, g), (training.b2, v, g * g)))
        step = m / (1 - training.b1**t) / (np.sqrt(v / (1 - training.b2**t)) + 1e-8)
        w = w - rate(training, t - 1, steps) * (step + decay * w)
        yield w, before


def rate(training: Training, done: int, steps: int) -> float:
    """Linear warm-up from 0, then half a cosine down to 0 at the last step."""
    peak, warm = training.learning_rate, training.warmup_steps
    if training.schedule == "constant":
        return peak
    if done < warm:
        return peak * done / warm
    return peak * (1 + math.cos(math.pi * (done - warm) / (steps - warm))) / 2


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
@pytest.mark.parametrize("optimizer", ["adamw", "adam"])
def test_weights_and_losses_follow_the_optimiser_by_hand(optimizer, schedule):
    examples = small()
    training = Training(
        optimizer=optimizer, schedule=schedule, learning_rate=0.1, weight_decay=0.3, b1=0.8, b2=0.95,
        warmup_steps=2, batch_size=12,
    )  # fmt: skip
    start, *epochs = alone(Linear(), examples, training, 6, KEY)
    assert start.epoch == 0
    assert np.isnan(start.train_loss)
    assert np.isnan(start.sotl_e)
    for epoch, (w, loss) in zip(epochs, by_hand(training, 6, examples.train), strict=True):
        np.testing.assert_allclose(epoch.weights["layer.kernel"], w[:-1], rtol=2e-4, atol=1e-5)
        np.testing.assert_allclose(epoch.weights["layer.bias"], w[-1], rtol=2e-4, atol=1e-5)
        assert float(epoch.train_loss) == pytest.approx(loss, rel=1e-4)
        validation = mean_loss(w, *examples.validation)
        assert float(epoch.validation_loss) == pytest.approx(validation, rel=1e-4)


def test_epochs_are_counted_and_their_losses_summed():
    """12 examples in batches of 5: two steps an epoch."""
    seen = []
    training = Training(batch_size=5)
    epochs = list(alone(Linear(), small(), training, 3, KEY, lambda *at: seen.append(at)))
    assert [epoch.epoch for epoch in epochs] == [0, 1, 2, 3]
    assert seen == [(1, 3), (2, 3), (3, 3)]
    for epoch in epochs[1:]:
        assert float(epoch.sotl_e) == pytest.approx(2 * float(epoch.train_loss), rel=1e-6)
        assert 0 <= float(epoch.validation_accuracy) <= 1


def test_the_key_decides_the_order_and_nothing_else_does():
    def losses(seed: int) -> list[float]:
        _, *epochs = alone(Linear(), small(), Training(batch_size=4), 2, jax.random.key(seed))
        return [float(epoch.train_loss) for epoch in epochs]

    assert losses(1) == losses(1) != losses(2)


@pytest.mark.parametrize("warmup_steps", [2, 3, 1000])
def test_a_warm_up_longer_than_training_ends_with_it(warmup_steps):
    """Two steps: the first at rate 0, the second at most at the peak."""
    training = Training(schedule="cosine", warmup_steps=warmup_steps, learning_rate=0.1, batch_size=12)
    start, first, second = alone(Linear(), small(), training, 2, KEY)
    kernels = [np.asarray(epoch.weights["layer.kernel"]) for epoch in (start, first, second)]
    np.testing.assert_array_equal(kernels[0], kernels[1])
    assert 0 < np.abs(kernels[2] - kernels[1]).max() < 0.11


def test_no_epochs_leave_the_start():
    model = Linear()
    (start,) = alone(model, small(), Training(batch_size=4), 0, KEY)
    for path, array in split(model).weights.items():
        np.testing.assert_array_equal(start.weights[path], array)


@settings(max_examples=30)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 2**31))
def test_an_epoch_uses_no_example_twice(size, extra, seed):
    examples = size + extra
    batches = _batches(np.random.default_rng(seed), examples, size)
    assert batches.shape == (examples // size, size)
    used = batches.ravel().tolist()
    assert len(set(used)) == len(used)
    assert set(used) <= set(range(examples))


@pytest.mark.parametrize("name", ["mlp1", "cnn1"])
def test_every_form_of_an_epoch_does_the_same(name):
    """Two networks, each on its own order: in turn, by a program each, and together."""
    states, orders = [], []
    for seed in range(2):
        network = initial(name, seed)
        plan = Plan(Training(learning_rate=0.01), 3, trainable(network.module()))
        states.append(plan.begin(network))
        orders.append(np.random.default_rng(seed).permutation(60).reshape(3, 20).astype(np.int32))
    examples = jax.device_put(data().train)
    forms = (steps_module.in_turn, steps_module.scanned, steps_module.together)
    first, *others = (form(plan, states, [examples] * 2, orders) for form in forms)
    for other in others:
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), first, other)


@pytest.mark.parametrize("memory", [None, 10**6, 10**9])
def test_networks_trained_beside_others_go_their_own_way(memory, monkeypatch):
    """Whether they take turns, or the memory of an accelerator holds one, or all of them; text-like masks included."""
    monkeypatch.setattr(steps_module, "device_bytes", lambda: memory)
    examples, training = small(), Training(batch_size=4, learning_rate=0.05)
    shifted = examples._replace(
        remask=lambda draws: Split(examples.train.inputs + np.float32(draws.normal()), examples.train.targets)
    )
    keys = [jax.random.key(seed) for seed in range(3)]
    for case in (examples, shifted):
        beside = list(fit([Linear() for _ in keys], case, training, 2, keys))
        for i, key in enumerate(keys):
            for epoch, other in zip(
                [epochs[i] for epochs in beside], alone(Linear(), case, training, 2, key), strict=True
            ):
                jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), epoch, other)


def test_an_accelerator_trains_as_many_networks_as_its_memory_holds(monkeypatch):
    network = initial("mlp1", 0)
    plan = Plan(Training(batch_size=20), 3, trainable(network.module()))
    case = (plan, plan.begin(network), [jax.device_put(data().train)])
    for memory, least, most in ((10**3, 1, 1), (10**7, 2, 999), (10**12, 1000, 1000)):
        monkeypatch.setattr(steps_module, "device_bytes", lambda memory=memory: memory)
        form, at_once = steps_module.chosen_form(*case, 1000)
        assert form is steps_module.together
        assert least <= at_once <= most
    monkeypatch.setattr(steps_module, "needed", lambda *args, **kwargs: 10**6)
    one = 10**6 + tree_bytes(case[1])
    for networks, expected in (
        (0.5, [1, 1, 1]),
        (1.9, [1, 1, 1]),
        (2.6, [1, 2, 2]),
        (3.3, [1, 3, 3]),
        (9.9, [1, 3, 5]),
    ):
        limit = networks * one / steps_module.MEMORY_FRACTION
        monkeypatch.setattr(steps_module, "device_bytes", lambda limit=limit: limit)
        assert [steps_module.chosen_form(*case, count)[1] for count in (1, 3, 10)] == expected


def test_networks_with_convolutions_take_turns_on_an_accelerator_too(monkeypatch):
    network = initial("cnn1", 0)
    plan = Plan(Training(batch_size=20), 3, trainable(network.module()))
    monkeypatch.setattr(steps_module, "device_bytes", lambda: 10**12)
    assert steps_module.chosen_form(plan, plan.begin(network), [data().train], 10) == (steps_module.scanned, 1)


def test_a_batch_larger_than_the_data_is_refused():
    with pytest.raises(ValueError, match=r"training\.batch_size = 13 is larger than the 12 training examples"):
        next(alone(Linear(), small(), Training(batch_size=13), 1, KEY))


@pytest.mark.parametrize("batch", [1, 7, 22, 23, 1000])
def test_evaluation_in_padded_batches_is_the_plain_mean(batch, monkeypatch):
    """Also where nothing in the last batch is to be predicted."""
    monkeypatch.setattr(evaluation, "EVALUATION_LOGITS", 10 * batch + 9)
    jax.clear_caches()
    network = split(trained("mlp1"))
    inputs, targets = (np.array(each[:23]) for each in data().train)
    targets[22] = IGNORED
    loss, right = evaluate(network, Split(inputs, targets))
    outputs, targets = np.asarray(network.logits(inputs), np.float64)[:22], targets[:22]
    assert float(loss) == pytest.approx(-log_softmax(outputs, axis=1)[np.arange(22), targets].mean(), rel=1e-6)
    assert float(right) == pytest.approx((outputs.argmax(1) == targets).mean(), rel=1e-6)


@pytest.mark.parametrize("size", [1, 4])
def test_batches_with_nothing_to_predict_leave_no_trace_in_the_losses(size):
    """The mean is over the other batches, and SoTL-E their sum. At rate 0 every batch has the loss of the start."""
    examples = small()
    targets = np.where(np.arange(12) < 7, examples.train.targets, IGNORED)
    train = Split(examples.train.inputs, targets)
    training = Training(batch_size=size, learning_rate=1e-30, weight_decay=0)
    _, epoch = alone(Linear(), Data(train, examples.validation, 4), training, 1, KEY)
    order = _batches(host_generator(KEY, 1), 12, size)
    w = np.vstack([np.ones((3, 4)), np.zeros((1, 4))])
    there = [rows[targets[rows] != IGNORED] for rows in order]
    losses = [mean_loss(w, train.inputs[rows], targets[rows]) for rows in there if len(rows)]
    assert float(epoch.train_loss) == pytest.approx(np.mean(losses), rel=1e-5)
    assert float(epoch.sotl_e) == pytest.approx(np.sum(losses), rel=1e-5)
    assert np.isfinite(epoch.validation_loss)


@pytest.mark.parametrize("which", ["train", "validation"])
def test_data_of_which_no_target_counts_are_refused(which):
    examples = small()
    some = getattr(examples, which)
    nothing = Split(some.inputs, np.full(len(some), IGNORED))
    with pytest.raises(ValueError, match=r"at least one target must count; all \d+ are -1"):
        next(alone(Linear(), examples._replace(**{which: nothing}), Training(batch_size=2), 1, KEY))


def test_what_is_not_finite_has_no_accuracy():
    """The largest of logits that are NaN would be the first: class 0."""
    network = split(trained("mlp1"))
    diverged = network.replace({path: np.nan * array for path, array in network.weights.items()})
    assert np.isnan(evaluate(diverged, data().validation)).all()


def scores(*networks: list[float]) -> Iterator[list[Epoch]]:
    """Epochs of some networks, of which each value is the accuracy."""
    for i, values in enumerate(zip(*networks, strict=True)):
        yield [Epoch(i, {"at": np.array(i)}, 0, 0, 0, value) for value in values]


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=30), st.integers(1, 6))
def test_early_stopping(pairs, patience):
    """Of two networks, each as if it were alone."""
    found = early_stopped(scores(*zip(*pairs, strict=True)), patience, lambda epoch: epoch.validation_accuracy)
    for (best, history), values in zip(found, zip(*pairs, strict=True), strict=True):
        records = [max(range(end + 1), key=lambda i: (values[i], -i)) for end in range(len(values))]  # best up to each
        stop = next((end for end, record in enumerate(records) if end - record >= patience), len(values) - 1)
        assert [epoch.validation_accuracy for epoch in history] == list(values[: stop + 1])
        assert best.epoch == int(best.weights["at"]) == records[stop]
        assert all(epoch.weights == {} for epoch in history)


@pytest.mark.parametrize("lost", [math.nan, math.inf, -math.inf])
def test_an_epoch_that_is_not_finite_is_never_the_best(lost):
    """Not at the start either; patience runs on."""
    found = early_stopped(
        scores([1, 2, lost, lost, 3], [lost, lost, 0, 1, lost], [1, lost, lost, lost, 2]),
        3,
        lambda epoch: epoch.validation_accuracy,
    )
    assert [(one.best.epoch, len(one.history)) for one in found] == [(4, 5), (3, 5), (0, 4)]


def test_stopped_training_draws_no_further_epochs():
    rest = scores([1, 0, 0, 0, 0], [1, 2, 0, 0, 0])
    early_stopped(rest, 2, lambda epoch: epoch.validation_accuracy)
    assert [epoch.epoch for (epoch, _) in rest] == [4]


def test_running_statistics_are_averaged_in_training_and_used_in_evaluation():
    examples = data()
    features = math.prod(examples.train.inputs.shape[1:])
    model = Normalised(features, 6, examples.classes)
    assert trainable(model) == {
        "dense.kernel", "dense.bias", "norm.scale", "norm.bias", "head.kernel", "head.bias",
    }  # fmt: skip
    start = {path: np.asarray(array, np.float64) for path, array in split(model).weights.items()}
    training = Training(batch_size=100, learning_rate=0.01, weight_decay=0.5)
    _, epoch = alone(model, examples, training, 1, KEY)
    z = examples.train.inputs.reshape(100, -1) @ start["dense.kernel"] + start["dense.bias"]
    np.testing.assert_allclose(epoch.weights["norm.mean"], 0.1 * z.mean(0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(epoch.weights["norm.var"], 0.9 + 0.1 * z.var(0), rtol=1e-4)
    h = np.maximum((z - z.mean(0)) / np.sqrt(z.var(0) + 1e-5), 0)
    log_p = log_softmax(h @ start["head.kernel"] + start["head.bias"], axis=1)
    assert float(epoch.train_loss) == pytest.approx(-log_p[np.arange(100), examples.train.targets].mean(), rel=1e-4)

    w = {path: np.asarray(array, np.float64) for path, array in epoch.weights.items()}
    z = examples.validation.inputs.reshape(30, -1) @ w["dense.kernel"] + w["dense.bias"]
    z = (z - w["norm.mean"]) / np.sqrt(w["norm.var"] + 1e-5) * w["norm.scale"] + w["norm.bias"]
    log_p = log_softmax(np.maximum(z, 0) @ w["head.kernel"] + w["head.bias"], axis=1)
    expected = -log_p[np.arange(30), examples.validation.targets].mean()
    assert float(epoch.validation_loss) == pytest.approx(expected, rel=1e-4)


def test_a_normalised_network_is_widened_permuted_and_walked():
    examples = data()
    model = Normalised(math.prod(examples.train.inputs.shape[1:]), 6, examples.classes)
    *_, last = alone(model, examples, Training(batch_size=50, learning_rate=0.05), 3, KEY)
    model = split(model).replace(last.weights).module()
    outputs = split(model).logits(examples.validation.inputs)
    order = np.array([3, 0, 5, 1, 4, 2])
    for other in (widen(model, "dense", 9, KEY), permute(model, "dense", order)):
        np.testing.assert_allclose(split(other).logits(examples.validation.inputs), outputs, atol=1e-5)
    barriers = midpoint_barriers(model, np.stack([order, np.arange(6)]), *examples.validation, group="dense")
    assert barriers[0] > 1e-3
    assert barriers[1] == pytest.approx(0, abs=1e-6)
    np.testing.assert_array_equal(jnp.asarray(split(model).weights["norm.mean"]), last.weights["norm.mean"])
