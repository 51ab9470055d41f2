"""Weight matching: permute one network's hidden units to resemble another's (Git Re-Basin, arXiv 2209.04836).

Units of two separately trained networks come in unrelated orders, which a straight line between them does not survive.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from landscape.models.functional import Weights
from landscape.models.symmetry import Group, take, unit_rows

ROUNDS = 100  # sweeps over the groups; the objective rises in each, so they end far sooner


def match(a: Weights, b: Weights, groups: dict[str, Group]) -> Weights:
    """Weight matching: `b` with the units of every group permuted towards those of `a`.

    For one group, with all others fixed, the permutation that brings the networks closest is

        argmin_π ‖a − P(b, π)‖² = argmax_π Σ_j ⟨a_j, b_π(j)⟩,

    where a_j is the row of all weights tied to unit j: a linear assignment problem. Groups take turns until none
    changes, so ‖a − match(a, b)‖ never exceeds ‖a − b‖; it is a local minimum, since all groups together are NP-hard.

    Args:
      a: the arrays of the network that stays, by dotted path (`landscape.models.functional.split(model).weights`).
      b: the arrays of the other network, of the same shapes.
      groups: the unit groups of both networks, as their method `groups()` returns them.

    Returns:
      The arrays of a network that computes the same function as b. Weights that are not finite are left in their order.

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
    for _ in range(ROUNDS):
        changed = False
        for group in groups.values():
            similarity = unit_rows(a, group) @ unit_rows(b, group).T  # units of a, of b
            if not np.isfinite(similarity).all():  # a network that diverged resembles none
                return b
            places, order = linear_sum_assignment(similarity, maximize=True)
            gain = similarity[places, order].sum() - np.trace(similarity)
            if gain > 1e-6 * np.abs(similarity).max():  # more than rounding
                b, changed = take(b, group, order), True
        if not changed:
            break
    return b
