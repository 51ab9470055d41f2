"""A network as a pytree of its arrays.

`split` is the one boundary between Flax NNX modules and the rest of the package: behind it a network is a static
`GraphDef` and a dictionary from dotted paths ("conv1.kernel", "layers.0.bias") to arrays, parameters and running
statistics alike. Symmetry tables, walks, expansions and training all work on that dictionary. An array that a module
holds under several names stands in it once, under one of them; `array_names` says which.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from flax.traverse_util import flatten_dict, unflatten_dict
from jax.tree_util import register_dataclass

from landscape.models.batch_norm import reads_batch
from landscape.numerics.convolution import convolution
from landscape.numerics.loss import at_least_float32
from landscape.numerics.structure import once_a_structure

Weights = dict[str, Any]  # arrays by dotted path, or shapes in their place


@register_dataclass
@dataclass(frozen=True)
class Network:
    """A network as a pytree: its leaves are its arrays, and its structure is static.

    So a function of networks under `jax.jit` is compiled once for all networks of one structure.
    """

    graphdef: nnx.GraphDef = field(metadata={"static": True})
    weights: Weights

    def replace(self, weights: Mapping[str, Any]) -> Network:
        """A network of the same structure with other arrays, or with shapes in place of them."""
        return replace(self, weights=dict(weights))

    def module(self) -> Any:
        """The Flax module with these arrays, of the type that was split."""
        arrays = unflatten_dict({_path(name): array for name, array in self.weights.items()})
        return nnx.merge(self.graphdef, arrays)

    def evaluating(self, as_written: bool = False) -> Any:
        """The module in evaluation mode; BatchNorm layers that `reestimated` marked read the batch's statistics.

        Layers that ask for half precision do not get it: it would round away more than many a barrier. The module's
        convolutions are those of `landscape.numerics.convolution`, unless it is wanted as its author wrote it.
        """
        return replace(self, graphdef=_EVALUATING[as_written, _widest()](self)).module()

    def logits(self, inputs: Any) -> jax.Array:
        """The outputs in evaluation mode, for arrays of JAX or NumPy."""
        return self.evaluating()(jax.tree.map(jnp.asarray, inputs))


def _in_evaluation(as_written: bool, network: Network) -> nnx.GraphDef:
    """The static structure in evaluation mode; finding it takes longer than building the module that has it."""
    model = network.module()
    model.eval()
    model.set_attributes(reads_batch, use_running_average=False, raise_if_not_found=False)
    model = in_full_precision(model)
    return nnx.split(model if as_written else with_convolution(model, convolution))[0]


_EVALUATING = {  # for each full precision, which is part of the structure
    (as_written, np.dtype(widest)): once_a_structure(partial(_in_evaluation, as_written))
    for as_written, widest in product((False, True), ("float32", "float64"))
}


def with_convolution(model: nnx.Module, function: Any) -> nnx.Module:
    """The same module, whose `nnx.Conv` layers convolve by this function unless their author gave them another one.

    The function takes the arguments of `jax.lax.conv_general_dilated`.
    """
    model.set_attributes(_convolves_as_usual, conv_general_dilated=function, raise_if_not_found=False)
    return model


def _convolves_as_usual(path: Any, layer: Any) -> bool:
    return isinstance(layer, nnx.Conv) and layer.conv_general_dilated in (jax.lax.conv_general_dilated, convolution)


def in_full_precision(model: nnx.Module) -> nnx.Module:
    """The same module, whose layers compute in full precision whatever type they ask for."""
    model.set_attributes(_asks_for_a_type, dtype=_widest(), raise_if_not_found=False)
    return model


def _widest() -> np.dtype:
    """Full precision: float32, and float64 where that is on."""
    return jax.dtypes.canonicalize_dtype(np.float64)


def _asks_for_a_type(path: Any, layer: Any) -> bool:
    kind = getattr(layer, "dtype", None)
    return kind is not None and jnp.issubdtype(kind, jnp.floating)


def split(model: nnx.Module | Network) -> Network:
    """The network that a Flax module is: its static structure, and its arrays by dotted path. A network is itself.

    Raises ValueError for a module with a setting that has no hash, unless that is a list, a dictionary or a set.
    """
    if isinstance(model, Network):
        return model
    graphdef, state = nnx.split(model)
    if not _has_hash(graphdef):
        graphdef, state = nnx.split(_with_hashes(nnx.merge(graphdef, state)))
    return Network(_one_of_equals(graphdef), _flat(state))


@lru_cache(maxsize=256)
def _one_of_equals(graphdef: nnx.GraphDef) -> nnx.GraphDef:
    """Of equal structures always the same, which is compared at once: each call of a compiled function compares it."""
    return graphdef


class _List(list[Any]):
    def __hash__(self) -> int:  # type: ignore[override]
        return hash(len(self))


class _Dict(dict[Any, Any]):
    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self))


class _Set(set[Any]):
    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self))


_HELD = (nnx.Variable, nnx.Pytree, jax.Array, np.ndarray)  # what is no setting
_HASHED: dict[type, Any] = {list: _List, dict: _Dict, set: _Set}  # the same in all else; equal ones have equal hashes


def _with_hashes(model: nnx.Module) -> nnx.Module:
    """The same module, whose settings have hashes, by which programs that are compiled for it are found again."""
    for _, layer in nnx.iter_modules(model):
        for name, value in [*vars(layer).items()]:
            if hashed := _HASHED.get(type(value)):
                setattr(layer, name, hashed(value))
            elif not isinstance(value, _HELD) and not _has_hash(value):
                raise ValueError(
                    f"{type(layer).__name__}.{name} is a {type(value).__name__} without a hash, by which the programs "
                    "compiled for a network are found again; a frozen dataclass, a list or a dictionary would do"
                )
    return model


def _has_hash(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def array_names(model: nnx.Module) -> dict[str, str]:
    """For each name of each array, the one under which `split` holds it: layers that share weights have several."""
    return names_of(model, split(model).weights)


def names_of(model: nnx.Module, held: Mapping[str, Any]) -> dict[str, str]:
    """`array_names` of a module of which `split` holds these arrays."""
    found = list(_variables(model))
    name_of = {id(variable): name for name, variable in found if name in held}
    shared = {name: name_of[id(variable)] for name, variable in found if id(variable) in name_of}
    return {name: name for name in held} | shared


def _variables(module: nnx.Module) -> Iterator[tuple[str, Any]]:
    """Every array of a module under each of its names; a module that holds itself is entered once."""
    waiting: list[tuple[tuple[str, ...], Any, frozenset[int]]] = [((), module, frozenset())]
    while waiting:
        path, node, above = waiting.pop()
        if isinstance(node, nnx.Variable):
            yield ".".join(path), node
        elif id(node) not in above:
            inside = above | {id(node)}
            waiting += [((*path, str(name)), child, inside) for name, child in reversed(_children(node))]


def _children(node: Any) -> list[tuple[Any, Any]]:
    """What a container holds, by name, without settings such as sizes and functions."""
    match node:
        case nnx.List() | list() | tuple():
            items: Iterable[tuple[Any, Any]] = enumerate(node)
        case nnx.Pytree():
            items = vars(node).items()
        case _:
            items = node.items()
    return [(name, child) for name, child in items if isinstance(child, _HOLDERS)]


_HOLDERS = (nnx.Variable, nnx.Pytree, nnx.List, list, tuple, Mapping)


def trainable(model: nnx.Module | Network) -> frozenset[str]:
    """The paths of the parameters; all other arrays are running statistics or states of random generators."""
    return _trainable(split(model))


@once_a_structure
def _trainable(network: Network) -> frozenset[str]:
    return frozenset(_flat(nnx.state(network.module(), nnx.Param)))


def _flat(state: Any) -> Weights:
    arrays = flatten_dict(nnx.to_pure_dict(state))
    if dotted := [part for path in arrays for part in map(str, path) if "." in part]:
        raise ValueError(f"the name {dotted[0]!r} in a network must have no dot, since dots divide the names of arrays")
    return {".".join(map(str, path)): array for path, array in arrays.items()}


def _path(name: str) -> tuple[str | int, ...]:
    """The path of an array, in which the layers of a list are counted."""
    return tuple(int(part) if part.isdecimal() else part for part in name.split("."))


def wide(array: Any) -> Any:
    """An array of real numbers in float32 at least; any other, such as the state of a random generator, as it is."""
    return at_least_float32(array) if jnp.issubdtype(array.dtype, jnp.inexact) else array


def mixed(networks: Sequence[Network], coefficients: Sequence[float | jax.Array] | jax.Array) -> Network:
    """Σ cᵢ θᵢ, array by array and in float32 at least, with the structure of the first network.

    Arrays that do not hold real numbers, such as the state of a random generator, are the first network's.
    """

    def mix(*arrays: jax.Array) -> Any:
        if not jnp.issubdtype(arrays[0].dtype, jnp.inexact):
            return arrays[0]
        return sum(c * at_least_float32(array) for c, array in zip(coefficients, arrays, strict=True))

    return networks[0].replace(jax.tree.map(mix, *(network.weights for network in networks)))
