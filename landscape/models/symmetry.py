"""Unit groups: which axes of which arrays index the units of one layer, and `take`, which re-indexes them.

Permuting and widening a layer are one operation. A group lists every axis that runs over its units: those
that *produce* the units (incoming weights, biases, normalisation) and those that *consume* them (outgoing
weights). Re-indexing all of them by a permutation leaves the network's function unchanged; re-indexing by a
list that repeats units widens the layer, once the consumers are scaled by each copy's share.
The table beside each model is the idea of Git Re-Basin's permutation specification (arXiv 2209.04836).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from landscape.models.functional import Weights


@dataclass(frozen=True)
class Axis:
    """Axis `axis` of the array at `path`, read as (outer, units, inner): `inner` neighbours belong to one unit.

    `inner` is 1 unless a unit owns a block, as a head owns its features. `outer` follows from the sizes:
    behind a flattened convolution it is the number of pixels.
    """

    path: str
    axis: int
    inner: int = 1


@dataclass(frozen=True)
class Group:
    """The axes tied to the units of one layer; `produces[0]` tells how many units there are.

    `widenable` is false where copying units changes the function whatever the shares are, as for features
    within an attention head, which enter through the product of queries and keys. `repeats` is the number
    of times that the list of units comes along the axis `produces[0]`: once a head for features within heads,
    where one index re-orders every head alike.
    """

    produces: tuple[Axis, ...]
    consumes: tuple[Axis, ...]
    widenable: bool = True
    repeats: int = 1

    def size(self, weights: Weights) -> int:
        """Units in the group."""
        first = self.produces[0]
        return weights[first.path].shape[first.axis] // (first.inner * self.repeats)


def named_group(model: Any, name: str) -> Group:
    """One unit group of a model. Raises ValueError that lists its groups."""
    groups = model.groups()
    if name not in groups:
        raise ValueError(f"no unit group {name!r}; the groups are {', '.join(groups)}")
    return groups[name]


@partial(jax.jit, static_argnames="group")
def take(
    weights: Weights,
    group: Group,
    index: Int[Array | np.ndarray, " new"],
    shares: Float[Array | np.ndarray, " new"] | None = None,
) -> Weights:
    """The weights with unit `index[j]` in place j, consumers scaled by `shares[j]`.

    A permutation `index` (and no shares) preserves the function exactly; so does an `index` with repetitions
    when the shares of each unit's copies sum to one.
    """
    size = group.size(weights)
    taken = dict(weights)
    for axis in group.produces:
        taken[axis.path] = _take_axis(taken[axis.path], axis, size, index, None)
    for axis in group.consumes:
        taken[axis.path] = _take_axis(taken[axis.path], axis, size, index, shares)
    return taken


def between(
    weights: Weights, group: Group, permutation: Int[Array | np.ndarray, " units"], alpha: float | Array | np.ndarray
) -> Weights:
    """(1−α)θ + αP(θ, π); arrays that the group does not touch are θ's own."""
    other, touched = take(weights, group, permutation), {axis.path for axis in (*group.produces, *group.consumes)}
    return {
        path: (1 - alpha) * array + alpha * other[path] if path in touched else array for path, array in weights.items()
    }


def _take_axis(array: Array, axis: Axis, size: int, index: Any, shares: Any) -> Array:
    position = axis.axis % array.ndim
    taken = jnp.take(_unit_view(array, axis, size), index, axis=position + 1)
    if shares is not None:
        taken = taken * shares.astype(array.dtype).reshape(-1, *(1,) * (array.ndim - position))
    return taken.reshape(*array.shape[:position], -1, *array.shape[position + 1 :])


def _unit_view(array: Array | np.ndarray, axis: Axis, size: int) -> Any:
    """The array with its axis split into (outer, units, inner)."""
    position = axis.axis % array.ndim
    return array.reshape(*array.shape[:position], -1, size, axis.inner, *array.shape[position + 1 :])


def unit_rows(weights: Weights, group: Group) -> Float[np.ndarray, "units features"]:
    """Every weight tied to a unit, one row a unit: what weight matching and distances compare."""
    size = group.size(weights)
    rows = []
    for axis in (*group.produces, *group.consumes):
        array = np.asarray(weights[axis.path], np.float64)
        rows.append(np.moveaxis(_unit_view(array, axis, size), axis.axis % array.ndim + 1, 0).reshape(size, -1))
    return np.concatenate(rows, 1)
