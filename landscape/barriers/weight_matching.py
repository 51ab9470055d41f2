"""Weight matching: permute one network's hidden units to resemble another's (Git Re-Basin, arXiv 2209.04836).

Units of two separately trained networks come in unrelated orders. Given all other groups, the permutation of
one group that maximises Σ_j ⟨a_j, b_π(j)⟩, the inner product of the rows of weights tied to its units, is a
linear assignment problem, solved exactly by SciPy; groups take turns until none changes.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from landscape.models.functional import Weights
from landscape.models.symmetry import Group, take, unit_rows

ROUNDS = 100  # sweeps over the groups; the objective rises in each, so they end far sooner


def match(a: Weights, b: Weights, groups: dict[str, Group]) -> Weights:
    """`b` with its units permuted towards those of `a`: the same function, closer weights.

    The distance ‖a − match(a, b)‖ never exceeds ‖a − b‖. Weights that are not finite are left in their order.
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
