"""Unit groups: which axes of which arrays index the units of one layer, and `take`, which re-indexes them.

Permuting and widening a layer are one operation. A group lists every axis that runs over its units: those
that *produce* the units (incoming weights, biases, normalisation) and those that *consume* them (outgoing
weights). Re-indexing all of them by a permutation leaves the network's function unchanged; re-indexing by a
list that repeats units widens the layer, once the consumers are scaled by each copy's share.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int

from landscape.models.functional import Network, Weights, names_of, split
from landscape.numerics.loss import at_least_float32
from landscape.numerics.structure import once_a_structure


@dataclass(frozen=True)
class Axis:
    """An axis of one of a network's arrays that runs over the units of a group.

    The axis is read as (outer, units, inner), outer slowest: index = (o · units + unit) · inner + i. So `inner`
    neighbours belong to one unit. The number outer follows from the sizes: it is 1 in most layers, and the number of
    pixels in a dense layer that reads a flattened image.

    Args:
      path: the array, by its dotted path in the module, such as "conv1.kernel" or "net.layers.0.bias"; by either of
        them where two layers share it.
      axis: its axis, which may be negative.
      inner: how many neighbours along the axis belong to one unit: 1, unless a unit owns a block as an attention head
        owns its features.
      segment: the entries from and up to which the axis runs over the units, where other parts of it do not, as in a
        layer that reads a concatenation; they are read as (outer, units, inner).
      runs: into how many equal runs the axis is divided first, each with such a segment: the pixels of a flattened
        image whose channels are a concatenation.

    Example:
      >>> from landscape import Axis
      >>> Axis("dense1.kernel", -1)
      Axis(path='dense1.kernel', axis=-1)
      >>> heads = Axis("attention.query.kernel", -1, inner=64)  # columns 0 to 63 belong to head 0

    References:
      Ainsworth et al. (2022), "Git Re-Basin: Merging Models modulo Permutation Symmetries", arXiv 2209.04836, whose
      permutation specification names the axes of each array in the same way.
    """

    path: str
    axis: int
    inner: int = 1
    segment: tuple[int, int] | None = None
    runs: int = 1

    def __repr__(self) -> str:
        named = [f"{each.name}={getattr(self, each.name)!r}" for each in fields(self)]
        default = [f"{each.name}={each.default!r}" for each in fields(self)]
        return f"Axis({', '.join(text for text in named if text not in default)})"

    def entries(self, length: int) -> int:
        """How many of the axis's `length` entries run over the units."""
        start, stop = self.segment or (0, length // self.runs)
        return (stop - start) * self.runs


@dataclass(frozen=True)
class Group:
    """Every axis of a network's arrays that runs over the units of one layer: a permutation symmetry.

    Permuting the units of all these axes alike leaves the network's function unchanged. Equation: with W₁ (in, l), b₁
    and W₂ (l, out) around an element-wise σ, and any permutation π of the l units,

        W₂ᵀ σ(W₁ᵀ x + b₁) = W₂[π]ᵀ σ(W₁[:, π]ᵀ x + b₁[π]).

    A model joins the walk, the expansions and weight matching by a method `groups()` that returns its groups by name;
    `landscape.traced` gives it one.

    Args:
      produces: axes of the arrays that make the units: incoming weights, biases, normalisation with its running
        statistics. The number of units is read from the first of them.
      consumes: axes of the arrays that read the units: outgoing weights. Widening divides these among copies.
      widenable: False where copying units changes the function however their outgoing weights are divided, as for
        features within an attention head, which enter through the product of queries and keys.
      repeats: how many times the list of units comes along the axis `produces[0]`: once a head for features within
        heads, where one permutation re-orders every head alike.
      even: True where copying units preserves the function only if each is copied equally often, as where the network
        takes a mean over them.

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> import landscape
      >>> from landscape import Axis, Group
      >>> class Net(nnx.Module):
      ...     def __init__(self, rngs):
      ...         self.up, self.down = nnx.Linear(3, 5, rngs=rngs), nnx.Linear(5, 2, rngs=rngs)
      ...     def __call__(self, x):
      ...         return self.down(nnx.relu(self.up(x)))
      ...     def groups(self):
      ...         return {"hidden": Group((Axis("up.kernel", -1), Axis("up.bias", 0)), (Axis("down.kernel", -2),))}
      >>> model, x = Net(nnx.Rngs(0)), jnp.ones((1, 3))
      >>> copy = landscape.permute(model, "hidden", [4, 3, 2, 1, 0])
      >>> bool(jnp.allclose(copy(x), model(x), atol=1e-6))
      True

    References:
      Malviya et al. (2024), section 3.3; Ainsworth et al. (2022), arXiv 2209.04836.
    """

    produces: tuple[Axis, ...]
    consumes: tuple[Axis, ...]
    widenable: bool = True
    repeats: int = 1
    even: bool = False

    def size(self, weights: Weights) -> int:
        """Units in the group."""
        first = self.produces[0]
        return first.entries(weights[first.path].shape[first.axis]) // (first.inner * self.repeats)


def unit_groups(model: nnx.Module | Network) -> dict[str, Group]:
    """The unit groups of a model, each array by the name that it has in `split`, and each of its axes once.

    An axis that both makes and reads the units, as that of an array shared by an encoder and a decoder does, is one of
    those that make them; such a group cannot be widened, since the array would have to be divided among copies and not.

    Raises:
      ValueError: if the model has no table, or a group names an array that the model does not have.
    """
    return dict(_unit_groups(split(model)))


@once_a_structure
def _unit_groups(network: Network) -> dict[str, Group]:
    model, weights = network.module(), network.weights
    if not hasattr(model, "groups"):
        raise ValueError(
            f"{type(model).__name__} has no method `groups`: landscape.traced(model, inputs) finds its groups"
        )
    names = names_of(model, weights)

    def held(axes: Iterable[Axis], name: str) -> list[Axis]:
        for axis in axes:
            if axis.path not in names:
                raise ValueError(f"unit group {name!r}: {type(model).__name__} has no array {axis.path!r}")
        paths = [names[axis.path] for axis in axes]
        return [
            replace(axis, path=path, axis=axis.axis % weights[path].ndim)
            for axis, path in zip(axes, paths, strict=True)
        ]

    def once(name: str, group: Group) -> Group:
        makes, reads = dict.fromkeys(held(group.produces, name)), dict.fromkeys(held(group.consumes, name))
        only = tuple(axis for axis in reads if axis not in makes)
        return replace(
            group, produces=tuple(makes), consumes=only, widenable=group.widenable and len(only) == len(reads)
        )

    return {name: once(name, group) for name, group in model.groups().items()}


def named_group(model: nnx.Module | Network, name: str) -> Group:
    """One unit group of a model, as `unit_groups` has it. Raises ValueError that lists its groups."""
    groups = unit_groups(model)
    check_named(name, groups)
    return groups[name]


def check_named(name: str, groups: Mapping[str, Group]) -> None:
    """Raises ValueError that lists the groups if there is none of this name."""
    if name not in groups:
        raise ValueError(f"no unit group {name!r}; the groups are {', '.join(groups)}")


def retaken(
    weights: Weights,
    group: Group,
    index: Int[Array | np.ndarray, " new"],
    shares: Float[Array | np.ndarray, " new"] | None = None,
) -> Weights:
    """The weights with unit `index[j]` in place j, and consumers scaled by `shares[j]`.

    A permutation `index` (and no shares) preserves the function exactly; so does an `index` with repetitions
    when the shares of each unit's copies sum to one. Arrays of NumPy stay such, and nothing is compiled for them.
    """
    size = group.size(weights)
    taken = dict(weights)
    scaled = [(axis, None) for axis in group.produces] + [(axis, shares) for axis in group.consumes]
    for axis, share in sorted(scaled, key=lambda each: each[0].segment or (0, 0), reverse=True):  # behind ones first
        taken[axis.path] = _take_axis(taken[axis.path], axis, size, index, share)
    return taken


take = partial(jax.jit, static_argnames="group")(retaken)


def on_host(weights: Weights, group: Group) -> Weights:
    """The weights, with the arrays of a group in the memory of the host, where `retaken` needs no compilation."""
    touched = {axis.path for axis in (*group.produces, *group.consumes)}
    concrete = {path for path in touched if not isinstance(weights[path], jax.core.Tracer)}
    return weights | {path: np.asarray(weights[path]) for path in concrete}


def between(
    weights: Weights, group: Group, permutation: Int[Array | np.ndarray, " units"], alpha: float | Array | np.ndarray
) -> Weights:
    """(1−α)θ + αP(θ, π), in float32 at least, where arrays that the group does not touch are θ's own."""
    touched = {axis.path: at_least_float32(weights[axis.path]) for axis in (*group.produces, *group.consumes)}
    other = take(touched, group, permutation)
    return weights | {path: (1 - alpha) * array + alpha * other[path] for path, array in touched.items()}


def _take_axis(array: Any, axis: Axis, size: int, index: Any, shares: Any) -> Any:
    """The array with its units re-indexed. Segments before this one may not have changed their places yet."""
    position, xp = axis.axis % array.ndim, np if isinstance(array, np.ndarray) else jnp
    taken = xp.take(_unit_view(array, axis, size), index, axis=position + 2)
    if shares is not None:
        taken = taken * shares.astype(array.dtype).reshape(-1, *(1,) * (array.ndim - position))
    before, behind = array.shape[:position], array.shape[position + 1 :]
    taken = taken.reshape(*before, axis.runs, -1, *behind)
    if axis.segment is not None:
        start, stop = axis.segment
        runs = _runs(array, axis)
        left, _, right = xp.split(runs, [start, stop], position + 1)
        taken = xp.concatenate([left, taken, right], position + 1)
    return taken.reshape(*before, -1, *behind)


def _runs(array: Array | np.ndarray, axis: Axis) -> Any:
    """The array with its axis split into (runs, run)."""
    position = axis.axis % array.ndim
    return array.reshape(*array.shape[:position], axis.runs, -1, *array.shape[position + 1 :])


def _unit_view(array: Array | np.ndarray, axis: Axis, size: int) -> Any:
    """The units of an array: its axis, or the segment of each run, split into (runs, outer, units, inner)."""
    position = axis.axis % array.ndim
    units = _runs(array, axis)[(*(slice(None),) * (position + 1), slice(*(axis.segment or (None, None))))]
    return units.reshape(*array.shape[:position], axis.runs, -1, size, axis.inner, *array.shape[position + 1 :])


def unit_rows(weights: Weights, group: Group, parameters: Collection[str]) -> Float[np.ndarray, "units features"]:
    """Every parameter tied to a unit, as one row per unit: what weight matching and distances compare.

    `parameters` are the paths that count. Running statistics move along with their units, but they say what a network
    has seen, not where it stands.

    Raises ValueError for an array with several axes in the group, as a square kernel that layers share: it falls into
    no rows, since each of its entries belongs to two units.
    """
    check_rows(group, parameters)
    size, rows = group.size(weights), []
    for axis in (*group.produces, *group.consumes):
        if axis.path in parameters:
            rows.append(by_unit(np.asarray(weights[axis.path], np.float64), axis, size).reshape(size, -1))
    return np.concatenate(rows, 1)


def check_rows(group: Group, parameters: Collection[str]) -> None:
    """Raises ValueError where `unit_rows` does, without the weights."""
    tied = {(axis.path, axis.axis) for axis in (*group.produces, *group.consumes) if axis.path in parameters}
    counts = Counter(path for path, _ in tied)
    if several := [path for path, count in counts.items() if count > 1]:
        raise ValueError(f"{several[0]} has several axes in one unit group: units cannot be compared row by row")


def by_unit(array: np.ndarray, axis: Axis, size: int) -> np.ndarray:
    """The entries of an array that belong to the units of an axis, with the units first and their neighbours next."""
    position = axis.axis % array.ndim
    return np.moveaxis(_unit_view(array, axis, size), (position + 2, position + 3), (0, 1))
