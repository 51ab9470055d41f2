"""What is connected by construction: laws of random swaps against counting, the walk and real barriers."""

from __future__ import annotations

from itertools import combinations, product

import jax
import numpy as np
import pytest
from networks import SPECS, batch, trained
from synthetic import small_study, synthetic, without
from trained import trained as large

import landscape
from landscape.analysis.clones.connected import connected, sentences
from landscape.analysis.clones.transpositions import returns, share_of_copies, share_within
from landscape.analysis.clones.unmoved import unmoved
from landscape.barriers.walk import compose, draw_swaps, nodes
from landscape.models.expansion.steps import expand
from landscape.models.functional import split
from landscape.models.net2net import pad, widen
from landscape.study import Expansion, validated
from landscape.study.steps import Deepen, Widen

pytestmark = pytest.mark.compiled_quickly


def moved(swaps: tuple[tuple[int, int], ...], units: int) -> bool:
    places = list(range(units))
    for a, b in swaps:
        places[a], places[b] = places[b], places[a]
    return places != list(range(units))


def steps(units: int, swaps: int) -> list[tuple[tuple[int, int], ...]]:
    return list(product(combinations(range(units), 2), repeat=swaps))


@pytest.mark.parametrize("units", range(1, 6))
def test_swaps_that_move_nothing_are_counted(units: int) -> None:
    assert list(returns(units, 4)) == [sum(not moved(step, units) for step in steps(units, k)) for k in range(5)]


@pytest.mark.parametrize("classes", [[2, 1, 1], [3, 2], [2, 2, 1], [5], [1, 1, 1, 1]])
@pytest.mark.parametrize("swaps", [1, 2, 3])
def test_the_share_within_classes_is_counted(classes: list[int], swaps: int) -> None:
    of = np.repeat(np.arange(len(classes)), classes)
    kept = [step for step in steps(len(of), swaps) if moved(step, len(of))]
    within = [all(of[a] == of[b] for a, b in step) for step in kept]
    assert share_within(classes, swaps) == pytest.approx(np.mean(within), abs=1e-15)


@pytest.mark.parametrize(("old", "new", "swaps"), [(4, 7, 2), (4, 8, 3), (3, 8, 3), (5, 5, 3)])
def test_the_share_of_copies_is_the_mean_over_what_is_copied(old: int, new: int, swaps: int) -> None:
    copied = product(range(old), repeat=new - old)
    shares = [share_within([1 + drawn.count(unit) for unit in range(old)], swaps) for drawn in copied]
    assert share_of_copies(old, new, swaps) == pytest.approx(np.mean(shares), rel=1e-9)


def test_the_walk_follows_that_law() -> None:
    """Four units and their four silent neighbours, within four deviations of a binomial count."""
    n, units = 40_000, 8
    drawn = draw_swaps(jax.random.key(0), n, units)
    share, within = share_within([1, 1, 1, 1, 4], swaps=3), (drawn >= 4).all((1, 2)).mean()
    assert abs(within - share) < 4 * np.sqrt(share / n)


@pytest.mark.parametrize("units", ["copies", "silent"])
def test_what_is_connected_by_construction_has_no_barrier(units: str) -> None:
    """Whatever the network has learnt; so at any λ, rounding apart, m is not less than the share of such steps."""
    model, old, new = trained("mlp1"), 6, 9
    fresh = {path: np.ones([2 * size for size in array.shape]) for path, array in split(model).weights.items()}
    wider = pad(model, "hidden1", new, fresh) if units == "silent" else widen(model, "hidden1", new, jax.random.key(5))
    kernel = np.asarray(wider.hidden1.kernel)
    classes = np.array([np.flatnonzero((kernel == column[:, None]).all(0))[0] for column in kernel.T])
    assert len(set(classes)) == old + (units == "silent")
    rng, places, within = np.random.default_rng(0), np.arange(new), np.tile(np.arange(new), (50, 1))
    for step, unit in product(within, set(classes)):
        step[classes == unit] = rng.permutation(places[classes == unit])
    others = compose(draw_swaps(jax.random.key(0), 450, new), new)
    walk = np.concatenate([within, others])
    barriers = np.asarray(landscape.midpoint_barriers(wider, walk, *batch(), group="hidden1"))
    assert (within != places).any(1).mean() > 0.5
    assert barriers[:50].max() < 1e-6 < np.median(barriers[50:])
    steps_within = (classes[nodes(walk)[:-1]] == classes[nodes(walk)[1:]]).all(1)
    assert (barriers < 1e-6)[steps_within].all() and steps_within[:50].all()


ELSEWHERE = [
    ("mlp2", "hidden1", [Deepen(deepen="hidden1", layers=2)]),
    ("mlp2", "hidden1", [Widen(widen="hidden2", size=9), Deepen(deepen="hidden2")]),
    ("mlp2", "hidden1", [Widen(widen="hidden2", size=8, units="silent")]),
    ("cnn2", "conv1", [Deepen(deepen="conv1"), Widen(widen="conv2", size=7)]),
]
BESIDE = [  # skip connections and normalisations: before the walked units, in their stage or block, and behind it
    (
        "resnet18",
        "stage1",
        [
            Widen(widen="stage1_block1", size=7),
            Deepen(deepen="stage1"),
            Widen(widen="stage2", size=11),
            Widen(widen="stage3", size=20, units="silent"),
        ],
    ),
    (
        "tinybert",
        "ffn1",
        [
            Widen(widen="heads1", size=4),
            Deepen(deepen="ffn1"),
            Widen(widen="ffn2", size=14),
            Widen(widen="heads2", size=5, units="silent"),
        ],
    ),
]


@pytest.mark.parametrize(
    ("name", "group", "steps"), [*ELSEWHERE, *(pytest.param(*each, marks=pytest.mark.slow) for each in BESIDE)]
)
def test_what_is_added_elsewhere_changes_no_barrier(name: str, group: str, steps: list[Widen | Deepen]) -> None:
    """Behind the walked layer, right behind it, and by units that send nothing on: so M₀ is 0 but for the draw."""
    model, *examples = (trained(name), *batch()) if name in SPECS else large(name)[:3]
    weights = split(model).weights
    drawn = {path: np.tile(array, [3] * array.ndim) for path, array in weights.items()}
    expanded = expand(model, tuple(steps), Expansion(), jax.random.key(0), drawn=drawn).model
    before, after = (sum(array.size for array in each.values()) for each in (weights, split(expanded).weights))
    assert after > 1.1 * before
    units = model.groups()[group].size(weights)
    walk = compose(draw_swaps(jax.random.key(1), 20, units), units)
    of_base, of_candidate = (
        np.asarray(landscape.midpoint_barriers(each, walk, *examples, group=group)) for each in (model, expanded)
    )
    assert np.median(of_base) > 1e-4
    np.testing.assert_allclose(of_candidate, of_base, atol=5e-6)


def test_candidates_that_leave_the_walked_layer_alone_are_named() -> None:
    """Not those with noise, with units that send something on, or from random weights, which are other networks."""
    content = small_study().model_dump(mode="json") | {"model": {"kind": "mlp", "hidden": [6, 5]}}
    ways = [{"widen": "hidden2", "size": 9, "units": units} for units in (None, "silent", "random")]
    candidates = [[{"widen": "hidden1", "size": 8}], [{"deepen": "hidden1"}], *([way] for way in ways)]
    plain = validated(content | {"candidates": candidates})
    assert unmoved(plain) == [plain.labels[i] for i in (1, 2, 3)]
    noisy = validated(content | {"candidates": candidates, "expansion": {"noise": 0.1}})
    assert unmoved(noisy) == [noisy.labels[i] for i in (1, 3)]
    anew = validated(content | {"candidates": candidates[:3:2], "expansion": {"start": "random"}})
    assert unmoved(anew) == []


WAYS = [("copies", None), (None, None), ("silent", None), ("noisy copies", 0.0), ("random", 0.0)]


def test_each_candidate_has_the_share_of_its_new_units() -> None:
    candidates = [[{"widen": "hidden1", "size": 8, "units": units}] for units, _ in WAYS] + [[{"deepen": "hidden1"}]]
    content = small_study(seeds=2).model_dump(mode="json") | {"candidates": candidates}
    plain = synthetic(validated(content | {"candidates": candidates[:3:2]}), np.random.default_rng(0))
    assert list(connected(plain).values()) == [share_of_copies(6, 8, 3), share_within([1] * 6 + [2], 3)]
    assert [text.split("only swaps ")[1][:6] for text in sentences(plain, 0.4, 60)] == ["copies", "silent"]
    silent = without(plain, candidate=plain["candidate"].values[0])  # of which candidate the walk is still to come
    assert [text.split("only swaps ")[1][:6] for text in sentences(silent, 0.4, 60)] == ["silent"]
    noisy = synthetic(validated(content | {"expansion": {"noise": 0.1}}), np.random.default_rng(0))
    assert [share > 0 for share in connected(noisy).values()] == [True, False, True, False, False, False]
    first = validated(content | {"candidates": candidates[:1], "walk": content["walk"] | {"start": "first"}})
    assert connected(synthetic(first, np.random.default_rng(0))) == {}
