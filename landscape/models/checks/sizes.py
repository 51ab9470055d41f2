"""What layers keep beside their arrays, and what copying their units does to it.

A Flax layer holds sizes, which widening its arrays leaves behind, and may normalise across the very units that are
copied. Both are decided from a group's table before any array is touched: each layer that the table names, and each
that contains one, is known here or refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, NamedTuple, NoReturn

from flax import nnx

from landscape.models.functional import array_names
from landscape.models.symmetry import Axis, Group


@dataclass(frozen=True)
class Touched:
    """A layer some of whose arrays are tied to a group that is widened from `old` to `new` units.

    path: the layer in its network; axes: the tied axes, by the name of the array within the layer.
    """

    path: tuple[str, ...]
    layer: Any
    axes: tuple[tuple[str, Axis], ...]
    old: int
    new: int

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of one of its arrays when the group is wider."""
        original = attrgetter(name)(self.layer).shape
        shape = list(original)
        for each, axis in self.axes:
            if each == name:
                shape[axis.axis] += axis.entries(original[axis.axis]) // self.old * (self.new - self.old)
        return tuple(shape)

    def blocks(self, channels: int, count: int) -> int:
        """Into how many blocks the layer divides its channels afterwards, of `count` blocks of equal size today.

        Whole blocks are copied where a unit is made of them; where units lie within each block, the blocks grow.
        """
        inner = self.axes[0][1].inner
        if count == 1 or channels // (inner * self.old) % count == 0:
            return count
        if inner % (channels // count):
            self.refuse(f"a unit of {inner} channels is no multiple of its groups of {channels // count}")
        return count // self.old * self.new

    def refuse(self, reason: str) -> NoReturn:
        """Raises ValueError that names the layer."""
        raise ValueError(f"{'.'.join(self.path)} ({type(self.layer).__name__}) cannot be widened: {reason}")


class Follow(NamedTuple):
    """What widening a group does to the layers it touches.

    sizes: the attributes to set, by the path of the layer; even: the layers that normalise across the units, whose mean
    and variance only stay if every unit is copied equally often.
    """

    sizes: dict[tuple[str, ...], dict[str, Any]]
    even: tuple[str, ...]

    def apply(self, model: nnx.Module) -> nnx.Module:
        """The model, whose arrays are wider already, with the sizes set."""
        for path, sizes in self.sizes.items():
            layer = list(_modules(model, path))[-1][1]
            for name, size in sizes.items():
                setattr(layer, name, size)
        return model


def follow(model: nnx.Module, table: Group, old: int, new: int) -> Follow:
    """What widening the group of a network from `old` to `new` units asks of its layers.

    Raises ValueError that names a layer whose sizes are not known here, or cannot follow.
    """
    touched = _touched(model, table, old, new)
    sizes = {each.path: _known(each)(each) for each in touched}
    widths = {attrgetter(name)(each.layer).shape[axis.axis] for each in touched for name, axis in each.axes}
    return Follow(sizes, (*filter(None, map(_across, touched)), *_without_arrays(model, widths)))


def _touched(model: nnx.Module, table: Group, old: int, new: int) -> list[Touched]:
    layers: dict[tuple[str, ...], tuple[Any, list[tuple[str, Axis]]]] = {}
    names = array_names(model)
    for axis in (*table.produces, *table.consumes):
        for parts in (tuple(name.split(".")) for name, held in names.items() if held == axis.path):
            for path, layer in _modules(model, parts[:-1]):
                layers.setdefault(path, (layer, []))[1].append((".".join(parts[len(path) :]), axis))
    return [Touched(path, layer, tuple(axes), old, new) for path, (layer, axes) in layers.items()]


def _modules(model: nnx.Module, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The modules on the way to a place in the model, and there, by their paths; layers of a list are counted."""
    place: Any = model
    yield (), place
    for i, part in enumerate(path, 1):
        place = _held(place, part)
        if isinstance(place, nnx.Module):
            yield path[:i], place


def _held(place: Any, part: str) -> Any:
    """What a module or container holds by one part of a path, in which keys and the layers of a list are text."""
    if isinstance(place, (nnx.Dict, dict)):
        return next(each for key, each in place.items() if str(key) == part)
    return place[int(part)] if part.isdecimal() else getattr(place, part)


def _known(touched: Touched) -> Callable[[Touched], dict[str, Any]]:
    """How the sizes of a layer follow. Containers have none, and a class outside of Flax takes them from its arrays."""
    for kind in type(touched.layer).__mro__:
        if kind in FOLLOWS:
            return FOLLOWS[kind]
        if kind in CONTAINERS:
            return lambda _: {}
        if kind.__module__.startswith("flax."):
            break
    touched.refuse(f"which sizes it keeps is not known; known are {', '.join(each.__name__ for each in FOLLOWS)}")


def _linear(t: Touched) -> dict[str, Any]:
    *_, inputs, outputs = t.shape("kernel")  # layers of one shape may be stacked
    return {"in_features": inputs, "out_features": outputs}


def _linear_general(t: Touched) -> dict[str, Any]:
    if t.layer.batch_axis:
        t.refuse("it has batch axes")
    shape, inputs = t.shape("kernel"), len(t.layer.in_features)
    return {"in_features": shape[:inputs], "out_features": shape[inputs:]}


def _einsum(t: Touched) -> dict[str, Any]:
    return {"kernel_shape": t.shape("kernel"), "bias_shape": t.layer.bias_shape and t.shape("bias")}


def _conv(t: Touched) -> dict[str, Any]:
    _unmasked(t)
    shape, groups = t.shape("kernel"), t.layer.feature_group_count
    if shape[-1] != t.layer.out_features:
        groups = t.blocks(t.layer.out_features, groups)
    return {
        "kernel_shape": shape,
        "in_features": shape[-2] * groups,
        "out_features": shape[-1],
        "feature_group_count": groups,
    }


def _conv_transpose(t: Touched) -> dict[str, Any]:
    _unmasked(t)
    shape = t.shape("kernel")
    inputs, outputs = reversed(shape[-2:]) if t.layer.transpose_kernel else shape[-2:]
    return {"kernel_shape": shape, "in_features": inputs, "out_features": outputs}


def _unmasked(t: Touched) -> None:
    if t.layer.mask is not None:
        t.refuse("its mask has the shape of its kernel")


def _embed(t: Touched) -> dict[str, Any]:
    *_, entries, features = t.shape("embedding")
    return {"num_embeddings": entries, "features": features}


def _norm(t: Touched) -> dict[str, Any]:
    return {"num_features": t.shape(t.axes[0][0])[-1]}


def _group_norm(t: Touched) -> dict[str, Any]:
    channels = t.layer.num_groups * t.layer.group_size
    groups = t.blocks(channels, t.layer.num_groups)
    return {"num_groups": groups, "group_size": t.shape(t.axes[0][0])[-1] // groups}


def _attention(t: Touched) -> dict[str, Any]:
    """Heads are units, of queries at least; several of them may share one of keys and values.

    A feature within a head enters through the product of queries and keys, over the number of features.
    """
    (inputs, heads, features), (others, shared, *key), (_, *value) = (
        t.shape(f"{name}.kernel") for name in ("query", "key", "value")
    )
    *read, outputs = t.shape("out.kernel")
    alike = read == [heads, features] and value == [shared, *key] and [features] == key
    if not alike or heads % shared or features != t.layer.head_dim:
        t.refuse(
            "its heads are units, as axis 1 of the kernels of query, key and value and axis 0 of that of out, alike"
        )
    return {
        "num_heads": heads,
        "num_kv_heads": shared,
        "qkv_features": heads * features,
        "in_features": inputs,
        "in_kv_features": others,
        "out_features": outputs,
    }


def _cell(t: Touched) -> dict[str, Any]:
    """A recurrent cell, whose first layers read the input and the last output: of all gates, or of the first."""
    inputs, hidden = ("ii", "hi") if isinstance(t.layer, nnx.LSTMCell) else ("dense_i", "dense_h")
    return {"in_features": t.shape(f"{inputs}.kernel")[0], "hidden_features": t.shape(f"{hidden}.kernel")[0]}


FOLLOWS: dict[type, Callable[[Touched], dict[str, Any]]] = {
    nnx.Linear: _linear,
    nnx.LinearGeneral: _linear_general,
    nnx.Einsum: _einsum,
    nnx.Conv: _conv,
    nnx.ConvTranspose: _conv_transpose,
    nnx.Embed: _embed,
    nnx.BatchNorm: _norm,
    nnx.LayerNorm: _norm,
    nnx.RMSNorm: _norm,
    nnx.InstanceNorm: _norm,
    nnx.GroupNorm: _group_norm,
    nnx.MultiHeadAttention: _attention,
    **dict.fromkeys((nnx.LSTMCell, nnx.OptimizedLSTMCell, nnx.GRUCell, nnx.SimpleCell), _cell),
}
CONTAINERS = (nnx.Module, nnx.Sequential, nnx.List, nnx.Dict, nnx.RNN, nnx.Bidirectional)
ACROSS = (nnx.LayerNorm, nnx.RMSNorm, nnx.GroupNorm)  # they normalise across channels


def _across(t: Touched) -> str | None:
    """The layer's name if it normalises across the units, which a GroupNorm of whole groups does not."""
    if not isinstance(t.layer, ACROSS):
        return None
    whole = isinstance(t.layer, nnx.GroupNorm) and _group_norm(t)["num_groups"] != t.layer.num_groups
    return None if whole else ".".join(t.path)


def _without_arrays(model: nnx.Module, widths: set[int]) -> list[str]:
    """Layers without arrays, which no table can name, that may normalise across the units: they are as wide.

    Raises ValueError for a GroupNorm among them, whose groups cannot be told.
    """
    found = []
    for path, layer in nnx.iter_modules(model):
        name = ".".join(map(str, path))
        match layer:
            case nnx.GroupNorm(scale=None, bias=None) if layer.num_groups * layer.group_size in widths:
                raise ValueError(f"{name} (GroupNorm) cannot be widened: it has no arrays that a table could name")
            case nnx.LayerNorm(scale=None, bias=None) | nnx.RMSNorm(scale=None) if layer.num_features in widths:
                found.append(name)
    return found
