"""Weight matching: permute one network's hidden units to resemble another's (Git Re-Basin, arXiv 2209.04836).

Units of two separately trained networks come in unrelated orders, which a straight line between them does not survive.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
from scipy.optimize import linear_sum_assignment

from landscape.models.functional import Weights
from landscape.models.symmetry import Group, on_host, retaken, unit_rows

STATISTICS = ("mean", "var")  # the running statistics of Flax's BatchNorm
ROUNDS = 100  # sweeps over the groups; the objective rises in each, so they end far sooner


def match(a: Weights, b: Weights, groups: Mapping[str, Group], parameters: Collection[str] | None = None) -> Weights:
    """Weight matching: `b` with the units of every group permuted towards those of `a`.

    For one group, with all others fixed, the permutation that brings the networks closest is

        argmin_π ‖a − P(b, π)‖² = argmax_π Σ_j ⟨a_j, b_π(j)⟩,

    where a_j is the row of all parameters tied to unit j: a linear assignment problem. Groups take turns until none
    changes, so ‖a − match(a, b)‖ never exceeds ‖a − b‖; it is a local minimum, since all groups together are NP-hard.
    Norms are taken over parameters. The running statistics of a BatchNorm move along with their units and have no say:
    they are no coordinates of a minimum, and their scale, that of the activations, would outweigh all others.

    Args:
      a: the arrays of the network that stays, by dotted path (`landscape.models.functional.split(model).weights`).
      b: the arrays of the other network, of the same shapes.
      groups: the unit groups of both networks, as their method `groups()` returns them; where layers share arrays, as
        `landscape.models.symmetry.unit_groups(model)` does, by the names of `a`.
      parameters: the paths of the arrays that are compared, `landscape.models.functional.trainable(model)`. Without
        them all arrays of the groups are, which is right for networks without running statistics only.

    Returns:
      The arrays of a network that computes the same function as b. Weights that are not finite are left in their order.

    Raises:
      ValueError: if the groups have running statistics and `parameters` is not given, name an array that `a` lacks, or
        have several axes of one array in one group.

    Example:
      >>> from flax import nnx
      >>> import landscape
      >>> from landscape.models.functional import split
      >>> from landscape.models.mlp import mlp
      >>> model = mlp(4, (5,), 3, nnx.Rngs(0))
      >>> a = split(model).weights
      >>> b = split(landscape.permute(model, "hidden1", [4, 0, 1, 2, 3])).weights
      >>> matched = landscape.match(a, b, model.groups())
      >>> all((a[path] == matched[path]).all() for path in a)
      True

    References:
      Ainsworth et al. (2022), "Git Re-Basin: Merging Models modulo Permutation Symmetries", arXiv 2209.04836,
      Algorithm 1.
    """
    if missing := sorted(_paths(groups) - a.keys()):
        raise ValueError(f"the groups name {missing[0]!r}, which is no array of the network")
    compared = _all_of(groups) if parameters is None else parameters
    for _ in range(ROUNDS):
        changed = False
        for group in groups.values():
            similarity = unit_rows(a, group, compared) @ unit_rows(b, group, compared).T  # units of a, of b
            if not np.isfinite(similarity).all():  # a network that diverged resembles none
                return b
            places, order = linear_sum_assignment(similarity, maximize=True)
            gain = similarity[places, order].sum() - np.trace(similarity)
            if gain > 1e-6 * np.abs(similarity).max():  # more than rounding
                b, changed = retaken(on_host(b, group), group, order), True
        if not changed:
            break
    return b


def _paths(groups: Mapping[str, Group]) -> set[str]:
    return {axis.path for group in groups.values() for axis in (*group.produces, *group.consumes)}


def _all_of(groups: Mapping[str, Group]) -> set[str]:
    paths = _paths(groups)
    if found := sorted(path for path in paths if path.rpartition(".")[2] in STATISTICS):
        raise ValueError(f"{found[0]} is a running statistic: parameters must say which arrays are compared")
    return paths
