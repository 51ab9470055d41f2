"""How far the copies of units have parted from their originals since a network was widened."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
from flax import nnx
from jaxtyping import Float, Int

from landscape.models.functional import Network, Weights, trainable
from landscape.models.symmetry import Group, by_unit, unit_groups


def copy_cosines(
    model: nnx.Module | Network, weights: Weights, originals: Mapping[str, Int[np.ndarray, " units"]]
) -> Float[np.ndarray, " copies"]:
    r"""The cosine between what comes into each copied unit and what comes into its original.

    .. math:: \cos(u_j, u_{g(j)}) = \frac{\langle u_j, u_{g(j)} \rangle}{\lVert u_j \rVert \lVert u_{g(j)} \rVert}

    u_j holds every parameter that makes unit j: its incoming weights, its bias, and the scale and the shift of a
    normalisation behind it. It is 1 right after the expansion, but for noise. As long as it is 1, the copies of a unit
    compute what one unit with the sum of their outgoing weights would, and the network is no wider than its base.

    Args:
      model: the widened network; only its structure is looked at.
      weights: its arrays by dotted path, at the moment that is asked for.
      originals: for each widened group, the unit that each unit is a copy of, as `expand` beside this module gives
        them; a unit that names itself is no copy.

    Returns:
      One cosine for each copy, group after group; NaN where nothing comes into one of the two units.

    Example:
      >>> import jax
      >>> from flax import nnx
      >>> from landscape.models.expansion.copies import copy_cosines
      >>> from landscape.models.functional import split
      >>> from landscape.models.mlp import mlp
      >>> from landscape.models.expansion.steps import expand
      >>> from landscape.study import Expansion
      >>> from landscape.study.steps import Widen
      >>> base, steps = mlp(4, (5,), 3, nnx.Rngs(0)), (Widen(widen="hidden1", size=7),)
      >>> wider, originals = expand(base, steps, Expansion(), jax.random.key(0))
      >>> copy_cosines(wider, split(wider).weights, originals).round(6)
      array([1., 1.])

    References:
      Chen et al. (2016), arXiv 1511.05641, section 2.3, who add noise so that copies part.
    """
    tables, parameters = unit_groups(model), trainable(model)
    found = [_cosines(_incoming(weights, tables[name], parameters), places) for name, places in originals.items()]
    return np.concatenate([np.empty(0), *found])


def _incoming(weights: Weights, group: Group, parameters: Collection[str]) -> Float[np.ndarray, "units features"]:
    size, axes = group.size(weights), [axis for axis in group.produces if axis.path in parameters]
    rows = [by_unit(np.asarray(weights[axis.path], np.float64), axis, size).reshape(size, -1) for axis in axes]
    return np.concatenate([np.empty((size, 0)), *rows], 1)


def _cosines(rows: np.ndarray, originals: np.ndarray) -> np.ndarray:
    copies = np.flatnonzero(originals != np.arange(len(originals)))
    pair = rows[copies], rows[originals[copies]]
    with np.errstate(invalid="ignore"):
        return (pair[0] * pair[1]).sum(1) / np.prod([np.linalg.norm(each, axis=1) for each in pair], axis=0)
