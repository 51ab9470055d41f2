"""Weight matching for the tiny network (Git Re-Basin, arXiv 2209.04836): an exact solution, since it has one layer."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment

from landscape.lessons.network import Tiny


def unit_rows(network: Tiny) -> Float[np.ndarray, "units parameters"]:
    """The parameters of each hidden unit: its incoming weights, its bias and its outgoing weights."""
    return np.concatenate([network.kernel.T, network.bias[:, None], network.head], 1)


def matching(first: Tiny, second: Tiny) -> Int[np.ndarray, " units"]:
    """The order of the second network's units that brings it closest to the first: argmin_π ‖θ₁ − P(θ₂, π)‖."""
    return linear_sum_assignment(unit_rows(first) @ unit_rows(second).T, maximize=True)[1]
