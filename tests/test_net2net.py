from __future__ import annotations

import jax
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import GROUPS, SPECS, batch, data, initial, outputs, plain, trained
from scipy.stats import kstest

from landscape.models.chain import Chain
from landscape.models.expansion.steps import expand
from landscape.models.functional import split
from landscape.models.net2net import copied_units, copy_shares, deepen, named_group, pad, widen
from landscape.models.symmetry import Axis, Group
from landscape.study import Expansion
from landscape.study.steps import Deepen, Widen

pytestmark = pytest.mark.compiled_quickly

KEY = jax.random.key(3)


def size(model, group: str) -> int:
    return named_group(model, group).size(split(model).weights)


@pytest.mark.parametrize("shares", ["unequal", "equal"])
@pytest.mark.parametrize(("name", "group"), GROUPS)
def test_widening_preserves_the_function(name, group, shares):
    model = trained(name)
    wider = widen(model, group, 2 * size(model, group) + 1, KEY, shares=shares)
    assert size(wider, group) == 2 * size(model, group) + 1
    np.testing.assert_allclose(outputs(wider), outputs(model), atol=1e-5)


@pytest.mark.parametrize(("name", "group"), GROUPS)
def test_widening_deepening_and_widening_again_preserve_the_function(name, group):
    model = trained(name)
    units = size(model, group)
    wider = widen(model, group, 2 * units + 1, KEY)
    again = widen(deepen(wider, group), f"{group}_1", 2 * units + 2, KEY, shares="equal")
    assert (size(again, group), size(again, f"{group}_1")) == (2 * units + 1, 2 * units + 2)
    np.testing.assert_allclose(outputs(again), outputs(model), atol=1e-5)


@pytest.mark.parametrize("name", ["mlp2", "cnn2"])
def test_a_candidate_widens_every_matching_group_and_deepens(name):
    model = trained(name)
    first = next(iter(model.groups()))
    steps = (Widen(widen="*", factor=1.5), Deepen(deepen=first, layers=2), Widen(widen=f"{first}_1", size=20))
    expanded = expand(model, steps, Expansion(), KEY).model
    sizes = SPECS[name].group_sizes()
    for step in steps:
        sizes = step.apply(sizes)
    assert {group: size(expanded, group) for group in expanded.groups()} == sizes
    np.testing.assert_allclose(outputs(expanded), outputs(model), atol=1e-5)


@pytest.mark.parametrize("name", ["mlp1", "cnn2"])
def test_noise_moves_the_function_in_proportion(name):
    model = trained(name)
    group = next(iter(model.groups()))
    moved = [
        np.abs(outputs(widen(model, group, 12, KEY, shares="equal", noise=noise)) - outputs(model)).max()
        for noise in (1e-3, 1e-2)
    ]
    assert 1e-5 < moved[0] < 1e-2
    assert moved[1] / moved[0] == pytest.approx(10, rel=0.5)


def test_copies_keep_what_comes_in_and_share_what_goes_out():
    model, new = trained("mlp2"), 11
    wider = widen(model, "hidden1", new, KEY, shares="equal")
    ((kernel, bias), (outgoing, _), _), ((wide, wide_bias), (wide_out, _), _) = plain(model), plain(wider)
    sources = [int(np.flatnonzero((kernel == column[:, None]).all(0))[0]) for column in wide.T]
    assert sources[:7] == list(range(7))
    np.testing.assert_array_equal(wide_bias, bias[sources])
    copies = np.bincount(sources)
    np.testing.assert_allclose(wide_out, outgoing[sources] / copies[sources][:, None], rtol=1e-6)


def drawn(name: str, group: str, size: int) -> dict[str, np.ndarray]:
    """Numbers of the shapes that a network with a wider group has, none of which is 0."""
    spec = SPECS[name].resized(SPECS[name].group_sizes() | {group: size})
    build = lambda: split(spec.build(batch()[0].shape[1:], data().classes, nnx.Rngs(0))).weights  # noqa: E731
    rng = np.random.default_rng(0)
    return {path: rng.normal(size=array.shape).astype(np.float32) for path, array in jax.eval_shape(build).items()}


@pytest.mark.parametrize(("name", "group"), GROUPS)
def test_silent_units_preserve_the_function_and_random_ones_add_what_they_send_on(name, group):
    model = trained(name)
    old = size(model, group)
    fresh = drawn(name, group, 2 * old + 1)
    silent, random = (pad(model, group, 2 * old + 1, fresh, silent=kind) for kind in (True, False))
    np.testing.assert_allclose(outputs(silent), outputs(model), atol=2e-6)
    assert np.abs(outputs(random) - outputs(model)).max() > 0.01
    place = list(model.groups()).index(group)
    (kernel, bias), (behind, _) = plain(model)[place : place + 2]
    path = model.links[place].name
    for wider in (silent, random):
        (wide, wide_bias), (following, _) = plain(wider)[place : place + 2]
        np.testing.assert_array_equal(wide[..., :old], kernel)
        np.testing.assert_array_equal(wide[..., old:], fresh[f"{path}.kernel"][..., old:])
        np.testing.assert_array_equal(wide_bias, [*bias, *fresh[f"{path}.bias"][old:]])
        by_unit = following.reshape(*following.shape[:-2], -1, 2 * old + 1, following.shape[-1])
        np.testing.assert_array_equal(by_unit[..., :old, :].reshape(behind.shape), behind)
        assert (by_unit[..., old:, :] == 0).all() == (wider is silent)


def test_steps_say_what_their_new_units_are():
    """Copies of one column: as many distinct columns as there were. Nothing else is sent on by silent ones."""
    model, fresh = trained("mlp2"), drawn("mlp2", "hidden1", 20)
    ways = ["copies", "noisy copies", "silent", "random"]
    steps = [Widen(widen="hidden1", size=20, units=way) for way in ways]
    models = [expand(model, (step,), Expansion(noise=0.1), KEY, drawn=fresh).model for step in steps]
    kernels = [plain(wider)[0][0] for wider in models]
    assert [len(np.unique(kernel, axis=1).T) for kernel in kernels] == [7, 20, 20, 20]
    moved = [np.abs(outputs(wider) - outputs(model)).max() for wider in models]
    assert moved[0] < 1e-5 < moved[1] and moved[2] < 1e-5 < moved[3]
    same = [
        expand(model, (step,), Expansion(), KEY, drawn=fresh).model
        for step in (steps[0], Widen(widen="hidden1", size=20))
    ]
    np.testing.assert_array_equal(*(outputs(wider) for wider in same))


def test_noise_touches_the_copies_alone():
    model = trained("cnn2")
    (calm, _), (shaken, _) = (plain(widen(model, "conv2", 9, KEY, noise=noise))[1] for noise in (0.0, 0.1))
    np.testing.assert_array_equal(shaken[..., :5], calm[..., :5])
    assert (np.abs(shaken[..., 5:] - calm[..., 5:]) > 0).all()


@settings(max_examples=50)
@given(st.integers(1, 30), st.integers(1, 60), st.integers(0, 2**32), st.sampled_from(["unequal", "equal"]))
def test_the_shares_of_each_unit_sum_to_one(old, added, seed, kind):
    generator = np.random.default_rng(seed)
    index = copied_units(generator, old, old + added)
    assert index[:old].tolist() == list(range(old))
    assert set(index.tolist()) == set(range(old))
    shares = copy_shares(generator, index, kind)
    assert (shares > 0).all()
    for unit in range(old):
        mine = shares[index == unit]
        assert mine.sum() == pytest.approx(1)
        if kind == "equal":
            assert np.ptp(mine) == 0
        elif len(mine) > 1:
            assert len(set(mine)) == len(mine)


def test_unequal_shares_are_uniform_on_the_simplex():
    """Of a unit with three copies, one share has the law Beta(1, 2)."""
    generator = np.random.default_rng(0)
    shares = [copy_shares(generator, np.zeros(3, int), "unequal")[0] for _ in range(2000)]
    assert kstest(shares, "beta", (1, 2)).pvalue > 0.01


def test_copies_are_drawn_uniformly():
    drawn = copied_units(np.random.default_rng(1), 5, 5 + 5000)[5:]
    counts = np.bincount(drawn, minlength=5)
    assert ((counts - 1000) ** 2 / 1000).sum() < 18.5  # χ² of 4 degrees of freedom: 0.1 %


def test_the_key_decides():
    model = trained("mlp1")
    first, again, other = (plain(widen(model, "hidden1", 20, jax.random.key(seed)))[0][0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("target", [6, 5, 0, -1])
def test_a_width_not_above_the_base_is_named(target):
    with pytest.raises(ValueError, match=f"hidden1 = {target} .*above 6"):
        widen(trained("mlp1"), "hidden1", target, KEY)


@pytest.mark.parametrize("taken", ["hidden2", "head", "links", "groups"])
def test_a_name_that_is_taken_is_not_given_to_an_inserted_layer(taken):
    """The layer of that name would be lost, and the chain run another one twice."""
    with pytest.raises(ValueError, match=f"'{taken}' is there already"):
        deepen(initial("mlp2", 0).module(), "hidden1", taken)


def test_an_unknown_group_is_named_with_the_groups_there_are():
    with pytest.raises(ValueError, match=r"'hidden3'.*hidden1, hidden2"):
        widen(trained("mlp2"), "hidden3", 9, KEY)


class OneWidth(Chain):
    def groups(self):
        axes = (Axis("hidden1.kernel", -1), Axis("hidden1.bias", 0)), (Axis("head.kernel", -2),)
        return {"hidden1": Group(*axes, widenable=False)}


def test_a_group_may_forbid_widening():
    model = nnx.clone(trained("mlp1"))
    model.__class__ = OneWidth
    with pytest.raises(ValueError, match="hidden1 cannot be widened"):
        widen(model, "hidden1", 9, KEY)
