"""ResNet18 against a NumPy network, and its symmetries, expansions and barriers with trained weights and statistics."""

from __future__ import annotations

from functools import cache
from math import prod

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from networks import as_float64
from scipy.special import log_softmax
from trained import SPECS, forward, trained

from landscape.barriers.interpolation import permuted_curves
from landscape.barriers.midpoint import midpoint_barriers
from landscape.barriers.walk import compose, draw_swaps, permute
from landscape.data import Split
from landscape.jobs.measurements import MeasuredWalk, seed_curves
from landscape.models.batch_norm import reestimated
from landscape.models.functional import Network, Weights, split
from landscape.models.net2net import deepen, widen
from landscape.models.site import Site
from landscape.models.symmetry import take
from landscape.numerics import microbatch
from landscape.study import validated
from landscape.study.kinds import ResNetSpec

pytestmark = [pytest.mark.slow, pytest.mark.compiled_quickly]

SPEC = SPECS["resnet18"]
STAGES = [f"stage{i}" for i in range(1, 5)]
BLOCKS = [f"{stage}_block{j}" for stage in STAGES for j in (1, 2)]
KEY = jax.random.key(5)


def images() -> np.ndarray:
    return trained("resnet18").inputs


def targets() -> np.ndarray:
    return trained("resnet18").targets


def resnet() -> nnx.Module:
    return trained("resnet18").model


def outputs(model: nnx.Module) -> np.ndarray:
    return np.asarray(forward(split(model), jnp.asarray(images())))


@jax.jit
def step(network: Network) -> tuple[jax.Array, Weights]:
    """Logits by the batch's own statistics, and the arrays with the running statistics moved on."""
    model = network.module()
    model.train()
    return model(jnp.asarray(images())), split(model).weights


def size(model: nnx.Module, group: str) -> int:
    return model.groups()[group].size(split(model).weights)


def rotation(units: int) -> np.ndarray:
    return np.roll(np.random.default_rng(units).permutation(units), 1)


def walk(model: nnx.Module, group: str, n: int) -> np.ndarray:
    units = size(model, group)
    return compose(draw_swaps(KEY, n, units), units)


# --- the network ---


def test_it_has_the_published_number_of_parameters():
    model = nnx.eval_shape(lambda: ResNetSpec().build((32, 32, 3), 10, nnx.Rngs(0)))
    parameters = nnx.to_pure_dict(nnx.state(model, nnx.Param))
    assert sum(prod(array.shape) for array in jax.tree.leaves(parameters)) == 11_173_962


class Plain:
    """The network of He et al. in float64 NumPy, from the arrays by name.

    Statistics are those among the arrays, or with `of_batch` those of the batch.
    """

    def __init__(self, weights: Weights, of_batch: bool = False):
        self.weights = {path: np.asarray(array, np.float64) for path, array in weights.items()}
        self.of_batch = of_batch

    def convolve(self, name: str, x: np.ndarray, stride: int) -> np.ndarray:
        kernel = self.weights[f"{name}.kernel"]
        size = len(kernel)
        x = np.pad(x, [(0, 0), (size // 2, size // 2), (size // 2, size // 2), (0, 0)])
        windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), (1, 2))[:, ::stride, ::stride]
        return np.einsum("bhwcij,ijco->bhwo", windows, kernel)

    def normalise(self, name: str, x: np.ndarray) -> np.ndarray:
        mean, var, scale, bias = (self.weights[f"{name}.{part}"] for part in ("mean", "var", "scale", "bias"))
        if self.of_batch:
            mean, var = x.mean((0, 1, 2)), x.var((0, 1, 2))
        return (x - mean) / np.sqrt(var + 1e-5) * scale + bias

    def block(self, name: str, x: np.ndarray, stride: int, projects: bool) -> np.ndarray:
        h = np.maximum(self.normalise(f"{name}.norm1", self.convolve(f"{name}.conv1", x, stride)), 0)
        y = self.normalise(f"{name}.norm2", self.convolve(f"{name}.conv2", h, 1))
        if projects:
            x = self.normalise(f"{name}.project_norm", self.convolve(f"{name}.project", x, stride))
        return np.maximum(x + y, 0)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        x = np.maximum(self.normalise("stem_norm", self.convolve("stem", x, 1)), 0)
        for i, stage in enumerate(STAGES):
            x = self.block(f"{stage}_block1", x, 1 + (i > 0), i > 0)
            x = self.block(f"{stage}_block2", x, 1, False)
        return x.mean((1, 2)) @ self.weights["head.kernel"] + self.weights["head.bias"]

    def loss(self) -> float:
        return -log_softmax(self(images()), axis=1)[np.arange(len(targets())), targets()].mean()


def test_it_is_trained_statistics_included():
    """No array is what a new network has, and the statistics are those of activations: near the batch's own."""
    fresh = trained("resnet18").start
    weights = split(resnet()).weights
    assert all(np.abs(weights[path] - fresh[path]).max() > 1e-3 for path in fresh)
    losses = [Plain(weights, of_batch).loss() for of_batch in (False, True)]
    assert max(losses) < np.log(10) / 2


def test_logits_equal_those_of_a_numpy_network():
    expected = Plain(split(resnet()).weights)(images())
    assert np.ptp(expected, 0).min() > 0.1
    np.testing.assert_allclose(outputs(resnet()), expected, atol=1e-5)


def test_every_array_but_the_ends_is_tied_on_all_its_channels():
    """Each axis of channels belongs to exactly one group; only the image, the classes and the head's bias do not."""
    tables = resnet().groups().values()
    tied = [(axis.path, axis.axis) for table in tables for axis in (*table.produces, *table.consumes)]
    channels = {
        (path, axis)
        for path, array in split(resnet()).weights.items()
        for axis in ((-2, -1) if array.ndim > 1 else (0,))
    }
    assert len(tied) == len(set(tied))
    assert channels - set(tied) == {("stem.kernel", -2), ("head.kernel", -1), ("head.bias", 0)}


def test_groups_have_the_sizes_of_the_specification():
    assert {group: size(resnet(), group) for group in resnet().groups()} == SPEC.group_sizes()


@pytest.mark.parametrize("shape", [(64,), (8, 8)])
def test_it_wants_images(shape):
    with pytest.raises(ValueError, match="a ResNet needs images"):
        SPEC.build(shape, 10, nnx.Rngs(0))


# --- permutations ---


@pytest.mark.parametrize("group", SPEC.group_sizes())
def test_permuting_preserves_the_function_and_commutes_with_training(group):
    model = resnet()
    network = split(model)
    weights = network.weights
    table, permutation = model.groups()[group], rotation(size(model, group))
    copy = permute(model, group, permutation)
    assert any(not np.array_equal(array, weights[path]) for path, array in split(copy).weights.items())
    np.testing.assert_allclose(outputs(copy), outputs(model), atol=1e-5)

    expected, moved = step(network)
    got, moved_copy = step(network.replace(split(copy).weights))
    np.testing.assert_allclose(got, expected, atol=5e-5)  # BatchNorm divides rounding by the spread of 8 examples
    for path, array in take(moved, table, permutation).items():
        np.testing.assert_allclose(moved_copy[path], array, atol=1e-5, err_msg=path)


# --- expansion ---


@pytest.mark.parametrize("group", SPEC.group_sizes())
def test_widening_preserves_the_function(group):
    model = resnet()
    wider = widen(model, group, size(model, group) + 3, KEY)
    assert size(wider, group) == size(model, group) + 3
    np.testing.assert_allclose(wider(jnp.asarray(images())), outputs(model), atol=1e-5)


@pytest.mark.parametrize("after", ["stage1", "stage2_block1"])
def test_an_inserted_block_changes_nothing_in_training_or_evaluation_and_learns(after):
    model = widen(resnet(), "stage2_block1", 11, KEY)
    deeper = deepen(model, after)
    for run in (outputs, lambda network: step(split(network))[0]):  # two programs, which may round differently
        np.testing.assert_allclose(run(deeper), run(model), rtol=1e-5, atol=1e-5)
    names = list(deeper.groups())
    assert names.index(f"{after}_1") == names.index({"stage1": "stage1_block2"}.get(after, after)) + 1

    network = split(deeper)
    weights = network.weights
    gate = f"{after}_1.norm2.scale"
    slope = jax.jit(jax.grad(lambda scale: network.replace(weights | {gate: scale}).logits(images())[:, 0].sum()))
    assert np.abs(slope(weights[gate])).max() > 1e-3


def test_a_deeper_network_stays_in_its_mode():
    deeper = deepen(resnet(), "stage1")
    before = split(deeper).weights
    deeper(jnp.asarray(images()))
    after = split(deeper).weights
    assert all(np.array_equal(before[path], after[path]) for path in before)


def test_faults_are_named():
    model = resnet()
    for act in (lambda: widen(model, "stem", 9, KEY), lambda: model.cut("stem"), lambda: deepen(model, "stem")):
        with pytest.raises(ValueError, match=r"'stem'.*stage1, stage1_block1"):
            act()
    for taken in ("stage1_block2", "stage2", "stem"):
        with pytest.raises(ValueError, match=f"'{taken}' is there already"):
            deepen(model, "stage1", taken)


# --- the fast form ---


@pytest.mark.parametrize("group", [*STAGES, *BLOCKS])
def test_a_cut_composes_to_the_network_and_acts_unit_by_unit(group):
    model = resnet()
    cut = model.cut(group)
    z, carry = cut.before(jnp.asarray(images()))
    h = cut.activation(z)
    y = cut.linear(h, cut.kernel)
    np.testing.assert_allclose(cut.features(y, h if cut.tied else carry), outputs(model), atol=1e-5)
    np.testing.assert_array_equal(cut.activation(z[..., ::2]), h[..., ::2])


def by_hand(model: nnx.Module, group: str, steps: np.ndarray, of_batch: bool = False) -> np.ndarray:
    """Algorithm 1 in float64 NumPy, every array interpolated: permute, average, evaluate."""
    node, table = split(model).weights, model.groups()[group]
    barriers = []
    for permutation in steps:
        following = take(node, table, permutation)
        middle = {path: (np.asarray(node[path], np.float64) + np.asarray(following[path])) / 2 for path in node}
        ends = (Plain(node, of_batch).loss() + Plain(following, of_batch).loss()) / 2
        barriers.append(abs(Plain(middle, of_batch).loss() - ends))
        node = following
    return np.array(barriers)


@cache
def defined(group: str) -> tuple[np.ndarray, np.ndarray]:
    """Four steps of a walk and their barriers: as many everywhere, so that one program serves several tests."""
    steps = walk(resnet(), group, 4)
    return steps, by_hand(resnet(), group, steps)


OF_EACH_FORM = ["stage1", "stage2", "stage4", "stage1_block2", "stage2_block1", "stage4_block2"]


@pytest.mark.parametrize("group", OF_EACH_FORM)
def test_fast_in_float32_equals_the_definition(group):
    """Without and with a projection, and right before the head; the cuts of all others compose to the network above."""
    steps, expected = defined(group)
    assert np.median(expected) > 1e-5
    fast = midpoint_barriers(resnet(), steps, images(), targets(), group=group)
    np.testing.assert_allclose(fast, expected, rtol=1e-4, atol=1e-4 * np.median(expected))


def test_fast_reference_and_definition_agree_in_float64():
    group = "stage2_block1"
    steps, expected = defined(group)
    with jax.enable_x64(True):
        model = as_float64(resnet())
        for method in ("fast", "reference"):
            found = midpoint_barriers(model, steps, images().astype(np.float64), targets(), group=group, method=method)
            np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("bytes_of_a_slice", [1, 2**30])
@pytest.mark.parametrize("group", ["stage1", "stage2"])
def test_barriers_and_curves_of_a_stage_do_not_depend_on_the_slices(group, bytes_of_a_slice, monkeypatch):
    """The batch whole, and an example after the other."""
    monkeypatch.setattr(microbatch, "SLICE_BYTES", bytes_of_a_slice)
    model, (steps, expected) = resnet(), defined(group)
    assert expected.min() > 1e-4
    found = midpoint_barriers(model, steps, images(), targets(), group=group)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=2e-6)
    curve = permuted_curves(model, steps[:1], np.array([0, 0.5, 1]), images(), targets(), group=group)[0]
    assert curve[0] == pytest.approx(curve[2], abs=1e-5)
    assert abs(curve[1] - curve[0]) == pytest.approx(expected[0], abs=1e-5)


@pytest.mark.parametrize("statistics", [None, "interpolated", "re-estimated"])
def test_a_study_interpolates_statistics_or_estimates_them_again(statistics, monkeypatch):
    """It interpolates where it does not say; both by the definition, statistics of the whole batch included."""
    monkeypatch.setattr(microbatch, "SLICE_BYTES", 1)
    walked = {"group": "stage1", "permutations": 3, "batch_size": 8, "nodes": 2}
    content = {
        "name": "statistics",
        "model": SPEC.model_dump(),
        "candidates": [[{"widen": "*", "factor": 2}]],
        "walk": walked | ({"statistics": statistics} if statistics else {}),
    }
    batch = Split(images(), targets())
    walk = MeasuredWalk(validated(content), resnet(), KEY, batch, batch)
    steps = walk.permutations
    found = walk.barriers(split(resnet()), len(steps), np.empty(0), lambda done, total: None)
    expected = by_hand(resnet(), "stage1", steps, of_batch=statistics == "re-estimated")
    assert expected.min() > 1e-4
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=2e-6)
    weights = {path: np.asarray(array) for path, array in split(resnet()).weights.items()}
    lines = seed_curves(validated(content), resnet(), weights, weights, (batch, batch))
    ends = walk.curves(split(resnet()))[0, 0, [0, -1]]
    np.testing.assert_allclose(lines, np.broadcast_to(ends[0], lines.shape), rtol=1e-4)
    np.testing.assert_allclose(ends[0], ends[1], rtol=1e-4)


def test_reestimated_statistics_are_those_of_the_batch():
    """Whatever the running statistics are: every normalisation reads its mean and variance from the batch."""
    model = reestimated(resnet())
    network = split(resnet())
    weights = network.weights
    shaken = {path: array + 1.0 if path.endswith((".mean", ".var")) else array for path, array in weights.items()}
    other = reestimated(network.replace(shaken).module())
    np.testing.assert_allclose(outputs(other), outputs(model), atol=1e-6)
    assert np.abs(outputs(model) - outputs(resnet())).max() > 1e-2
    alone = nnx.BatchNorm(4, rngs=nnx.Rngs(0))
    x = np.random.default_rng(0).normal(3, 2, (50, 4)).astype(np.float32)
    found = split(reestimated(alone)).logits(x)
    np.testing.assert_allclose(found, (x - x.mean(0)) / x.std(0), atol=1e-4)


def test_reestimated_networks_keep_their_symmetry_and_have_no_fast_form():
    model = reestimated(resnet())
    permutation = np.array([2, 0, 3, 1])
    np.testing.assert_allclose(outputs(permute(model, "stage1", permutation)), outputs(model), atol=5e-5)
    own, other = (Site(split(each), "stage1_block1").cut() for each in (resnet(), model))
    assert own is not None and other is None
    barriers = [
        midpoint_barriers(each, permutation[None], images(), targets(), group="stage1_block1")
        for each in (model, resnet())
    ]
    assert np.isfinite(barriers).all() and barriers[0] != barriers[1]


def test_only_networks_with_statistics_can_be_reestimated():
    with pytest.raises(ValueError, match="Linear has no BatchNorm"):
        reestimated(nnx.Linear(2, 2, rngs=nnx.Rngs(0)))
