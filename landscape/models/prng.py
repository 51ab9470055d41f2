"""Random keys: each purpose has its own, so that no number depends on the order in which things are computed."""

from __future__ import annotations

from enum import IntEnum

import jax
import numpy as np
from jaxtyping import PRNGKeyArray


class Stream(IntEnum):
    """What a key is for; the values are part of a study's identity and never change."""

    INIT = 0
    TRAIN = 1
    EXPAND = 2
    WALK = 3
    CONTROL = 4
    SHARPNESS = 5


def stream_key(seed: int, stream: Stream, member: int) -> PRNGKeyArray:
    """The key of one purpose, for one member of a study by its index (0 is the base), at one seed."""
    return jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), stream), member)


def host_generator(key: PRNGKeyArray, draw: int = 0) -> np.random.Generator:
    """A NumPy generator for draws on the host, which need no compilation for every shape."""
    return np.random.default_rng([*np.asarray(jax.random.key_data(key)).tolist(), draw])
