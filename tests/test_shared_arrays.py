"""Layers that share an array: by identity, by either name, and once (compared with NumPy by hand in float64)."""

from __future__ import annotations

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from scipy.special import log_softmax

import landscape
from landscape import Axis, Group, proxies
from landscape.models.functional import split, trainable
from landscape.models.site import Site
from landscape.models.symmetry import between, named_group, unit_rows

pytestmark = [pytest.mark.slow, pytest.mark.compiled_quickly]

EXAMPLES, FEATURES, UNITS, CLASSES = 7, 4, 6, 3


class Shared(nnx.Module):
    """up → relu → first → relu → second → relu → down, where `first` and `second` have one kernel."""

    def __init__(self, seed: int = 0, tables: tuple[str, ...] = ("first",), kind: type = jnp.float32):
        rngs = nnx.Rngs(seed)
        self.up, self.down = nnx.Linear(FEATURES, UNITS, rngs=rngs), nnx.Linear(UNITS, CLASSES, rngs=rngs)
        self.first, self.second = (nnx.Linear(UNITS, UNITS, rngs=rngs) for _ in range(2))
        rng = np.random.default_rng(seed)
        for layer in (self.up, self.first, self.second, self.down):
            for array in (layer.kernel, layer.bias):
                array[...] = jnp.asarray(rng.normal(size=array.shape) / 2, jnp.float32)
                array.set_value(array[...].astype(kind))
        self.second.kernel = self.first.kernel
        self.tables = tables

    def __call__(self, x: jax.Array) -> jax.Array:
        for layer in (self.up, self.first, self.second):
            x = nnx.relu(layer(x))
        return self.down(x)

    def groups(self) -> dict[str, Group]:
        """The kernel by the names in `tables`."""
        biases = [Axis(f"{layer}.bias", 0) for layer in ("up", "first", "second")]
        produces = (Axis("up.kernel", -1), *biases, *(Axis(f"{name}.kernel", -1) for name in self.tables))
        return {
            "units": Group(produces, (*(Axis(f"{name}.kernel", 0) for name in self.tables), Axis("down.kernel", 0)))
        }


TABLES = [("first",), ("second",), ("first", "second")]


def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    return rng.normal(size=(EXAMPLES, FEATURES)).astype(np.float32), rng.integers(CLASSES, size=EXAMPLES)


def doubles(model: nnx.Module) -> dict[str, np.ndarray]:
    return {path: np.asarray(array, np.float64) for path, array in split(model).weights.items()}


def activations(p: dict, x: np.ndarray) -> list[np.ndarray]:
    """Inputs of the four layers, and the logits."""
    found = [x]
    for kernel, layer in (("up", "up"), ("first", "first"), ("first", "second")):
        found.append(np.maximum(found[-1] @ p[f"{kernel}.kernel"] + p[f"{layer}.bias"], 0))
    return [*found, found[-1] @ p["down.kernel"] + p["down.bias"]]


def gradients(p: dict, x: np.ndarray, upstream) -> dict[str, np.ndarray]:
    """By back-propagation; the shared kernel's is the sum over its two uses."""
    x0, x1, x2, x3, logits = activations(p, x)
    d = upstream(logits)
    found = {"down.kernel": x3.T @ d}
    d = d @ p["down.kernel"].T * (x3 > 0)
    found["first.kernel"] = x2.T @ d
    d = d @ p["first.kernel"].T * (x2 > 0)
    found["first.kernel"] = found["first.kernel"] + x1.T @ d
    return found | {"up.kernel": x0.T @ (d @ p["first.kernel"].T * (x1 > 0))}


def of_loss(targets: np.ndarray):
    return lambda logits: (np.exp(log_softmax(logits, 1)) - np.eye(CLASSES)[targets]) / len(targets)


def numpy_loss(p: dict, x: np.ndarray, targets: np.ndarray) -> float:
    return -log_softmax(activations(p, x)[-1], 1)[np.arange(len(x)), targets].mean()


def numpy_scores(p: dict, x: np.ndarray, targets: np.ndarray, step: float = 1e-6) -> dict[str, float]:
    g = gradients(p, x, of_loss(targets))
    near = [gradients(p | {k: p[k] + e * g[k] for k in g}, x, of_loss(targets)) for e in (step, -step)]
    positive = {path: np.abs(array) for path, array in p.items()}
    flow = gradients(positive, np.ones((1, FEATURES)), np.ones_like)
    return {
        "grad_norm": sum(np.linalg.norm(each) for each in g.values()),
        "snip": sum(np.abs(p[k] * g[k]).sum() for k in g),
        "grasp": -sum((p[k] * (near[0][k] - near[1][k]) / (2 * step)).sum() for k in g),
        "synflow": sum(np.abs(p[k] * flow[k]).sum() for k in flow),
    }


@pytest.mark.parametrize("name", ["grad_norm", "snip", "grasp", "synflow"])
def test_a_shared_kernel_is_scored_once(name):
    model, (inputs, targets) = Shared(), data()
    expected = numpy_scores(doubles(model), inputs.astype(np.float64), targets)[name]
    assert getattr(proxies, name)(model, inputs, targets) == pytest.approx(expected, rel=2e-5)


def test_a_shared_kernel_is_counted_once():
    assert proxies.parameters(Shared()) == FEATURES * UNITS + 3 * UNITS + UNITS * UNITS + UNITS * CLASSES + CLASSES


def permuted(p: dict, index: np.ndarray) -> dict:
    biases = {f"{layer}.bias": p[f"{layer}.bias"][index] for layer in ("up", "first", "second")}
    kernels = {"up.kernel": p["up.kernel"][:, index], "first.kernel": p["first.kernel"][np.ix_(index, index)]}
    return p | biases | kernels | {"down.kernel": p["down.kernel"][index]}


@pytest.mark.parametrize("tables", TABLES)
def test_permuting_moves_a_shared_kernel_once_by_either_name(tables):
    model, index = Shared(tables=tables), np.array([3, 0, 1, 5, 2, 4])
    copy, expected = landscape.permute(model, "units", index), permuted(doubles(model), index)
    assert copy.second.kernel is copy.first.kernel
    for path, array in doubles(copy).items():
        np.testing.assert_array_equal(array, expected[path])


@pytest.mark.parametrize("kind", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize("tables", TABLES)
def test_barriers_equal_numpy(tables, kind):
    """Weights of a short type are mixed without rounding them again, whichever way the barrier is found."""
    model, (inputs, targets) = Shared(tables=tables, kind=kind), data()
    steps = landscape.compose(landscape.draw_swaps(jax.random.key(0), 6, UNITS), UNITS)
    nodes, x = [doubles(model)], inputs.astype(np.float64)
    for step in steps:
        nodes.append(permuted(nodes[-1], step))
    middles = [{path: (a[path] + b[path]) / 2 for path in a} for a, b in pairwise(nodes)]
    expected = np.abs([numpy_loss(middle, x, targets) - numpy_loss(nodes[0], x, targets) for middle in middles])
    for method in ("fast", "reference"):
        found = landscape.midpoint_barriers(model, steps, inputs, targets, group="units", method=method)
        np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-7)


def test_weights_in_between_are_not_rounded_to_a_short_type():
    site, index = Site.of(Shared(kind=jnp.bfloat16), "units"), np.array([3, 0, 1, 5, 2, 4])
    for weights in (split(Shared(kind=jnp.bfloat16)).weights, site.network.weights):
        own = {path: np.asarray(array, np.float64) for path, array in weights.items()}
        other = permuted(own, index)
        for path, array in between(weights, site.table, index, 0.3).items():
            assert path == "down.bias" or array.dtype == jnp.float32
            np.testing.assert_allclose(np.asarray(array, np.float64), 0.7 * own[path] + 0.3 * other[path], atol=1e-7)


@pytest.mark.parametrize("tables", TABLES)
def test_widening_preserves_the_function_and_keeps_the_kernel_shared(tables):
    model, inputs = Shared(tables=tables), data()[0]
    wider = landscape.widen(model, "units", 9, jax.random.key(0), inputs=inputs)
    assert wider.first.kernel is wider.second.kernel
    assert (wider.second.in_features, wider.second.out_features) == wider.second.kernel.shape == (9, 9)
    np.testing.assert_allclose(wider(inputs), activations(doubles(model), inputs)[-1], atol=1e-5)


def test_a_kernel_with_two_axes_in_a_group_has_no_rows():
    model = Shared()
    with pytest.raises(ValueError, match=r"first.kernel has several axes in one unit group"):
        unit_rows(split(model).weights, named_group(model, "units"), trainable(model))


def test_matching_names_an_array_that_is_not_there():
    weights = split(Shared()).weights
    with pytest.raises(ValueError, match=r"second.kernel"):
        landscape.match(weights, weights, Shared(tables=("second",)).groups())


class Tied(nnx.Module):
    """Embeddings that are also read to give logits."""

    def __init__(self):
        self.embed = nnx.Embed(CLASSES, UNITS, rngs=nnx.Rngs(0))

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.embed.attend(nnx.relu(self.embed(x)))

    def groups(self) -> dict[str, Group]:
        axis = Axis("embed.embedding", -1)
        return {"units": Group((axis,), (axis,)), "lost": Group((Axis("nowhere.kernel", 0),), ())}


def test_an_axis_that_makes_and_reads_units_is_permuted_once_and_not_widened():
    class Only(Tied):
        def groups(self):
            return {"units": super().groups()["units"]}

    model, tokens = Only(), jnp.array([0, 1, 2])
    copy = landscape.permute(model, "units", [5, 0, 1, 2, 3, 4])
    np.testing.assert_allclose(copy(tokens), model(tokens), atol=1e-6)
    np.testing.assert_array_equal(copy.embed.embedding[:, 0], model.embed.embedding[:, 5])
    with pytest.raises(ValueError, match="units cannot be widened"):
        landscape.widen(model, "units", 8, jax.random.key(0))


def test_an_array_that_is_not_there_is_named():
    with pytest.raises(ValueError, match=r"'lost': Tied has no array 'nowhere.kernel'"):
        named_group(Tied(), "units")
