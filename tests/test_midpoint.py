from __future__ import annotations

from inspect import unwrap

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from networks import GROUPS, as_float64, batch, loss, mixed, permuted, plain, trained

from landscape.barriers import by_activations, pairs
from landscape.barriers.by_activations import plan
from landscape.barriers.midpoint import midpoint_barriers
from landscape.barriers.walk import compose, draw_swaps, permute, seen_from_start
from landscape.models.functional import split
from landscape.models.mlp import mlp
from landscape.models.net2net import widen
from landscape.models.site import Site
from landscape.numerics import memory, microbatch

pytestmark = pytest.mark.compiled_quickly

STEPS = 6
HALF = np.array([0.5], np.float32)


def both_ways(cases: list) -> list:
    """Each case by moved units, and those of images by sums over pairs of units too."""
    ways = [
        (case, pairwise) for case in cases for pairwise in (False, True) if "conv" in case.values[1] or not pairwise
    ]
    return [pytest.param(*case.values, pairwise, marks=case.marks) for case, pairwise in ways]


def take(monkeypatch: pytest.MonkeyPatch, pairwise: bool) -> None:
    if not pairwise:
        monkeypatch.setattr(pairs, "are_few", lambda *_: False)


def planned(model, group: str, steps: np.ndarray, inputs) -> by_activations.Plan:
    return plan(Site(split(model), group), by_activations.moves(steps), HALF, inputs)


def walk(model, group: str, n: int = STEPS, seed: int = 0) -> np.ndarray:
    units = model.groups()[group].size(split(model).weights)
    return compose(draw_swaps(jax.random.key(seed), n, units), units)


def by_hand(model, group: str, steps: np.ndarray) -> np.ndarray:
    """Algorithm 1 in float64 NumPy: permute, average, evaluate."""
    inputs, targets = batch()
    node, i = plain(model), list(model.groups()).index(group)
    barriers = []
    for step in steps:
        following = permuted(node, i, step)
        ends = (loss(node, inputs, targets) + loss(following, inputs, targets)) / 2
        barriers.append(abs(loss(mixed(node, following, 0.5), inputs, targets) - ends))
        node = following
    return np.array(barriers)


def measured(model, group: str, steps: np.ndarray, method: str = "fast") -> np.ndarray:
    return midpoint_barriers(model, steps, *batch(), group=group, method=method)


@pytest.mark.parametrize(("name", "group", "pairwise"), both_ways(GROUPS))
def test_fast_in_float32_equals_the_definition_in_float64(name, group, pairwise, monkeypatch):
    take(monkeypatch, pairwise)
    model = trained(name)
    steps = walk(model, group, 30)
    assert planned(model, group, steps, batch()[0]).pairwise == pairwise
    expected = by_hand(model, group, steps)
    assert np.median(expected) > 1e-4
    np.testing.assert_allclose(measured(model, group, steps), expected, rtol=1e-5, atol=1e-5 * np.median(expected))


@pytest.mark.parametrize(
    ("name", "group", "pairwise"), both_ways([each for each in GROUPS if each.values[0] in ("mlp2", "cnn1", "cnn2")])
)
def test_fast_reference_and_definition_agree_in_float64(name, group, pairwise, monkeypatch):
    take(monkeypatch, pairwise)
    steps = walk(trained(name), group)
    expected = by_hand(trained(name), group, steps)
    with jax.enable_x64(True):
        model = as_float64(trained(name))
        for method in ("fast", "reference"):
            np.testing.assert_allclose(measured(model, group, steps, method), expected, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize(("name", "group"), GROUPS)
def test_the_reference_in_float32_equals_the_definition_in_float64(name, group):
    """It can referee: what is left is the rounding of the networks' logits."""
    model = trained(name)
    steps = walk(model, group)
    expected = by_hand(model, group, steps)
    np.testing.assert_allclose(
        measured(model, group, steps, "reference"), expected, rtol=1e-5, atol=2e-5 * np.median(expected)
    )


@pytest.mark.parametrize("method", ["fast", "reference"])
@pytest.mark.parametrize(("name", "group"), [("mlp1", "hidden1"), ("cnn2", "conv1")])
def test_standing_still_has_no_barrier(method, name, group):
    units = trained(name).groups()[group].size(split(trained(name)).weights)
    assert measured(trained(name), group, np.arange(units)[None], method).tolist() == [0]


@pytest.mark.parametrize(("name", "group"), [("cnn1", "conv1"), ("cnn2", "conv1"), ("cnn2", "conv2")])
def test_a_pair_that_changes_places_counts_twice(name, group):
    """What a transposition changes of y, from the definition of E, and what stays adds nothing."""
    model = trained(name)
    cut = split(model).evaluating().cut(group)
    z, _ = cut.before(jnp.asarray(batch()[0]))
    h, units = cut.activation(z), z.shape[-1]
    terms = pairs.terms(cut, z, h)
    assert len(terms) == units * (units - 1) / 2 + 1
    for i, j in ((0, 1), (units - 1, 2)):
        exchange = np.arange(units)
        exchange[[i, j]] = j, i
        middle = (z + z[..., exchange]) / 2
        at_middle = cut.linear(cut.activation(middle), (cut.kernel + cut.kernel[..., exchange, :]) / 2)
        change = np.asarray(at_middle - cut.linear(h, cut.kernel))
        places = pairs.places(by_activations.moves(exchange[None]), units)
        np.testing.assert_allclose(pairs.summed(terms, places[0]), change, atol=1e-5 * np.abs(change).max())


@pytest.mark.parametrize(("name", "group"), [("mlp2", "hidden2"), ("cnn2", "conv1"), ("cnn1", "conv1")])
def test_a_permutation_and_its_inverse_have_one_barrier(name, group):
    """Each as the first step of a walk, by the definition as well as the fast way."""
    model = trained(name)
    for step in walk(model, group, 3):
        there, back = (by_hand(model, group, one[None]) for one in (step, np.argsort(step)))
        assert there == pytest.approx(back, rel=1e-9)
        fast = [measured(model, group, one[None]) for one in (step, np.argsort(step))]
        np.testing.assert_allclose(fast[0], fast[1], rtol=1e-5)


def test_barriers_do_not_depend_on_where_the_walk_stands():
    """The rest of a walk from its own node equals its steps as θ sees them."""
    model = trained("cnn1")
    steps = walk(model, "conv1", 12)
    whole = measured(model, "conv1", steps)
    standing = model
    for step in steps[:5]:
        standing = permute(standing, "conv1", step)
    np.testing.assert_allclose(measured(standing, "conv1", steps[5:]), whole[5:], rtol=1e-4)
    alone = [by_hand(model, "conv1", step[None])[0] for step in seen_from_start(steps)]
    np.testing.assert_allclose(whole, alone, rtol=1e-5, atol=1e-8)


def test_barriers_of_a_network_that_is_sure_and_wrong_are_its_own():
    """Its loss changes by hundreds of nats, where sums of probabilities lose them: logarithms take over."""
    network = split(trained("mlp1"))
    head = {path: 300 * network.weights[path] for path in ("head.kernel", "head.bias")}
    model = network.replace(network.weights | head).module()
    steps, (inputs, targets) = walk(model, "hidden1", 20), (each[:11] for each in batch())  # a shape of its own
    others = (targets + 1) % 10
    programs = by_activations.changes._cache_size()
    found = midpoint_barriers(model, steps, inputs, others, group="hidden1")
    assert by_activations.changes._cache_size() == programs + 2  # without logarithms, and with them
    by_networks = midpoint_barriers(model, steps, inputs, others, group="hidden1", method="reference")
    assert np.median(found) > 1
    np.testing.assert_allclose(found, by_networks, rtol=1e-4)


@pytest.mark.parametrize("method", ["fast", "reference"])
def test_tiny_barriers_keep_their_digits(method):
    """Logits of about 1e-6: barriers below the rounding of the loss (2e-7) are right to many digits."""
    network = split(trained("mlp1"))
    head = {path: 1e-6 * network.weights[path] for path in ("head.kernel", "head.bias")}
    model = network.replace(network.weights | head).module()
    steps = walk(model, "hidden1", 20)
    expected = by_hand(model, "hidden1", steps)
    assert expected.max() < 2e-7
    np.testing.assert_allclose(measured(model, "hidden1", steps, method), expected, rtol=1e-4, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "group", "pairwise"),
    [("mlp1", "hidden1", False), ("mlp2", "hidden2", False), ("cnn2", "conv2", False), ("cnn2", "conv2", True)],
)
def test_what_is_added_behind_the_last_hidden_layer_costs_no_digit(name, group, pairwise):
    """Changes of logits are the same to the last bit, however large the logits are."""
    network, steps = split(trained(name)), walk(trained(name), group)
    points = by_activations.Points(by_activations.moves(steps), np.full(STEPS, 0.5, np.float32))

    def changes(bias: float) -> np.ndarray:
        site = Site(network.replace(network.weights | {"head.bias": np.full(10, bias, np.float32)}), group)
        shared = by_activations.common(site, batch()[0], pairwise)
        return np.asarray(by_activations.feature_changes(site, shared, points, STEPS, turns=False))

    np.testing.assert_array_equal(changes(1e4), changes(0))


def test_walks_and_checkpoints_of_one_width_share_one_trace():
    model, other = trained("cnn1", 0), trained("cnn1", 1)
    wider = widen(model, "conv1", 9, jax.random.key(0))
    inputs, targets = (each[:5] for each in batch())  # a shape of its own
    programs = (by_activations.common, by_activations.changes)
    start = [program._cache_size() for program in programs]

    def new_traces(model, n: int) -> list[int]:
        midpoint_barriers(model, walk(model, "conv1", n), inputs, targets, group="conv1")
        return [program._cache_size() - size for program, size in zip(programs, start, strict=True)]

    assert [new_traces(each, n) for each, n in ((model, 3), (other, 3), (model, 200), (model, 1))] == [[1, 1]] * 4
    assert [new_traces(wider, n) for n in (3, 50)] == [[2, 2]] * 2


def test_chunks_are_of_one_size_and_bounded(monkeypatch):
    """Small chunks give the same barriers as large ones: the padding is cut off."""
    model = trained("mlp1")
    steps = walk(model, "hidden1", 40)
    whole = measured(model, "hidden1", steps)
    case = (model, "hidden1", steps, batch()[0])
    monkeypatch.setattr(by_activations, "CHUNK_BYTES", 100_000)
    assert 1 < planned(*case).size.points < 40
    np.testing.assert_allclose(measured(model, "hidden1", steps), whole, rtol=1e-6)
    monkeypatch.setattr(by_activations, "CHUNK_BYTES", 1)
    assert planned(*case).size.points == 1


@pytest.mark.parametrize(("examples", "pairwise"), [(16, False), (17, False), (17, True), (24, True)])
def test_slices_of_the_batch_add_up(monkeypatch, examples, pairwise):
    """Also where the last one has to be filled up, and where some targets do not count."""
    take(monkeypatch, pairwise)
    model = trained("cnn2")
    inputs, targets = (np.asarray(each)[:examples] for each in batch())
    targets = np.where(np.arange(examples) % 5 == 0, -1, targets)
    steps = walk(model, "conv1", 12)
    whole = midpoint_barriers(model, steps, inputs, targets, group="conv1")
    module, name, of_an_example = microbatch, "SLICE_BYTES", 3500
    if pairwise:
        site, one = Site(split(model), "conv1"), by_activations.moves(steps[:1])
        of_an_example = by_activations.NEEDS[True](site, one, inputs).terms // examples
        module, name = pairs, "TABLE_BYTES"
    for count in (1, 4):
        monkeypatch.setattr(module, name, count * of_an_example)
        assert planned(model, "conv1", steps, inputs).size.examples == count
        found = midpoint_barriers(model, steps, inputs, targets, group="conv1")
        np.testing.assert_allclose(found, whole, rtol=1e-4, atol=1e-7)
    reference = midpoint_barriers(model, steps, inputs, targets, group="conv1", method="reference")
    np.testing.assert_allclose(whole, reference, atol=2e-6)


@pytest.mark.parametrize("known", [0, 1, 7, 39, 40])
def test_a_walk_goes_on_from_the_barriers_that_are_known(known):
    """They are taken as they are, also where a midpoint comes again; the rest is as without them."""
    model = trained("mlp1")
    steps = walk(model, "hidden1", 40)
    whole, seen = measured(model, "hidden1", steps), seen_from_start(steps)
    midpoints = [{tuple(step), tuple(np.argsort(step))} for step in seen]
    again = np.array([any(midpoint == one for one in midpoints[:known]) for midpoint in midpoints])
    marked = midpoint_barriers(model, steps, *batch(), group="hidden1", known=whole[:known] + 1)
    np.testing.assert_allclose(marked, whole + again, rtol=1e-5)


def test_more_known_barriers_than_steps_are_refused():
    model = trained("mlp1")
    with pytest.raises(ValueError, match="3 barriers are known of a walk of 2 steps"):
        midpoint_barriers(model, walk(model, "hidden1", 2), *batch(), group="hidden1", known=np.zeros(3))


def test_a_model_without_a_cut_follows_the_definition(monkeypatch):
    model = trained("mlp2")
    steps = walk(model, "hidden1")
    monkeypatch.setattr(Site, "has_cut", False)
    np.testing.assert_allclose(measured(model, "hidden1", steps), by_hand(model, "hidden1", steps), atol=2e-6)


@pytest.mark.parametrize("method", ["fast", "reference"])
def test_progress_ends_at_the_total(method):
    model, seen = trained("mlp1"), []
    steps = walk(model, "hidden1", 5)
    midpoint_barriers(model, steps, *batch(), group="hidden1", method=method, on_progress=lambda *at: seen.append(at))
    assert seen == sorted(seen)
    assert seen[-1][0] == seen[-1][1] > 0


@pytest.mark.parametrize(("name", "group"), GROUPS)
def test_points_taken_together_as_on_an_accelerator_give_the_same_barriers(monkeypatch, name, group):
    """As many at once as there is room for with the whole batch."""
    model = trained(name)
    steps = walk(model, group, 30)
    for module in (memory, by_activations):
        monkeypatch.setattr(module, "device_bytes", lambda: 2**24)
    how = planned(model, group, steps, batch()[0])
    assert how.size.examples == 24
    assert 1 < how.size.points <= 128
    assert not how.turns
    assert not how.pairwise
    expected = by_hand(model, group, steps)
    np.testing.assert_allclose(measured(model, group, steps), expected, rtol=1e-5, atol=1e-5 * np.median(expected))


def test_a_group_of_one_unit_has_no_barriers():
    model = mlp(35, (1,), 10, nnx.Rngs(0))
    for method in ("fast", "reference"):
        assert measured(model, "hidden1", np.zeros((3, 1), int), method).tolist() == [0, 0, 0]


def test_bad_arguments_are_named():
    model = trained("mlp1")
    steps = walk(model, "hidden1")
    with pytest.raises(ValueError, match=r"'hidden7'.*hidden1"):
        measured(model, "hidden7", steps)
    with pytest.raises(ValueError, match="'quick'"):
        unwrap(midpoint_barriers)(model, steps, *batch(), group="hidden1", method="quick")
    with pytest.raises(ValueError, match=r"row 2 is not a permutation of 0\.\.5: \[0, 0, 2, 3, 4, 5\]"):
        measured(model, "hidden1", np.concatenate([steps[:2], [[0, 0, 2, 3, 4, 5]]]))
    with pytest.raises(ValueError, match=r"shape \(n, 6\); got \(6, 5\)"):
        measured(model, "hidden1", steps[:, :5])
