"""Symmetries found by tracing: those of the package's own networks are the tables written by hand."""

from __future__ import annotations

import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st
from modules import CASES, CLASSES, RIGID, dense, drawn, of
from networks import batch, initial, outputs
from scipy.special import logsumexp
from trained import SPECS, build, data

import landscape
from landscape.barriers.midpoint import midpoint_changes
from landscape.models.checks.same_function import logits
from landscape.models.functional import split
from landscape.models.site import Site
from landscape.models.symmetry import Axis, Group, retaken, unit_groups
from landscape.models.tracing import output_layer
from landscape.models.tracing.analysis import Shapes, analysis
from landscape.models.tracing.axes import Atom, Product, Sum, Unifier, atoms, extent, resolved
from landscape.models.tracing.module import Findings, attached

pytestmark = pytest.mark.compiled_quickly

RESIDUAL = {"tinybert": "tokens", "minibert": "tokens"}  # the residual stream, which BERT's table leaves out


def tied(group: Group) -> frozenset[Axis]:
    return frozenset((*group.produces, *group.consumes))


@pytest.mark.parametrize("name", SPECS)
def test_the_groups_of_the_packages_networks_are_those_of_their_tables(name):
    model = nnx.eval_shape(lambda: build(name))
    found = analysis(split(model), Shapes.of(data(name).train.inputs)).table.groups
    by_hand = {tied(group): group for group in unit_groups(model).values()}
    extra = [each for each, group in found.items() if tied(group) not in by_hand]
    assert extra == [RESIDUAL[name]] if name in RESIDUAL else extra == []
    assert by_hand.keys() <= {tied(group) for group in found.values()}
    for each in set(found) - {*extra}:
        assert {*found[each].consumes} == {*by_hand[tied(found[each])].consumes}
        assert found[each].repeats == by_hand[tied(found[each])].repeats


@pytest.mark.parametrize("name", ["mlp2", "cnn4"])
def test_a_chain_is_cut_by_itself_as_by_hand(name):
    """Same parts, up to the order in which a convolution adds up."""
    model, (inputs, _) = initial(name, 0).module(), batch()
    own = attached(model, Findings(Shapes.of(inputs)))
    for group, table in own.groups().items():
        found, by_hand = own.cut(group), model.cut(group)
        (z, carry), (other, _) = found.before(inputs), by_hand.before(jnp.asarray(inputs))
        np.testing.assert_allclose(z, other, rtol=1e-5, atol=1e-6)
        some = np.arange(z.shape[-1])[::2]
        np.testing.assert_array_equal(found.activation(z[..., some]), by_hand.activation(z[..., some]))
        np.testing.assert_array_equal(found.kernel.ravel(), by_hand.kernel.ravel())
        h = found.activation(z)
        np.testing.assert_allclose(found.features(found.linear(h, found.kernel), carry), outputs(model), atol=1e-5)
        opened = own.opened(group)
        np.testing.assert_allclose(opened.between(opened.before(inputs)), outputs(model), atol=1e-5)
        assert table.size(split(own).weights) == z.shape[-1]


@pytest.mark.parametrize(("name", "group", "head"), [("bottlenecks", "blocks.1.conv1", False), ("gpt", "up", True)])
def test_batch_norm_and_a_large_output_layer_are_parts_of_a_cut(name, group, head, monkeypatch):
    monkeypatch.setattr(output_layer, "MANY", 11)
    build, inputs, _ = CASES[name]
    own = attached(drawn(build), Findings(Shapes.of(inputs)))
    cut, opened = own.cut(group), own.opened(group)
    assert (cut.head is not None) == (opened.head is not None) == head

    @jax.jit
    def by_parts(inputs):
        z, carry = cut.before(inputs)
        made = cut.features(cut.linear(cut.activation(z), cut.kernel), carry), opened.between(opened.before(inputs))
        return [features @ cut.head[0] + cut.head[1] if head else features for features in made]

    for found in by_parts(inputs):
        np.testing.assert_allclose(found, split(own).logits(inputs), atol=1e-5)


CUT = {  # groups that are a chain, by module
    "sequential": ["layers.4"],
    "group norm": ["conv2"],
    "bottlenecks": [f"blocks.{i}.conv{j}" for i in range(3) for j in (1, 2)],
    "unet": ["down", "bottom", "join"],
    "mixer": ["token1", "channel1"],
    "vit": ["block.up"],
    "gpt": ["up"],
    "autoencoder": ["down1", "down2", "up1"],
    "experts": ["down"],
    "channels first": [],
    "shuffled": ["last"],
    "stacked": ["attention.out"],
}
FEW = ("autoencoder", "transposed")  # on every run; all of them where slow tests are run
SINGLE = ("lstm", "gru")  # whose loop carries single precision
EVERY = [pytest.param(name, marks=() if name in FEW else pytest.mark.slow) for name in CASES]


@pytest.mark.parametrize("name", EVERY)
def test_modules_without_a_table_are_permuted_widened_and_walked(name):
    """The expected groups; each permuted, all widened; midpoints as by the definition, also from a cut."""
    build, inputs, sizes = CASES[name]
    model = drawn(build)
    found = landscape.symmetries(model, inputs)
    assert found.sizes == sizes and found.rigid.keys() == RIGID.get(name, set())
    rng = np.random.default_rng(1)
    with jax.enable_x64(name not in SINGLE):
        weights = {path: wider(array) for path, array in split(model).weights.items()}
        run = partial(outputs_of, split(model), jax.tree.map(wider, inputs))
        own = run(weights)
        close = partial(np.testing.assert_allclose, desired=own, rtol=1e-5, atol=1e-5 * abs(own).max())
        for group, size in sizes.items():
            close(run(retaken(weights, found.groups[group], rng.permutation(size))))
        wide = attached(split(model).replace(weights).module(), Findings(Shapes.of(jax.tree.map(wider, inputs))))
        for group in [each for each in sizes if each not in found.rigid]:
            wide = landscape.widen(wide, group, 2 * sizes[group], jax.random.key(1))
        close(outputs_of(split(wide), jax.tree.map(wider, inputs), split(wide).weights))
        targets = rng.integers(own.shape[-1], size=own.shape[:-1])
        cut = [group for group in sizes if wide.cut(group) is not None]
        walks = {
            group: np.stack([rng.permutation(sizes[group]) for _ in range(3)]) for group in {*[*sizes][:1], *cut[-1:]}
        }
        expected = {}
        for group, walk in walks.items():
            moved = [retaken(weights, found.groups[group], permutation) for permutation in walk]
            middle = [run({path: halfway(array, each[path]) for path, array in weights.items()}) for each in moved]
            expected[group] = [loss(each, targets) - loss(own, targets) for each in middle]
        new_sizes = {group: table.size(split(wide).weights) for group, table in wide.groups().items()}
    expected_sizes = {group: size if group in found.rigid else 2 * size for group, size in sizes.items()}
    assert new_sizes == expected_sizes
    assert cut == CUT.get(name, [])
    for group, walk in walks.items():
        changes = midpoint_changes(Site.of(found.attach(model), group), walk, inputs, targets)
        np.testing.assert_allclose(changes, expected[group], atol=1e-5)


def outputs_of(network, inputs, weights):
    return np.asarray(logits(network.replace(weights), inputs))


def wider(array):
    return np.asarray(array, float) if array.dtype == np.float32 and jax.config.jax_enable_x64 else array


def halfway(a, b):
    return (a + b) / 2 if jnp.issubdtype(a.dtype, np.inexact) else a


def loss(outputs, targets):
    return float(np.mean(logsumexp(outputs, -1) - np.take_along_axis(outputs, targets[..., None], -1)[..., 0]))


class Between(nnx.Module):
    """up, anything, down."""

    def __init__(self, between) -> None:
        self.up, self.down, self.between = dense(4, 6), dense(6, CLASSES), between

    def __call__(self, x):
        return self.down(self.between(self.up(x)))


def channel_attention(x):
    weights = jax.nn.softmax(x[:, :, None] * x[:, None, :])
    return jnp.einsum("bcd,bd->bc", weights, x)


REFUSED = {
    "sorted": (lambda x: jnp.sort(x), "sorted by sort, at test_symmetries.py:"),
    "mask": (lambda x: x * np.arange(6.0), "tied to a fixed array by broadcast_in_dim, at test_symmetries.py:"),
    "accumulated": (lambda x: jnp.cumsum(x, -1), "accumulated in order by cumsum"),
    "shifted": (lambda x: x.at[:, 1:].set(x[:, :-1]), "indexed at computed places by scatter"),
    "shifted by hand": (lambda x: x + jnp.concatenate([x[:, 1:], x[:, :1]], -1), "read in parts by add"),
    "read backwards": (lambda x: x + x[:, ::-1], "read backwards by rev"),
    "skip": (lambda x: x.at[:, :4].add(1.0) + x[:, 3:4], "indexed at computed places by scatter-add"),
    "largest": (lambda x: x * (jnp.argmax(x, -1) + 1)[:, None], "the position of an extreme by argmax"),
    "unknown": (lambda x: jnp.fft.irfft(jnp.fft.rfft(x), 6), "not known: fft is a primitive that is not followed"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_axis_that_is_no_symmetry_says_why(name):
    between, reason = REFUSED[name]
    model = nnx.eval_shape(lambda: Between(between))
    found = analysis(split(model), Shapes.of(of((4, 4)))).table
    assert found.groups == {}
    assert reason in found.fixed[Axis("up.kernel", 1)] and Axis("down.kernel", 0) in found.fixed


@pytest.mark.parametrize("kind", [bool, np.int32])
def test_units_of_an_array_of_which_no_mean_is_taken_are_fixed(kind):
    """Between two networks, a mask stays that of the first."""

    class Masked(Between):
        def __init__(self):
            super().__init__(nnx.relu)
            self.mask = nnx.Variable(jnp.ones(6, kind))

        def __call__(self, x):
            return self.down(jnp.where(self.mask[...] > 0, self.up(x), 0))

    found = analysis(split(Masked()), Shapes.of(of((4, 4)))).table
    assert found.groups == {}
    assert f"an array of {np.dtype(kind)}, of which no mean is taken" in found.fixed[Axis("up.kernel", 1)]


class Waves(nnx.Module):
    def __init__(self) -> None:
        self.waves, self.down = nnx.Param(of((4, 6)) + 1j * of((6, 4)).T), dense(6, CLASSES)

    def __call__(self, x):
        return self.down(jnp.abs(x @ self.waves[...]))


@pytest.mark.filterwarnings("error")
def test_complex_arrays_are_tried_with_their_imaginary_parts():
    assert landscape.symmetries(Waves(), of((4, 4))).sizes == {"waves": 6}


def test_half_precision_is_evaluated_in_single():
    """Walks and widenings are those of the same arrays in layers that ask for no precision."""

    def build(kind):
        layers = [dense(4, 6, dtype=kind), nnx.BatchNorm(6, dtype=kind, rngs=nnx.Rngs(0)), nnx.tanh]
        return drawn(lambda: nnx.Sequential(*layers, dense(6, CLASSES, dtype=kind)))

    inputs, steps = of((40, 4)), np.array([[1, 0, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0]])
    single, half = (landscape.traced(build(kind), inputs) for kind in (None, jnp.bfloat16))
    assert half.groups() == single.groups() and half.groups()["layers.0"].widenable
    for method in ("fast", "reference"):
        walks = [
            landscape.midpoint_barriers(model, steps, inputs, np.arange(40) % 3, group="layers.0", method=method)
            for model in (single, half)
        ]
        np.testing.assert_array_equal(*walks)


def test_a_long_axis_that_is_read_shifted_is_fixed_at_once():
    between = nnx.Sequential(dense(4, 900), lambda x: x[:, 1:] * x[:, :-1], dense(899, 6))
    found = analysis(split(nnx.Sequential(between)), Shapes.of(of((4, 4)))).table
    assert "at places that do not fit into each other by mul" in found.fixed[Axis("layers.0.layers.0.kernel", 1)]


def test_attention_over_channels_can_be_permuted_and_not_widened():
    found = landscape.symmetries(drawn(lambda: Between(channel_attention)), of((4, 4)))
    assert found.sizes == {"up": 6} and not found.groups["up"].widenable
    assert "two computed values are multiplied and summed over it by dot_general" in found.rigid["up"]
    assert "up: 6 units, not widenable\n  made by up.kernel(1), up.bias(0)\n  read by down.kernel(0)" in repr(found)


class Noisy(nnx.Module):
    def __init__(self) -> None:
        self.up, self.rngs = dense(4, CLASSES), nnx.Rngs(0)

    def __call__(self, x):
        return self.up(x + jax.random.normal(self.rngs(), x.shape))


UNTRACEABLE = {
    "random": (Noisy, r"the outputs of Noisy depend on a random number \(random_bits, at test_symmetries.py"),
    "batch": (
        lambda: Between(lambda x: x if len(x) < 3 else nnx.relu(x)),
        "differently for another number of examples",
    ),
    "fixed batch": (lambda: Between(lambda x: x.reshape(2, 6)), "Between cannot be run on 3 examples of these inputs"),
    "value": (lambda: Between(lambda x: x if x.sum() > 0 else -x), "cannot be run on 2 examples"),
    "several": (lambda: nnx.Sequential(dense(4, 3), lambda x: (x, x)), "must return one array; it returns PyTreeDef"),
    "beside others": (lambda: Between(lambda x: x - x.mean(0)), "of Between for an example depend on the other"),
    "infinite": (lambda: Between(lambda x: x / 0), "outputs of Between on these inputs are not finite"),
}


@pytest.mark.parametrize("name", UNTRACEABLE)
def test_what_cannot_be_traced_is_refused_in_one_sentence(name):
    build, message = UNTRACEABLE[name]
    with pytest.raises(ValueError, match=message) as refused:
        landscape.symmetries(drawn(build), of((4, 4)))
    assert "\n" not in str(refused.value)


@jax.custom_vjp
def doubled(x):
    return 2 * x


doubled.defvjp(lambda x: (doubled(x), None), lambda _, slope: (2 * slope,))
WHOLE, HALVES = {"up": 6}, {"up": 3}
FOLLOWED = {
    "loop": (lambda x: jax.lax.fori_loop(0, 3, lambda i, y: nnx.tanh(y) + i * x, x), WHOLE),
    "while": (lambda x: jax.lax.while_loop(lambda y: (y < 9).any(), lambda y: 2 * abs(y) + 1, x), WHOLE),
    "branches": (lambda x: jax.lax.cond(x.sum() > 0, nnx.relu, jnp.abs, x), WHOLE),
    "scan": (
        lambda x: jax.lax.scan(lambda y, s: (y + s * x, y), x, jnp.arange(3.0))[1].sum(0),
        WHOLE,
    ),
    "remat": (jax.checkpoint(lambda x: jnp.sin(x)), WHOLE),
    "rules of one's own": (lambda x: doubled(jax.nn.swish(x)), WHOLE),
    "softmax": (lambda x: jax.nn.softmax(x) * jax.nn.logsumexp(x, -1, keepdims=True), WHOLE),
    "standardised": (lambda x: jax.nn.standardize(x) - x.max(-1, keepdims=True), WHOLE),
    "mask of ones": (lambda x: jnp.where(jnp.ones((4, 6), bool)[: len(x)], x, np.zeros(6)), WHOLE),
    "turned": (lambda x: x.T.reshape(6, -1).T, WHOLE),
    "tiled": (lambda x: jnp.tile(x, (1, 2))[:, 3:9], {"up.1": 3, "up.2": 3}),
    "gated": (lambda x: jnp.concatenate([x[:, :3] * nnx.sigmoid(x[:, 3:])] * 2, -1), HALVES),
    "blocks": (lambda x: jax.nn.softmax(x.reshape(-1, 3, 2)).reshape(-1, 6), {"up.blocks": 3, "up.within": 2}),
    "blocks summed": (lambda x: jnp.repeat(x.reshape(-1, 3, 2).sum(1), 3, 1), {"up.blocks": 3, "up.within": 2}),
    "mapped": (jax.vmap(lambda x: x / jnp.linalg.norm(x)), WHOLE),
    "written": (lambda x: jax.lax.dynamic_update_slice(x, x[:1] ** 2, (len(x) // 2, 0)), WHOLE),
    "padded": (lambda x: jnp.pad(x[:, :4], ((0, 0), (1, 1))), {"up.1": 4, "up.2": 2}),
}


@jax.jit  # one program, where a network run operation by operation compiles dozens
def plainly(network, inputs):
    return network.module()(inputs)


@pytest.mark.parametrize("name", FOLLOWED)
def test_units_are_followed_through(name):
    """What is found is a symmetry of the computation, which is run on permuted arrays."""
    between, sizes = FOLLOWED[name]
    model = drawn(lambda: Between(between))
    network, inputs = split(model), of((4, 4))
    weights = jax.tree.map(np.asarray, network.weights)
    found = analysis(network, Shapes.of(inputs)).table.groups
    assert {group: table.size(weights) for group, table in found.items()} == sizes
    rng, own = np.random.default_rng(0), plainly(network, inputs)
    for group, size in sizes.items():
        moved = network.replace(retaken(weights, found[group], rng.permutation(size)))
        np.testing.assert_allclose(plainly(moved, inputs), own, rtol=1e-4, atol=1e-5 * abs(own).max())


TREE = st.recursive(
    st.integers(1, 3).map(Atom), lambda below: st.lists(below, min_size=2, max_size=3).map(tuple), max_leaves=5
)
AXIS = TREE.filter(lambda tree: extent(built(tree)) <= 30)  # two of them multiplied are spelled out


def built(tree) -> Atom | Product | Sum:
    """A type from nested tuples: sums and products in turns."""

    def build(tree, kind):
        other = Sum if kind is Product else Product
        return tree if isinstance(tree, Atom) else kind(tuple(build(each, other) for each in tree))

    return build(tree, Product)


def spelled(t) -> list[tuple]:
    """Every entry of an axis, by the atoms and units on the way to it: what a type means, written out."""
    match t:
        case Atom():
            return [((id(t), unit),) for unit in range(t.size)] if t.size > 1 else [()]
        case Product():
            lists = [spelled(each) for each in t.factors]
            return [sum(entry, ()) for entry in itertools.product(*lists)]
        case Sum():
            return [entry for part in t.parts for entry in spelled(part)]


@settings(max_examples=60)
@given(AXIS, AXIS, st.data())
def test_types_of_axes_keep_their_meaning(one, other, data):
    """Normal forms, cuts and blocks spell the same entries as before; unified axes spell the same."""
    a, b = built(one), built(other)
    assert spelled(resolved(a)) == spelled(a)
    unifier = Unifier()
    if extent(a) > 1:
        at = data.draw(st.integers(1, extent(a) - 1))
        pieces = unifier.cut(a, at)
        assert [extent(piece) for piece in pieces] == [at, extent(a) - at]
        assert spelled(resolved(Sum(pieces))) == spelled(resolved(a))
    size = data.draw(st.sampled_from([n for n in range(1, extent(b) + 1) if extent(b) % n == 0]))
    if pair := unifier.front(b, size):
        assert extent(pair[0]) == size and spelled(resolved(Product(pair))) == spelled(resolved(b))
    whole = Product((a, b))
    unifier.unify(whole, same := Product((Atom(extent(b)), Atom(extent(a)))))
    free = all(atom.fixed is None for t in (whole, same) for atom in atoms(t))
    assert not free or spelled(resolved(whole)) == spelled(resolved(same))


def test_groups_are_checked_on_inputs():
    with pytest.raises(ValueError, match="inputs must hold at least one example"):
        landscape.symmetries(drawn(lambda: Between(nnx.relu)), of((0, 4)))
