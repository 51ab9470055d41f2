"""What permutations move, and the points that lie between a network and its copies permuted by them."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Bool, Float, Int

SEGMENT = 50  # segments of a walk that end at the paper's values of n have a multiple of this many steps


class Moves(NamedTuple):
    """The moved units of some permutations, padded to a common number k.

    unit: places whose unit changes; source: the unit that comes there; back: position within `unit` of the
    place where this unit goes; moved: false in the padding.
    """

    unit: Int[Array | np.ndarray, "n k"]
    source: Int[Array | np.ndarray, "n k"]
    back: Int[Array | np.ndarray, "n k"]
    moved: Bool[Array | np.ndarray, "n k"]


class Points(NamedTuple):
    """Networks (1−α)θ + αP(θ, π), each by the moved units of its π and by its α."""

    moves: Moves
    alphas: Float[Array | np.ndarray, " n"]


def moves(permutations: Int[np.ndarray, "n units"]) -> Moves:
    """List the moved units; k is the bound on how many they are."""
    n, units = permutations.shape
    changed = permutations != np.arange(units)  # n units
    k = moved_at_most(permutations).max()
    unit = np.argsort(~changed, axis=1, kind="stable")[:, :k]  # n k: moved units first
    source = np.take_along_axis(permutations, unit, 1)  # n k
    position = np.empty((n, units), np.int64)
    np.put_along_axis(position, unit, np.arange(k)[None], 1)  # of each place, within `unit`
    moved = np.take_along_axis(changed, unit, 1)  # n k
    back = np.take_along_axis(position, np.take_along_axis(np.argsort(permutations, 1), unit, 1), 1)  # n k
    narrow = np.int32  # as wide as JAX's integers are by default
    return Moves(unit.astype(narrow), source.astype(narrow), back.astype(narrow), moved)


def moved_at_most(permutations: Int[np.ndarray, "n units"]) -> Int[np.ndarray, " n"]:
    """For each permutation a bound on how many units it moves: 2⌈log₂ l⌉, as for a step of the walk, or 2ⁱ times that.

    Permutations with the same bound are evaluated together, by one program.
    """
    units = permutations.shape[1]
    step = max(1, 2 * math.ceil(math.log2(units)))
    moved = (permutations != np.arange(units)).sum(1)  # n
    return np.minimum(units, step * 2 ** np.ceil(np.log2(np.maximum(moved / step, 1))).astype(int))
