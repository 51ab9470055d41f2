"""Layers that keep sizes beside their arrays or normalise across units: they follow a widening, or refuse it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from modules import of

from landscape.barriers.walk import permute
from landscape.models.functional import Network, split
from landscape.models.net2net import deepen, widen
from landscape.models.symmetry import Axis, Group

pytestmark = pytest.mark.compiled_quickly

KEY = jax.random.key(7)


class Fresh(Mapping):
    """`rngs`, new at every reading, so that layers can be built in a trace as well."""

    def __getitem__(self, name: str) -> nnx.Rngs:
        return nnx.Rngs(0)

    def __iter__(self) -> Iterator[str]:
        return iter(["rngs"])

    def __len__(self) -> int:
        return 1


RNGS = Fresh()
PIXELS, TOKENS = of((4, 5, 3, 3)), of((4, 5, 3))


class Net(nnx.Module):
    """up → layer → tanh → mean over places → down, with a table of one group, `units`."""

    def __init__(self, up, layer, down, group: Group, act: Callable = nnx.tanh):
        self.up, self.layer, self.down, self.group, self.act = up, layer, down, group, act

    def __call__(self, x):
        return self.down(self.act(self.layer(self.up(x)))).reshape(len(x), -1)

    def groups(self):
        return {"units": self.group}


def drawn(build: Callable[[], nnx.Module]) -> nnx.Module:
    """What `build` returns, its parameters drawn on the host, which compiles nothing; none is 0 or 1, as some start."""
    graphdef, state = nnx.split(nnx.eval_shape(build))
    rng = np.random.default_rng(7)

    def draw(path: tuple, leaf: jax.ShapeDtypeStruct) -> jax.Array:
        name = str(path[-2].key) if len(path) > 1 else ""
        centre = 1.0 if name in ("scale", "var") else 0.0
        spread = 0.0 if name in ("mean", "var") else 0.3
        return jnp.asarray((centre + spread * rng.normal(size=leaf.shape)).astype(leaf.dtype))

    return nnx.merge(graphdef, jax.tree_util.tree_map_with_path(draw, state))


def around(layer, *tied: str, inner: int = 1, act: Callable = nnx.tanh, inputs=PIXELS):
    """A network whose group also has these arrays of `layer`, on their last axis."""

    def build(units: int) -> Net:
        width = units * inner
        up = nnx.Conv(3, width, (3, 3), **RNGS) if inputs.ndim == 4 else nnx.Linear(3, width, **RNGS)
        axes = [Axis(path, -1, inner) for path in ("up.kernel", "up.bias", *(f"layer.{name}" for name in tied))]
        down = nnx.Linear(width, 4, **RNGS)
        return Net(up, layer(width), down, Group(tuple(axes), (Axis("down.kernel", -2, inner),)), act)

    return build


def attention(units: int, **kwargs) -> Net:
    layer = nnx.MultiHeadAttention(units, 6, qkv_features=2 * units, decode=False, **RNGS, **kwargs)
    produces = [Axis(f"layer.{name}.{part}", -2) for name in ("query", "key", "value") for part in ("kernel", "bias")]
    group = Group(tuple(produces), (Axis("layer.out.kernel", -3),))
    return Net(nnx.Linear(3, 6, **RNGS), layer, nnx.Linear(6, 4, **RNGS), group)


def reading(units: int) -> Net:
    """Its layer only reads the units, which a dense layer makes of blocks of two."""
    group = Group((Axis("up.kernel", -2), Axis("up.bias", -2)), (Axis("layer.kernel", 0),))
    layer = nnx.LinearGeneral((units, 2), (2, 3), axis=(-2, -1), **RNGS)
    down = nnx.LinearGeneral((2, 3), 4, axis=(-2, -1), **RNGS)
    return Net(nnx.LinearGeneral(3, (units, 2), **RNGS), layer, down, group)


def transposed(transpose: bool) -> Callable:
    def build(units: int) -> Net:
        layer = nnx.ConvTranspose(units, 2, (3, 3), transpose_kernel=transpose, **RNGS)
        made_by = (Axis("up.kernel", -1), Axis("up.bias", 0))
        group = Group(made_by, (Axis("layer.kernel", -1 if transpose else -2),))
        return Net(nnx.Conv(3, units, (3, 3), **RNGS), layer, nnx.Linear(2, 4, **RNGS), group)

    return build


def multiplied(units: int) -> Net:
    layer = nnx.Einsum("bti,io->bto", (units, 2), (2,), **RNGS)
    group = Group((Axis("up.kernel", -1), Axis("up.bias", 0)), (Axis("layer.kernel", 0),))
    return Net(nnx.Linear(3, units, **RNGS), layer, nnx.Linear(2, 4, **RNGS), group)


def grouped(width: int, groups: int) -> nnx.Conv:
    return nnx.Conv(width, width, (3, 3), feature_group_count=groups, **RNGS)


MOMENTS = ("mean", "var", "scale", "bias")


class Case(NamedTuple):
    build: Callable[[int], Net]
    inputs: jax.Array = PIXELS
    size: int = 9  # of 4 units; a whole multiple where the layer normalises across them


CASES = {
    "depthwise": Case(around(lambda width: grouped(width, width), "kernel", "bias")),
    "groups of two": Case(around(lambda width: grouped(width, width // 2), "kernel", "bias", inner=2)),
    "batch norm": Case(around(lambda width: nnx.BatchNorm(width, use_running_average=True, **RNGS), *MOMENTS)),
    "instance norm": Case(around(lambda width: nnx.InstanceNorm(width, **RNGS), "scale", "bias")),
    "layer norm": Case(around(lambda width: nnx.LayerNorm(width, **RNGS), "scale", "bias"), size=12),
    "layer norm without bias": Case(
        around(lambda width: nnx.LayerNorm(width, use_bias=False, **RNGS), "scale"), size=8
    ),
    "rms norm": Case(around(lambda width: nnx.RMSNorm(width, **RNGS), "scale"), size=8),
    "one group": Case(around(lambda width: nnx.GroupNorm(width, 1, **RNGS), "scale", "bias"), size=12),
    "a group a unit": Case(around(lambda width: nnx.GroupNorm(width, width // 3, **RNGS), "scale", "bias", inner=3)),
    "heads": Case(attention, of((2, 5, 3))),
    "dense over several axes": Case(reading, TOKENS),
    "transposed": Case(transposed(False)),
    "transposed, its kernel too": Case(transposed(True)),
    "einsum": Case(multiplied, TOKENS),
}


def sizes(layer: nnx.Module) -> dict:
    """All that a layer keeps beside its arrays and can be compared."""
    plain = {name: value for name, value in vars(layer).items() if isinstance(value, int | tuple)}
    return {name: value for name, value in plain.items() if not name.startswith("_")}


def outputs(model: nnx.Module, inputs) -> np.ndarray:
    return np.asarray(run(split(model), inputs))


@jax.jit  # one program, where a network run operation by operation compiles dozens
def run(network: Network, inputs) -> jax.Array:
    return network.module()(inputs)


FEW = ("groups of two", "layer norm", "heads")  # on every run; all of them where slow tests are run
EVERY = [pytest.param(name, marks=() if name in FEW else pytest.mark.slow) for name in CASES]


@pytest.mark.parametrize("name", EVERY)
def test_a_layer_is_that_of_a_network_built_so_wide_and_the_function_stays(name):
    build, inputs, size = CASES[name]
    model, built = drawn(lambda: build(4)), nnx.eval_shape(lambda: build(size))
    wide = widen(model, "units", size, KEY, inputs=inputs)
    for part in ("up", "layer", "down"):
        assert sizes(getattr(wide, part)) == sizes(getattr(built, part))
    moved = permute(wide, "units", np.random.default_rng(0).permutation(size))
    expected = outputs(model, inputs)
    for each in (wide, moved):
        np.testing.assert_allclose(outputs(each, inputs), expected, atol=2e-5)


def test_an_embedding_follows():
    group = Group((Axis("up.embedding", -1),), (Axis("layer.kernel", -2),))
    model = drawn(lambda: Net(nnx.Embed(9, 4, **RNGS), nnx.Linear(4, 2, **RNGS), nnx.Linear(2, 4, **RNGS), group))
    words, wide = jnp.arange(8).reshape(2, 4), widen(model, "units", 9, KEY)
    assert (wide.up.num_embeddings, wide.up.features, wide.layer.in_features) == (9, 9, 9)
    np.testing.assert_allclose(outputs(wide, words), outputs(model, words), atol=1e-5)


def test_layers_are_found_under_the_keys_of_a_dictionary():
    """Keys of digits are no places in a list."""

    class Keyed(nnx.Module):
        def __init__(self, *keys):
            self.keys = keys
            self.layers = nnx.Dict(dict(zip(keys, (nnx.Linear(2, 4, **RNGS), nnx.Linear(4, 3, **RNGS)), strict=True)))

        def __call__(self, x):
            return self.layers[self.keys[1]](nnx.tanh(self.layers[self.keys[0]](x)))

        def groups(self):
            up, down = self.keys
            return {
                "units": Group(
                    (Axis(f"layers.{up}.kernel", 1), Axis(f"layers.{up}.bias", 0)), (Axis(f"layers.{down}.kernel", 0),)
                )
            }

    for keys in (("0", "1"), ("up", "down")):
        model = drawn(lambda keys=keys: Keyed(*keys))
        wide = widen(model, "units", 6, KEY)
        assert wide.layers[keys[0]].out_features == wide.layers[keys[1]].in_features == 6
        np.testing.assert_allclose(wide(np.eye(2)), model(np.eye(2)), atol=1e-5)


def test_units_within_each_group_grow_the_groups():
    """One permutation re-orders the units of both groups alike: 2 groups of 4 channels become 2 of 8."""

    def build(width: int) -> Net:
        made_by = (Axis("up.kernel", -1), Axis("up.bias", 0), Axis("layer.scale", 0), Axis("layer.bias", 0))
        group = Group(made_by, (Axis("down.kernel", -2),), repeats=2)
        norm = nnx.GroupNorm(width, 2, **RNGS)
        return Net(nnx.Conv(3, width, (3, 3), **RNGS), norm, nnx.Linear(width, 4, **RNGS), group)

    wide = widen(drawn(lambda: build(8)), "units", 8, KEY, inputs=PIXELS)
    assert sizes(wide.layer) == sizes(nnx.eval_shape(lambda: build(16)).layer)


class Adapted(nnx.Module):
    """Its layer keeps sizes that nobody here knows."""

    def __init__(self):
        self.cell, self.down = nnx.LoRALinear(3, 4, lora_rank=2, **RNGS), nnx.Linear(4, 2, **RNGS)

    def groups(self):
        return {"units": Group((Axis("cell.kernel", -1),), (Axis("down.kernel", -2),))}


def masked(width: int) -> nnx.Conv:
    return nnx.Conv(width, width, (1, 1), feature_group_count=width, mask=np.ones((1, 1, 1, width), np.float32), **RNGS)


def features_of_heads() -> Net:
    model = attention(4)
    produces = tuple(Axis(f"layer.{name}.{part}", -1) for name in ("query", "key") for part in ("kernel", "bias"))
    model.group = Group(produces, (), repeats=1)
    return model


def without_arrays(kind: type, *args) -> Net:
    return around(lambda width: kind(width, *args, use_bias=False, use_scale=False, **RNGS))(4)


REFUSED = {
    "adapted": (Adapted, 8, r"cell \(LoRALinear\) cannot be widened.*known are Linear"),
    "masked": (lambda: around(masked, "kernel", "bias")(4), 8, r"layer \(Conv\) cannot be widened: its mask"),
    "units within groups": (
        lambda: around(lambda width: grouped(width, 2), "kernel", "bias")(4),
        9,
        r"layer \(Conv\) cannot be widened: a unit of 1 channels is no multiple of its groups of 2",
    ),
    "features of heads": (features_of_heads, 4, r"layer \(MultiHeadAttention\) cannot be widened: its heads are units"),
    "layer norm": (lambda: CASES["layer norm"].build(4), 6, r"units = 6 is no whole multiple of 4: layer normalises"),
    "rms norm": (lambda: CASES["rms norm"].build(4), 6, "layer normalises across the units"),
    "group norm": (lambda: CASES["one group"].build(4), 6, "layer normalises across the units"),
    "norm without arrays": (lambda: without_arrays(nnx.LayerNorm), 6, "layer normalises across the units"),
    "groups without arrays": (lambda: without_arrays(nnx.GroupNorm, 1), 8, r"layer \(GroupNorm\) cannot be widened"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_follow_is_named_before_anything_is_computed(name, monkeypatch):
    build, size, message = REFUSED[name]
    model = drawn(build)
    monkeypatch.setattr("landscape.models.net2net.retaken", None)
    with pytest.raises(ValueError, match=message):
        widen(model, "units", size, KEY)


def test_a_network_without_arrays_in_its_norm_is_widened_by_a_whole_factor():
    model = drawn(lambda: around(lambda width: nnx.RMSNorm(width, use_scale=False, **RNGS))(4))
    wide = widen(model, "units", 12, KEY)
    np.testing.assert_allclose(outputs(wide, PIXELS), outputs(model, PIXELS), atol=1e-5)


def fed_back(h):
    return h[..., :4] * h[..., -4:].mean()


@pytest.mark.parametrize(
    ("act", "message"), [(nnx.softmax, "changes its function: logits move by up to"), (fed_back, "cannot be run")]
)
def test_a_function_that_changes_on_the_inputs_is_refused(act, message):
    """No table shows what a forward pass does by itself."""
    build = around(lambda width: nnx.BatchNorm(width, use_running_average=True, **RNGS), *MOMENTS, act=act)
    model = drawn(lambda: build(4))
    with pytest.raises(ValueError, match=f"widening group 'units' of Net .*{message}"):
        widen(model, "units", 9, KEY, inputs=PIXELS)


class Deeper(Net):
    """A network whose deepening is wrong: the layer that it inserts is no identity behind its activation."""

    def deepened(self, after, name):
        return Net(self.up, nnx.Sequential(self.layer, nnx.tanh), self.down, self.group, self.act)


def test_a_deepening_that_changes_the_function_is_refused():
    model = drawn(lambda: Deeper(*(getattr(attention(4), part) for part in ("up", "layer", "down", "group"))))
    assert isinstance(deepen(model, "units"), Net)
    with pytest.raises(ValueError, match=r"deepening Deeper after 'units' changes its function: logits move by up to"):
        deepen(model, "units", inputs=TOKENS)
