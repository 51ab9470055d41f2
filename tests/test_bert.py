"""BERT against a NumPy network, and its symmetries and expansions with trained weights."""

from __future__ import annotations

from functools import cache
from typing import Any

import jax
import numpy as np
import pytest
from flax import nnx
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import erf, softmax
from trained import LENGTH, SPECS, VOCABULARY, drawn, forward, trained

from landscape.barriers import by_activations, by_networks
from landscape.barriers.midpoint import midpoint_barriers
from landscape.barriers.walk import compose, draw_swaps, permute
from landscape.data.masking import max_predictions
from landscape.models.bert import EPSILON, Bert
from landscape.models.functional import Network, split
from landscape.models.net2net import deepen, widen
from landscape.models.site import Site
from landscape.numerics import memory, microbatch
from landscape.proxies import grad_norm, grasp, jacov, snip, synflow

pytestmark = [pytest.mark.slow, pytest.mark.compiled_quickly]

SPEC = SPECS["tinybert"]
GROUPS = list(SPEC.group_sizes())
PERMUTED = [name for name, size in SPEC.group_sizes().items() if size > 1]
KEY = jax.random.key(3)


def bert() -> Bert:
    return trained("tinybert").model


def batch() -> tuple[dict[str, np.ndarray], np.ndarray]:
    return trained("tinybert").inputs, trained("tinybert").targets


def outputs(model: nnx.Module, inputs: dict[str, np.ndarray] | None = None) -> np.ndarray:
    return np.asarray(forward(split(model), batch()[0] if inputs is None else inputs))


def assert_same_function(model: nnx.Module, other: nnx.Module) -> None:
    assert_allclose(outputs(other), outputs(model), atol=1e-5)


def numpy_bert(w: dict[str, np.ndarray], tokens: np.ndarray, heads: int) -> np.ndarray:
    """Logits of every token of one sequence, in float64, a head after the other."""

    def dense(x: np.ndarray, name: str) -> np.ndarray:
        return x @ w[f"{name}.kernel"] + w[f"{name}.bias"]

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + EPSILON) * w[f"{name}.scale"] + w[
            f"{name}.bias"
        ]

    def gelu(x: np.ndarray) -> np.ndarray:
        return x * (1 + erf(x / np.sqrt(2))) / 2

    x = norm(w["tokens.embedding"][tokens] + w["places.embedding"][: len(tokens)], "norm")
    for block in ("block1", "block2"):
        q, k, v = (np.split(dense(x, f"{block}.{part}"), heads, 1) for part in ("query", "key", "value"))
        mixed = [softmax(q[a] @ k[a].T / np.sqrt(q[a].shape[1]), 1) @ v[a] for a in range(heads)]
        x = norm(x + dense(np.concatenate(mixed, 1), f"{block}.output"), f"{block}.attention_norm")
        x = norm(x + dense(gelu(dense(x, f"{block}.up")), f"{block}.down"), f"{block}.norm")
    return norm(gelu(dense(x, "head")), "head_norm") @ w["tokens.embedding"].T + w["bias"]


def test_logits_are_those_of_a_numpy_network():
    inputs, _ = batch()
    weights = {path: np.asarray(array, np.float64) for path, array in split(bert()).weights.items()}
    found = outputs(bert())
    assert found.shape == (8, max_predictions(LENGTH), VOCABULARY)
    for row, (tokens, positions) in enumerate(zip(inputs["tokens"], inputs["positions"], strict=True)):
        expected = numpy_bert(weights, tokens, SPEC.heads)
        assert_allclose(found[row], expected[positions], atol=1e-4)


def test_the_head_on_masked_positions_picks_from_all_positions():
    inputs, _ = batch()
    everywhere = inputs | {"positions": np.tile(np.arange(LENGTH, dtype=np.int32), (8, 1))}
    picked = np.take_along_axis(outputs(bert(), everywhere), inputs["positions"][..., None], 1)
    assert_allclose(outputs(bert()), picked, atol=1e-5)


def test_the_network_is_its_head_on_its_embeddings():
    @jax.jit
    def both_ways(network: Network, inputs: Any) -> tuple[jax.Array, jax.Array]:
        model = network.module()
        return model.from_embeddings(model.embed(inputs), inputs), model(inputs)

    assert_array_equal(*both_ways(split(bert()), batch()[0]))


@pytest.mark.parametrize("group", PERMUTED)
def test_permutations_preserve_the_logits(group: str):
    size = SPEC.group_sizes()[group]
    moved = permute(bert(), group, np.roll(np.arange(size), 1))
    changed = [p for p, array in split(moved).weights.items() if not np.array_equal(array, split(bert()).weights[p])]
    assert len(changed) >= 3
    assert_same_function(bert(), moved)


def by_unit(array: np.ndarray, axis: int) -> np.ndarray:
    """A projection's weights as (heads, features, rest)."""
    return np.moveaxis(np.asarray(array), axis, 0).reshape(SPEC.heads, SPEC.hidden // SPEC.heads, -1)


@pytest.mark.parametrize(
    ("group", "axis", "moved"),
    [
        ("heads2", 0, {"query", "key", "value", "output"}),
        ("query_key2", 1, {"query", "key"}),
        ("value2", 1, {"value", "output"}),
    ],
)
def test_heads_move_whole_and_features_alike_in_every_head(group: str, axis: int, moved: set[str]):
    """By hand: heads with all their projections; query with key, value with output, all else as it was."""
    order = np.roll(np.arange(SPEC.group_sizes()[group]), 1)
    before, after = split(bert()).weights, split(permute(bert(), group, order)).weights
    touched = {path for path in before if not np.array_equal(before[path], after[path])}
    assert touched == {
        f"block2.{layer}.{part}"
        for layer in moved
        for part in ("kernel", "bias")
        if (layer, part) != ("output", "bias")
    }
    for path in touched:
        features = -2 if path == "block2.output.kernel" else -1
        assert_array_equal(by_unit(after[path], features), np.take(by_unit(before[path], features), order, axis))


@pytest.mark.parametrize(("group", "size"), [("ffn1", 17), ("ffn2", 30), ("heads1", 5), ("heads2", 4)])
@pytest.mark.parametrize("shares", ["unequal", "equal"])
def test_widening_preserves_the_logits(group: str, size: int, shares: Any):
    wider = widen(bert(), group, size, KEY, shares=shares)
    assert wider.groups()[group].size(split(wider).weights) == size
    assert_same_function(bert(), wider)


@pytest.mark.parametrize("group", ["query_key1", "value2"])
def test_features_within_heads_cannot_be_widened(group: str):
    with pytest.raises(ValueError, match=f"{group} cannot be widened"):
        widen(bert(), group, 9, KEY)


@pytest.mark.parametrize("after", ["ffn1", "ffn2"])
def test_a_new_block_preserves_the_logits(after: str):
    deeper = deepen(bert(), after)
    assert f"{after}_1" in deeper.groups()
    assert_same_function(bert(), deeper)


@pytest.mark.parametrize("after", ["heads1", "ffn3"])
def test_a_block_goes_behind_an_ffn(after: str):
    with pytest.raises(ValueError, match="ffn1, ffn2"):
        deepen(bert(), after)


@pytest.mark.parametrize("group", ["ffn1", "value2"])
def test_fast_barriers_are_those_of_the_definition(monkeypatch, group: str):
    """Of the first block and of the last. Some targets are padding, which does not count."""
    inputs, targets = batch()
    targets = np.where(np.arange(8)[:, None] % 3 == 0, np.where(np.arange(targets.shape[1]) == 0, -1, targets), targets)
    size = SPEC.group_sizes()[group]
    permutations = compose(draw_swaps(KEY, 12, size), size)
    fast, reference = (
        midpoint_barriers(bert(), permutations, inputs, targets, group=group, method=method)
        for method in ("fast", "reference")
    )
    assert_allclose(fast, reference, atol=2e-6)
    assert fast.max() > 1e-5
    for module in (memory, by_activations):  # as on an accelerator, points together
        monkeypatch.setattr(module, "device_bytes", lambda: 2**24)
    found = midpoint_barriers(bert(), permutations, inputs, targets, group=group)
    assert_allclose(found, fast, rtol=1e-3, atol=1e-7)


def test_a_block_may_have_any_name():
    """The group is looked for in its own block."""
    deeper = deepen(bert(), "ffn1", "ffnextra")
    inputs, targets = batch()
    heads = deeper.groups()["headsextra"].size(split(deeper).weights)
    step = np.roll(np.arange(heads), 1)[None]
    weights = split(deeper).weights
    rng = np.random.default_rng(0)
    drawn = {path: array + 0.3 * rng.normal(size=array.shape).astype(np.float32) for path, array in weights.items()}
    model = split(deeper).replace(drawn).module()
    found = midpoint_barriers(model, step, inputs, targets, group="headsextra")
    expected = by_definition(model, "headsextra", step[0])
    assert_allclose(found, expected, rtol=1e-4, atol=2e-6)
    assert expected > 1e-3


def by_definition(model: nnx.Module, group: str, permutation: np.ndarray) -> float:
    """Algorithm 1, every array of the two networks averaged, by networks run as a whole."""
    network = split(model)
    weights, other = jax.tree.map(np.asarray, (network.weights, split(permute(model, group, permutation)).weights))
    middle = {path: (weights[path] + other[path]) / 2 for path in weights}
    start, end, between = (mean_loss(forward(network.replace(at), batch()[0])) for at in (weights, other, middle))
    return abs(between - (start + end) / 2)


@pytest.mark.parametrize(
    ("group", "fast"), [("heads1", False), ("heads2", False), ("query_key1", False), ("value1", True)]
)
def test_barriers_of_attention_follow_the_definition(group: str, fast: bool):
    assert (Site(split(bert()), group).cut() is not None) == fast
    inputs, targets = batch()
    size = SPEC.group_sizes()[group]
    permutation = np.roll(np.arange(size), 1)[None]
    found = midpoint_barriers(bert(), permutation, inputs, targets, group=group)
    assert_allclose(found, by_definition(bert(), group, permutation[0]), atol=2e-6)


@pytest.mark.parametrize("group", ["ffn1", "value1", "heads2"])
def test_slices_of_the_batch_add_up(group: str, monkeypatch: pytest.MonkeyPatch):
    """Cut or not; the last of three is filled up."""
    permutations = np.random.default_rng(0).permuted(np.tile(np.arange(SPEC.group_sizes()[group]), (5, 1)), axis=1)
    whole = midpoint_barriers(bert(), permutations, *batch(), group=group)
    monkeypatch.setattr(microbatch, "slice_size", lambda *_: 3)
    for module in (by_networks, by_activations):
        monkeypatch.setattr(module, "slice_size", microbatch.slice_size)
    assert_allclose(midpoint_barriers(bert(), permutations, *batch(), group=group), whole, rtol=1e-4, atol=1e-7)


def mean_loss(values: jax.Array) -> float:
    """Mean cross-entropy of the batch's targets that count, in float64."""
    values, targets = np.asarray(values, np.float64), batch()[1]
    logs = (
        values
        - np.log(np.exp(values - values.max(-1, keepdims=True)).sum(-1, keepdims=True))
        - values.max(-1, keepdims=True)
    )
    chosen = np.take_along_axis(logs, np.maximum(targets, 0)[..., None], -1)[..., 0]
    return -chosen[targets >= 0].mean()


def test_every_proxy_is_defined():
    inputs, targets = batch()
    one_block = SPEC.model_copy(update={"layers": 1, "ffn": (5,)})
    model = drawn(lambda: one_block.build((LENGTH,), VOCABULARY, nnx.Rngs(0)))
    scores = [proxy(model, inputs, targets) for proxy in (grad_norm, snip, grasp, synflow, jacov)]
    assert np.isfinite(scores).all() and scores[0] > 0 and scores[3] > 0


@cache
def deep_bert() -> Bert:
    """Four blocks whose weights are as large as trained ones: their flow reaches 10¹⁵."""
    return drawn(lambda: Bert(hidden=64, heads=2, ffn=(256,) * 4, vocabulary=50, length=16, rngs=nnx.Rngs(0)))


def zeros(length: int) -> dict[str, np.ndarray]:
    return {"tokens": np.zeros((2, length), np.int32), "positions": np.zeros((2, 3), np.int32)}


def test_synflow_of_a_deep_bert_is_the_flow_of_one_token():
    """Each layer scores by how much the flow grows with it: R is linear in its weights where gelu is."""
    model = deep_bert()
    w = {path: np.abs(np.asarray(array, np.float64)) for path, array in split(model).weights.items()}

    def flow(grown: str, by: float) -> float:
        def dense(x: np.ndarray, name: str) -> np.ndarray:
            return (1 + by * (name == grown)) * x @ w[f"{name}.kernel"] + w[f"{name}.bias"]

        def gelu(x: np.ndarray) -> np.ndarray:
            return x * (1 + erf(x / np.sqrt(2))) / 2

        x = np.ones(64)
        for block in ("block1", "block2", "block3", "block4"):
            x = x + dense(dense(x, f"{block}.value"), f"{block}.output")
            x = x + dense(gelu(dense(x, f"{block}.up")), f"{block}.down")
        return 3 * (gelu(dense(x, "head")) @ w["tokens.embedding"].T + w["bias"]).sum()  # at three positions

    layers = ["head", *(f"block{i}.{name}" for i in range(1, 5) for name in ("value", "output", "up", "down"))]
    expected = sum((flow(layer, 1e-4) - flow(layer, -1e-4)) / 2e-4 for layer in layers)
    assert synflow(model, zeros(16)) == pytest.approx(expected, rel=1e-6)


def test_synflow_of_a_deep_bert_does_not_see_exact_copies():
    model, score = deep_bert(), synflow(deep_bert(), zeros(16))
    for group, size in (("ffn1", 300), ("heads2", 3)):
        assert synflow(widen(model, group, size, KEY), zeros(16)) == pytest.approx(score, rel=1e-6)
