from __future__ import annotations

from functools import partial
from pkgutil import resolve_name

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from networks import batch, forward, trained
from networks import loss as numpy_loss

from landscape import proxies
from landscape.barriers.midpoint import midpoint_barriers
from landscape.barriers.timing import timed_walk
from landscape.barriers.walk import permute
from landscape.models.cnn import cnn
from landscape.models.functional import split
from landscape.models.mlp import mlp
from landscape.models.net2net import widen
from landscape.proxies import TokenModel, _snip
from landscape.proxies._network import scored_weights
from landscape.study.predictors import METRIC, PARAMETERS, PREDICTORS, SOTL_E
from landscape.study.predictors import proxies as registered

pytestmark = [pytest.mark.slow, pytest.mark.compiled_quickly]

FIVE = ("grad_norm", "snip", "grasp", "synflow", "jacov")
FEATURES, UNITS, CLASSES, EXAMPLES = 9, 6, 4, 5


def score(name, model, inputs, targets, **keywords):
    return getattr(proxies, name)(model, inputs, targets, **keywords)


def shaken(model, seed):
    """Other weights, biases and scales included: none is zero."""
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda w: jnp.asarray(rng.normal(size=w.shape) / 2, jnp.float32), split(model)).module()


def dense(seed=0, hidden=(UNITS,)):
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(EXAMPLES, FEATURES)).astype(np.float32)
    targets = rng.integers(CLASSES, size=EXAMPLES)
    return shaken(mlp(FEATURES, hidden, CLASSES, nnx.Rngs(0)), seed), inputs, targets


def convolutional(seed=0):
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(EXAMPLES, 4, 4, 2)).astype(np.float32)
    model = cnn((4, 4, 2), (4, 3), (5,), CLASSES, nnx.Rngs(0))
    return shaken(model, seed), inputs, rng.integers(CLASSES, size=EXAMPLES)


NETWORKS = {"hidden1": dense, "conv1": convolutional}


def doubles(model):
    """Its weights in float64, by path."""
    return {path: np.asarray(w, np.float64) for path, w in split(model).weights.items()}


# --- a one-hidden-layer network in NumPy ---


def numpy_softmax(logits):
    e = np.exp(logits - logits.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def numpy_gradients(p, x, targets):
    z = x @ p["hidden1.kernel"] + p["hidden1.bias"]
    h = np.maximum(z, 0)
    d = numpy_softmax(h @ p["head.kernel"] + p["head.bias"])
    d[np.arange(len(x)), targets] -= 1
    d /= len(x)
    return {"hidden1.kernel": x.T @ (d @ p["head.kernel"].T * (z > 0)), "head.kernel": h.T @ d}


def numpy_grad_norm(p, x, targets):
    return sum(np.sqrt(np.sum(g**2)) for g in numpy_gradients(p, x, targets).values())


def numpy_snip(p, x, targets):
    return sum(np.abs(p[path] * g).sum() for path, g in numpy_gradients(p, x, targets).items())


def numpy_grasp(p, x, targets, step=1e-5):
    g = numpy_gradients(p, x, targets)
    ahead, behind = ({**p, **{path: p[path] + sign * step * g[path] for path in g}} for sign in (1, -1))
    after, before = (numpy_gradients(weights, x, targets) for weights in (ahead, behind))
    return -sum(np.sum(p[path] * (after[path] - before[path])) for path in g) / (2 * step)


def numpy_synflow(p, x, targets):
    w, b, v = (np.abs(p[path]) for path in ("hidden1.kernel", "hidden1.bias", "head.kernel"))
    hidden = np.ones(len(w)) @ w
    return (hidden @ v).sum() + ((hidden + b) @ v).sum()


def numpy_correlation_score(jacobians, k=1e-5):
    v = np.linalg.eigvals(np.corrcoef(jacobians)).real
    return -np.sum(np.log(v + k) + 1 / (v + k))


def numpy_jacov(p, x, targets):
    slopes = x @ p["hidden1.kernel"] + p["hidden1.bias"] > 0
    jacobians = [(p["hidden1.kernel"] * slope) @ p["head.kernel"] for slope in slopes]  # features classes
    return numpy_correlation_score([j.sum(1) for j in jacobians])


@pytest.mark.parametrize("name", FIVE)
@pytest.mark.parametrize("seed", range(3))
def test_equals_numpy(name, seed):
    model, inputs, targets = dense(seed)
    expected = globals()[f"numpy_{name}"](doubles(model), inputs.astype(np.float64), targets)
    assert score(name, model, inputs, targets) == pytest.approx(expected, rel=1e-4)


# --- finite differences of the loss of a deeper network ---


def deep_loss(p, x, targets):
    for layer in ("hidden1", "hidden2"):
        x = np.maximum(x @ p[f"{layer}.kernel"] + p[f"{layer}.bias"], 0)
    probabilities = numpy_softmax(x @ p["head.kernel"] + p["head.bias"])
    return -np.log(probabilities[np.arange(len(x)), targets]).mean()


def moved(p, *moves):
    """p plus each (size, direction)."""
    return {path: w + sum(size * direction.get(path, 0) for size, direction in moves) for path, w in p.items()}


def differences(p, loss, step=1e-6):
    """The gradient with respect to every kernel, one central difference a weight."""
    gradients = {}
    for path in (path for path in p if path.endswith("kernel")):
        gradients[path] = np.zeros_like(p[path])
        for index in np.ndindex(p[path].shape):
            one = np.zeros_like(p[path])
            one[index] = step
            ahead, behind = loss(moved(p, (1, {path: one}))), loss(moved(p, (-1, {path: one})))
            gradients[path][index] = (ahead - behind) / (2 * step)
    return gradients


def test_gradients_and_curvature_equal_finite_differences():
    model, inputs, targets = dense(hidden=(UNITS, 5))
    p, inputs = doubles(model), inputs.astype(np.float64)
    loss = partial(deep_loss, x=inputs, targets=targets)
    g = differences(p, loss)
    kernels = {path: p[path] for path in g}
    mixed = {(a, b): loss(moved(p, (a * 1e-4, kernels), (b * 1e-4, g))) for a in (1, -1) for b in (1, -1)}
    expected = {
        "grad_norm": sum(np.linalg.norm(each) for each in g.values()),
        "snip": sum(np.abs(p[path] * each).sum() for path, each in g.items()),
        "grasp": -sum(a * b * value for (a, b), value in mixed.items()) / 4e-8,  # −Wᵀ H g
    }
    with jax.enable_x64(True):
        wide = split(model).replace({path: jnp.asarray(w) for path, w in p.items()}).module()
        for name, value in expected.items():
            assert score(name, wide, inputs, targets) == pytest.approx(value, rel=1e-6)


def test_scores_of_a_convolutional_network_equal_finite_differences():
    """Of a trained one, from the losses and logits of a NumPy network, one central difference a weight and a pixel."""
    model, (inputs, targets) = trained("cnn1"), batch()
    inputs = inputs[:EXAMPLES].astype(np.float64)
    targets = targets[:EXAMPLES]
    names = [link.name for link in model.links]

    def layers(p):
        return [(p[f"{name}.kernel"], p[f"{name}.bias"]) for name in names]

    def loss(p):
        return numpy_loss(layers(p), inputs, targets)

    p = doubles(model)
    g = differences(p, loss)
    slopes = [differences(moved(p, (1e-5 * sign, g)), loss) for sign in (1, -1)]
    expected = {
        "grad_norm": sum(np.linalg.norm(each) for each in g.values()),
        "snip": sum(np.abs(p[path] * each).sum() for path, each in g.items()),
        "grasp": -sum(np.sum(p[path] * (slopes[0][path] - slopes[1][path])) for path in g) / 2e-5,
        "jacov": numpy_correlation_score(pixel_differences(lambda x: forward(layers(p), x).sum(1), inputs)),
    }
    for name, value in expected.items():
        assert score(name, model, inputs.astype(np.float32), targets) == pytest.approx(value, rel=1e-4), name


def pixel_differences(outputs, inputs, step=1e-6):
    """The gradient of each example's summed outputs: (examples, pixels)."""
    gradients = []
    for pixel in np.ndindex(inputs.shape[1:]):
        one = np.zeros_like(inputs)
        one[(slice(None), *pixel)] = step
        gradients.append((outputs(inputs + one) - outputs(inputs - one)) / (2 * step))
    return np.stack(gradients, 1)


# --- SynFlow ---


def without_biases(model):
    network = split(model)
    return network.replace({path: w * (not path.endswith("bias")) for path, w in network.weights.items()}).module()


def looped_convolution(x, kernel):
    height, width, channels = x.shape
    padded = np.zeros((height + 2, width + 2, channels))
    padded[1:-1, 1:-1] = x
    out = np.zeros((height, width, kernel.shape[-1]))
    for i, j, a, b in np.ndindex(height, width, 3, 3):
        out[i, j] += padded[i + a, j + b] @ kernel[a, b]
    return out


def test_synflow_of_a_convolutional_network_without_biases_is_its_flow_once_a_layer():
    model, inputs, targets = convolutional()
    model = without_biases(model)
    p = {path: np.abs(w) for path, w in doubles(model).items()}
    h = looped_convolution(looped_convolution(np.ones((4, 4, 2)), p["conv1.kernel"]), p["conv2.kernel"])
    pooled = np.array([[h[i : i + 2, j : j + 2].max((0, 1)) for j in (0, 2)] for i in (0, 2)])
    flow = (pooled.ravel() @ p["dense1.kernel"] @ p["head.kernel"]).sum()
    assert proxies.synflow(model, inputs, targets) == pytest.approx(4 * flow, rel=1e-10)


def test_synflow_needs_the_shape_of_the_data_only():
    model, inputs, targets = dense()
    assert proxies.synflow(model, inputs, targets) == proxies.synflow(model, np.zeros_like(inputs))


class Over(nnx.Module):
    """A recurrent cell of Flax over time, and a dense layer on its last output."""

    def __init__(self, cell):
        self.rnn, self.head = nnx.RNN(cell(3, UNITS, rngs=nnx.Rngs(0))), nnx.Linear(UNITS, CLASSES, rngs=nnx.Rngs(1))

    def __call__(self, x):
        return self.head(self.rnn(x)[:, -1])


def test_synflow_of_a_recurrent_network_equals_finite_differences():
    """Of its flow in NumPy, layer by layer: Σ |W ⊙ ∂R/∂W| is dR(c W)/dc at c = 1, where nothing is negative."""
    model = Over(nnx.SimpleCell)
    cell, head = model.rnn.cell, model.head
    kernels = cell.dense_i.kernel, cell.dense_h.kernel, head.kernel
    w, u, v, b, c = (np.abs(np.asarray(each[...], float)) for each in (*kernels, cell.dense_i.bias, head.bias))

    def flow(enter=1.0, again=1.0, leave=1.0):
        h = np.zeros(UNITS)
        for _ in range(5):
            h = np.tanh(enter * np.ones(3) @ w + b + again * h @ u)
        return np.sum(leave * h @ v + c)

    step = 1e-5
    expected = sum(
        (flow(**{layer: 1 + step}) - flow(**{layer: 1 - step})) / (2 * step) for layer in ("enter", "again", "leave")
    )
    assert proxies.synflow(model, np.zeros((2, 5, 3), np.float32)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("cell", [nnx.GRUCell, nnx.LSTMCell, nnx.OptimizedLSTMCell])
def test_recurrent_cells_start_from_the_type_of_synflow(cell):
    assert np.isfinite(proxies.synflow(Over(cell), np.zeros((2, 5, 3), np.float32)))


def test_synflow_outgrows_single_precision_and_leaves_it_as_it_was():
    model, inputs, _ = dense()
    model = without_biases(model)
    large = jax.tree.map(lambda w: w * 2.0**100, split(model)).module()
    assert proxies.synflow(large, inputs) == pytest.approx(2.0**200 * proxies.synflow(model, inputs), rel=1e-12)
    assert jnp.ones(1).dtype == jnp.float32
    assert split(model).weights["head.kernel"].dtype == jnp.float32


# --- laws ---


@pytest.mark.parametrize("name", FIVE)
@pytest.mark.parametrize("group", NETWORKS)
def test_permuting_units_changes_nothing(name, group):
    model, inputs, targets = NETWORKS[group]()
    units = model.groups()[group].size(split(model).weights)
    other = permute(model, group, np.roll(np.arange(units), 1))
    assert score(name, other, inputs, targets) == pytest.approx(score(name, model, inputs, targets), rel=1e-4)


@pytest.mark.parametrize("name", FIVE)
@pytest.mark.parametrize("group", NETWORKS)
def test_table_tells_which_predictors_see_an_exact_widening(name, group):
    model, inputs, targets = NETWORKS[group]()
    wider = widen(model, group, 11, jax.random.key(0))
    same = score(name, wider, inputs, targets) == pytest.approx(score(name, model, inputs, targets), rel=1e-4)
    assert same is not PREDICTORS[name].sees_width


def test_snip_of_an_exact_widening_is_equal_to_the_digits_of_the_arithmetic():
    """In float64 to 1e-12: what tells networks that differ by copies apart in float32 is rounding alone."""
    model, inputs, targets = convolutional()
    with jax.enable_x64(True):
        narrow = split(model).replace(jax.tree.map(jnp.asarray, doubles(model))).module()
        wide = widen(widen(narrow, "conv1", 11, jax.random.key(0)), "conv2", 7, jax.random.key(1))
        expected, found = (proxies.snip(each, inputs.astype(np.float64), targets) for each in (narrow, wide))
    assert found == pytest.approx(expected, rel=1e-12)


def test_a_relu_that_rounding_switches_changes_snip_by_its_whole_share():
    """The logits move by about 1e-6, and the score by what one example has at one unit."""
    model, inputs, targets = dense()
    p, x = doubles(model), inputs.astype(np.float64)
    found = []
    for side in (-1e-6, 1e-6):
        p["hidden1.bias"][0] = side - x[0] @ p["hidden1.kernel"][:, 0]  # the pre-activation of example 0 at unit 0
        near = split(model).replace(jax.tree.map(lambda w: jnp.asarray(w, jnp.float32), p)).module()
        found.append(proxies.snip(near, inputs, targets))
        assert found[-1] == pytest.approx(numpy_snip(p, x, targets), rel=1e-4)
    assert abs(found[1] - found[0]) > 1e-3 * found[0]


def test_no_gradient_no_score():
    model, inputs, targets = dense()
    model = without_biases(model)
    assert [score(name, model, 0 * inputs, targets) for name in ("grad_norm", "snip", "grasp")] == [0, 0, 0]


def test_snip_is_bounded_by_the_norms():
    """0 < SNIP ≤ Σ_l ‖W_l‖‖g_l‖ ≤ max_l ‖W_l‖ · GradNorm, by Cauchy and Schwarz."""
    model, inputs, targets = convolutional()
    p = doubles(model)
    longest = max(np.linalg.norm(w) for path, w in p.items() if path.endswith("kernel"))
    assert 0 < proxies.snip(model, inputs, targets) <= longest * proxies.grad_norm(model, inputs, targets)


@pytest.mark.parametrize("name", FIVE)
def test_the_type_in_which_layers_train_does_not_round_a_score(name):
    """Half precision would change the second digit; Jacov reads gradients in single or double precision."""
    rng = np.random.default_rng(0)
    inputs, targets = rng.normal(size=(EXAMPLES, FEATURES)).astype(np.float32), rng.integers(CLASSES, size=EXAMPLES)

    def of(kind):
        rngs = nnx.Rngs(0)
        up, down = (
            nnx.Linear(FEATURES, UNITS, dtype=kind, rngs=rngs),
            nnx.Linear(UNITS, CLASSES, dtype=kind, rngs=rngs),
        )
        return score(name, shaken(nnx.Sequential(up, nnx.tanh, down), 0), inputs, targets)

    np.testing.assert_allclose([of(jnp.float16), of(jnp.float32)], of(None), rtol=1e-4)


def test_jacov_of_one_example_and_of_two_equal_ones():
    model, inputs, _ = dense()
    assert proxies.jacov(model, inputs[:1]) == pytest.approx(-np.log1p(1e-5) - 1 / (1 + 1e-5), rel=1e-9)
    twice = np.stack([inputs[0], inputs[0]])
    expected = -np.log([1e-5, 2 + 1e-5]).sum() - 1e5 - 1 / (2 + 1e-5)
    assert proxies.jacov(model, twice) == pytest.approx(expected, rel=1e-14)


def test_vanishing_eigenvalues_of_jacov_are_counted_without_rounding():
    """Copies of examples add eigenvalues 0, of which rounding would change the tenth digit of the score."""
    model, inputs, _ = dense()
    few = inputs[:3]
    slopes = few @ doubles(model)["hidden1.kernel"] + doubles(model)["hidden1.bias"] > 0
    jacobians = (slopes * doubles(model)["head.kernel"].sum(1)) @ doubles(model)["hidden1.kernel"].T
    v = np.append(64 * np.linalg.eigvalsh(np.corrcoef(jacobians)), np.zeros(3 * 63))
    expected = -np.sum(np.log(v + 1e-5) + 1 / (v + 1e-5))
    assert proxies.jacov(model, np.tile(few, (64, 1))) == pytest.approx(expected, rel=1e-12)


def test_jacov_of_an_example_that_reaches_no_unit_is_undefined():
    model, inputs, _ = dense()
    network = split(model)
    weights = network.weights
    weights["hidden1.bias"] = jnp.full(UNITS, -1.0)
    inputs[0] = 0
    assert np.isnan(proxies.jacov(network.replace(weights).module(), inputs))


def test_other_weights_of_the_same_shape_compile_nothing():
    for seed in range(3):
        proxies.snip(*dense(seed))
        size = _snip.score.jitted._cache_size()
        proxies.snip(*dense(seed + 10))
        assert _snip.score.jitted._cache_size() == size


# --- which weights, and BatchNorm ---


class Mixed(nnx.Module):
    def __init__(self, rngs):
        self.embedding = nnx.Embed(7, 4, rngs=rngs)
        self.attention = nnx.MultiHeadAttention(2, 4, decode=False, rngs=rngs)
        self.norm = nnx.LayerNorm(4, rngs=rngs)
        self.conv = nnx.Conv(4, 4, (3,), rngs=rngs)
        self.head = nnx.Linear(4, 3, rngs=rngs)


def test_scores_kernels_of_dense_and_convolution_layers_only():
    attention = {f"attention.{name}.kernel" for name in ("query", "key", "value", "out")}
    shapes = nnx.eval_shape(lambda: Mixed(nnx.Rngs(0)))
    assert set(scored_weights(split(shapes), None)) == attention | {"conv.kernel", "head.kernel"}


def test_a_network_without_weights_to_score_is_refused():
    with pytest.raises(ValueError, match=r"LayerNorm has no weights that could be scored"):
        proxies.snip(nnx.LayerNorm(3, rngs=nnx.Rngs(0)), np.ones((2, 3), np.float32), np.zeros(2, int))


class OwnKernels(nnx.Module):
    """The network of `dense`, of which only the head is a layer of Flax, in several ways of writing the other."""

    def __init__(self, plain, product, **arrays):
        self.kernel, self.bias = nnx.Param(plain.hidden1.kernel[...]), nnx.Param(plain.hidden1.bias[...])
        self.head, self.product = plain.head, product
        for name, array in arrays.items():
            setattr(self, name, nnx.Param(jnp.asarray(array, jnp.float32)))

    def __call__(self, x):
        return self.head(nnx.relu(self.product(self, x) + self.bias[...]))


def by_slices(model, x):
    """Half of the units after the other, as attention of one kernel reads its queries, keys and values."""
    kernel = model.kernel[...]
    return jnp.concatenate([x @ kernel[:, : UNITS // 2], x @ kernel[:, UNITS // 2 :]], axis=1)


def in_a_loop(model, x):
    """One feature after the other: what the loop hands on does not depend on the inputs before its first turn."""
    steps = model.kernel[...][:, None], x.T[:, :, None]  # features 1 units; features b 1
    return jax.lax.scan(lambda sums, step: (sums + step[1] @ step[0], None), jnp.zeros((len(x), UNITS)), steps)[0]


def on_condition(model, x):
    kernel = model.kernel[...]
    return jax.lax.cond(x[0, 0] < 99, lambda x: x @ kernel, lambda x: 0 * x[:, :1] @ kernel[:1], x)


def as_convolution(model, x):
    """Of an image of one pixel."""
    kernel = model.kernel[...][None, None]
    made = jax.lax.conv_general_dilated(
        x[:, None, None], kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    return made[:, 0, 0]


WRITTEN = {
    "a product": lambda model, x: x @ model.kernel[...],
    "einsum": lambda model, x: jnp.einsum("uf,bf->bu", model.kernel[...].T, x),
    "called": jax.checkpoint(lambda model, x: jax.jit(jnp.dot)(x, model.kernel[...])),
    "slices": by_slices,
    "a loop": in_a_loop,
    "a condition": on_condition,
    "a convolution": as_convolution,
}


@pytest.mark.parametrize("way", WRITTEN)
def test_kernels_of_a_module_of_its_own_are_scored_as_those_of_layers(way):
    plain, inputs, targets = dense()
    own = OwnKernels(plain, WRITTEN[way])
    assert set(scored_weights(split(own), inputs)) == {"kernel", "head.kernel"}
    for name in FIVE:
        expected = score(name, plain, inputs, targets)
        assert score(name, own, inputs, targets) == pytest.approx(expected, rel=1e-4), name


def test_matrices_that_are_added_scale_or_are_looked_up_are_not_scored():
    """Positions, scales of several axes, and embeddings, of which a product makes logits or features as well."""
    plain, inputs, _ = dense()
    arrays = {"places": np.ones((1, FEATURES)), "scale": np.ones((1, UNITS)), "table": np.ones((7, FEATURES))}

    def product(model, x):
        rows = model.table[...][jnp.clip(x[:, 0].astype(int), 0, 6)]
        return (x + model.places[...] + rows) @ model.kernel[...] * model.scale[...] + (x @ model.table[...].T)[:, :1]

    own = OwnKernels(plain, product, **arrays)
    assert set(scored_weights(split(own), inputs)) == {"kernel", "head.kernel"}


def test_kernels_of_a_module_without_any_layer_are_scored():
    class Bare(nnx.Module):
        def __init__(self):
            self.w = nnx.Param(jnp.asarray(np.random.default_rng(0).normal(size=(FEATURES, CLASSES)), jnp.float32))

        def __call__(self, x):
            return x @ self.w[...]

    model, (_, inputs, targets) = Bare(), dense()
    w = np.asarray(model.w[...], np.float64)
    made = np.exp(inputs @ w)
    gradient = inputs.T @ (made / made.sum(1, keepdims=True) - np.eye(CLASSES)[targets]) / EXAMPLES
    assert proxies.grad_norm(model, inputs, targets) == pytest.approx(np.linalg.norm(gradient), rel=1e-5)
    assert proxies.snip(model, inputs, targets) == pytest.approx(np.abs(w * gradient).sum(), rel=1e-5)


class Normalised(nnx.Module):
    def __init__(self, rngs):
        self.hidden1 = nnx.Linear(FEATURES, UNITS, rngs=rngs)
        self.norm = nnx.BatchNorm(UNITS, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)
        self.head = nnx.Linear(UNITS, CLASSES, rngs=rngs)

    def __call__(self, x):
        return self.head(self.dropout(nnx.relu(self.norm(self.hidden1(x)))))


def normalised(seed=0):
    model, (plain, inputs, targets) = Normalised(nnx.Rngs(0)), dense(seed)
    network = split(model)
    weights = network.weights
    rng = np.random.default_rng(seed)
    for path in ("norm.scale", "norm.bias", "norm.mean", "norm.var"):
        weights[path] = rng.uniform(0.5, 2, UNITS).astype(np.float32)
    return network.replace(weights | split(plain).weights).module(), inputs, targets


def normalised_logits(p, x, own_statistics):
    z = x @ p["hidden1.kernel"] + p["hidden1.bias"]
    mean, var = (z.mean(0), z.var(0)) if own_statistics else (p["norm.mean"], p["norm.var"])
    z = (z - mean) / jnp.sqrt(var + 1e-5) * p["norm.scale"] + p["norm.bias"]
    return jnp.maximum(z, 0) @ p["head.kernel"] + p["head.bias"]


@pytest.mark.parametrize("reference", [False, True])
def test_batch_norm_evaluates_or_uses_the_batch(reference):
    model, inputs, targets = normalised()
    p = split(model).weights
    kernels = {path: p[path] for path in ("hidden1.kernel", "head.kernel")}

    def loss(kernels):
        logits = normalised_logits({**p, **kernels}, inputs, reference)
        return -jax.nn.log_softmax(logits)[np.arange(EXAMPLES), targets].mean()

    g, hessian = jax.device_get(jax.jit(lambda kernels: (jax.grad(loss)(kernels), jax.hessian(loss)(kernels)))(kernels))
    jacobians = jax.jit(jax.grad(lambda x: normalised_logits(p, x, reference).sum()))(inputs)
    curved = {a: sum(np.tensordot(hessian[a][b], g[b], 2) for b in g) for a in g}
    expected = {
        "grad_norm": sum(np.linalg.norm(each) for each in g.values()),
        "snip": sum(np.abs(kernels[path] * g[path]).sum() for path in g),
        "grasp": -sum(np.sum(kernels[path] * curved[path]) for path in g),
        "jacov": numpy_correlation_score(np.asarray(jacobians, np.float64)),
    }
    for name, value in expected.items():
        assert score(name, model, inputs, targets, reference=reference) == pytest.approx(float(value), rel=1e-4)
    assert all(jnp.array_equal(p[path], w) for path, w in split(model).weights.items() if path.startswith("norm"))


class Listed(nnx.Module):
    def __init__(self, rngs):
        self.layers = nnx.List([nnx.Linear(FEATURES, UNITS, rngs=rngs), nnx.BatchNorm(UNITS, rngs=rngs)])
        self.head = nnx.Linear(UNITS, CLASSES, rngs=rngs)

    def __call__(self, x):
        for layer in self.layers:
            x = layer(x)
        return self.head(nnx.relu(x))


def test_synflow_passes_normalisation_by_in_a_list_of_layers_too():
    _, inputs, _ = dense()
    normalised = Listed(nnx.Rngs(0))
    plain = nnx.clone(normalised)
    plain.layers = nnx.List(plain.layers[:1])
    assert proxies.synflow(normalised, inputs) == pytest.approx(proxies.synflow(plain, inputs), rel=1e-12)


def test_synflow_passes_normalisation_by():
    plain, inputs, _ = dense()
    assert proxies.synflow(normalised()[0], inputs) == pytest.approx(proxies.synflow(plain, inputs), rel=1e-12)


# --- networks of tokens ---


class Tokens(nnx.Module):
    """(b, s) tokens -> the logits of the first token of each example, through the mean of all."""

    def __init__(self, rngs):
        self.embedding = nnx.Embed(7, FEATURES, rngs=rngs)
        self.norm = nnx.LayerNorm(FEATURES, rngs=rngs)
        self.hidden1 = nnx.Linear(FEATURES, UNITS, rngs=rngs)
        self.head = nnx.Linear(UNITS, CLASSES, rngs=rngs)

    def embed(self, tokens):
        return self.embedding(tokens)

    def from_embeddings(self, x, tokens):
        real = (tokens >= 0)[..., None]
        h = nnx.relu(self.hidden1(self.norm(x)))
        return self.head(jnp.sum(h * real, 1) / jnp.sum(real, 1))

    def __call__(self, tokens):
        return self.from_embeddings(self.embed(tokens), tokens)


def tokens():
    rng = np.random.default_rng(0)
    plain, _, targets = dense()
    network = split(Tokens(nnx.Rngs(0)))
    return (
        network.replace(network.weights | split(plain).weights).module(),
        rng.integers(7, size=(EXAMPLES, 3)),
        targets,
    )


def test_jacov_of_tokens_differentiates_at_their_embeddings():
    model, inputs, targets = tokens()
    assert isinstance(model, TokenModel)
    jacobian = jax.jit(jax.jacrev(lambda x: model.from_embeddings(x, inputs).sum(1)))(model.embed(inputs))  # b b s h
    own = np.asarray(jacobian, np.float64)[np.arange(EXAMPLES), np.arange(EXAMPLES)].reshape(EXAMPLES, -1)
    assert proxies.jacov(model, inputs, targets) == pytest.approx(numpy_correlation_score(own), rel=1e-4)


def test_synflow_of_tokens_has_embeddings_of_ones_and_no_layer_norm():
    model, inputs, targets = tokens()
    expected = numpy_synflow(doubles(model), None, None)
    assert proxies.synflow(model, inputs, targets) == pytest.approx(expected, rel=1e-10)


def test_scores_of_tokens_leave_embeddings_out():
    """Without the embeddings, what remains is a network on real numbers."""
    model, inputs, targets = tokens()

    class Rest(nnx.Module):
        def __init__(self):
            self.inner = model

        def __call__(self, x):
            return self.inner.from_embeddings(x, inputs)

    expected = proxies.grad_norm(Rest(), model.embed(inputs), targets)
    assert proxies.grad_norm(model, inputs, targets) == pytest.approx(expected, rel=1e-5)


def test_integers_to_a_network_of_real_numbers_are_refused():
    model, inputs, targets = dense()
    for name in ("jacov", "synflow"):
        with pytest.raises(ValueError, match="floating-point; got int32"):
            score(name, model, np.ones_like(inputs, np.int32), targets)


# --- the table and the measurements ---


def test_table_names_functions_that_exist():
    assert PREDICTORS.keys() - registered() == {METRIC, PARAMETERS, SOTL_E}
    assert {key: resolve_name(proxy.function) for key, proxy in registered().items()} == {
        name: getattr(proxies, name) for name in FIVE
    }


def test_times_every_registered_proxy():
    jax.clear_caches()  # other tests may have compiled the same programs
    model, inputs, targets = dense()
    measured = proxies.timed_scores(model, inputs, targets)
    assert list(measured) == list(registered())
    for name, measurement in measured.items():
        assert measurement.value == pytest.approx(score(name, model, inputs, targets), rel=1e-6)
        assert measurement.seconds > 0
        assert measurement.compile_seconds > 0


def test_a_timed_walk_has_the_barriers_of_the_walk():
    jax.clear_caches()
    model, inputs, targets = dense()
    permutations = np.stack([np.roll(np.arange(UNITS), i) for i in (1, 2, 3)])
    walked = timed_walk(model, permutations, inputs, targets, group="hidden1")
    barriers = midpoint_barriers(model, permutations, inputs, targets, group="hidden1")
    np.testing.assert_array_equal(walked.barriers, barriers)
    assert walked.seconds > 0
    assert walked.compile_seconds > 0
    longer = timed_walk(model, permutations, inputs, targets, group="hidden1", known=barriers[:2])
    np.testing.assert_array_equal(longer.barriers, barriers)


def test_parameters_count_every_weight():
    assert proxies.parameters(dense()[0]) == (FEATURES + 1) * UNITS + (UNITS + 1) * CLASSES


def test_parameters_leave_running_statistics_out():
    norms = 2 * UNITS  # scale and bias
    assert proxies.parameters(normalised()[0]) == proxies.parameters(dense()[0]) + norms
