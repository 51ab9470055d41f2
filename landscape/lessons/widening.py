"""Net2Net for the tiny network: copies of its units share their outgoing weights, so that the function stays."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from jaxtyping import Int

from landscape.lessons.network import Tiny, take

Shares = Literal["equal", "random"]
SHARES: tuple[Shares, ...] = get_args(Shares)


def parents(base: int, units: int) -> Int[np.ndarray, " units"]:
    """The unit of the base that each unit of the wide network copies: its own first, then units in turn.

    Example:
      >>> from landscape.lessons.widening import parents
      >>> parents(base=3, units=5)
      array([0, 1, 2, 0, 1])
    """
    if units < base:
        raise ValueError(f"units must be at least {base}, the width of the base; got {units}")
    return np.arange(units) % base


def widened(network: Tiny, units: int, shares: Shares = "equal", noise: float = 0.0, seed: int = 0) -> Tiny:
    """A network of `units` units that computes the same function, as long as there is no noise.

    Args:
      network: a single network.
      units: the number of units, at least that of the network.
      shares: how the copies of a unit divide its outgoing weights: equally, or in random parts.
      noise: the standard deviation of the noise on the weights into new copies, relative to each weight.
      seed: decides random shares and the noise.

    Raises:
      ValueError: if there are fewer units than in the network.
    """
    index, generator = parents(network.units, units), np.random.default_rng(seed)
    parts = np.ones(units) if shares == "equal" else generator.uniform(0.2, 1, units)
    wide = take(network, index, parts / np.bincount(index, parts)[index])
    new = np.arange(units) >= network.units
    return wide._replace(kernel=wide.kernel * (1 + noise * new * generator.normal(size=wide.kernel.shape)))
