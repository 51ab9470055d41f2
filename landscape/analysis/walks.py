"""The walks of a result: how many of their steps there are, and the barriers of the first n.

Sections are those of Malviya et al. (2024), arXiv 2405.15895.
"""

from __future__ import annotations

import operator

import numpy as np
import xarray as xr
from jaxtyping import Float

from landscape.store.derived import derived


def checked_n(dataset: xr.Dataset, n: int | None) -> int:
    """The number of permutations as an int; None means all that were computed.

    Raises:
      ValueError: unless n is a whole number from 1 to the permutations computed.

    Example:
      >>> import landscape
      >>> from landscape.analysis.walks import checked_n
      >>> checked_n(landscape.open_study("digits-mlp"), None)
      1000
    """
    computed = dataset.sizes["permutation"]
    try:
        whole = computed if n is None else operator.index(n)
    except TypeError:
        raise ValueError(f"n must be a whole number from 1 to {computed}; got {n!r}") from None
    if not 1 <= whole <= computed:
        raise ValueError(f"n must be from 1 to {computed}, the permutations computed; got {n}")
    return whole


def only_walks(dataset: xr.Dataset) -> xr.Dataset:
    """The barriers of base and candidates without the rest of a result: to select from two variables is quick.

    Example:
      >>> import landscape
      >>> from landscape.analysis.walks import only_walks
      >>> dict(only_walks(landscape.open_study("digits-mlp")).sel(checkpoint=[80]).sizes)
      {'seed': 10, 'permutation': 1000, 'candidate': 5, 'checkpoint': 1}

    References:
      Malviya et al. (2024), Algorithm 1, whose steps have these barriers.
    """
    return dataset[["base_barrier", "barrier"]]


def prefix(
    dataset: xr.Dataset, n: int
) -> tuple[Float[np.ndarray, "seed n"], Float[np.ndarray, "seed candidate checkpoint n"]]:
    """The first n barriers of each walk in nats: of the base, (seed, n), and of the candidates at every checkpoint.

    Raises:
      ValueError: if n is out of range.

    Example:
      >>> import landscape
      >>> from landscape.analysis.walks import prefix
      >>> base, candidates = prefix(landscape.open_study("digits-mlp"), n=50)
      >>> base.shape, candidates.shape
      ((10, 50), (10, 5, 9, 50))

    References:
      Malviya et al. (2024), section 3.3, where the base's barriers are B*.
    """
    whole = checked_n(dataset, n)
    barriers = dataset["barrier"].transpose("seed", "candidate", "checkpoint", "permutation")
    base = dataset["base_barrier"].transpose("seed", "permutation")
    return base.values[..., :whole], barriers.values[..., :whole]


@derived
def steps_reached(dataset: xr.Dataset) -> int:
    """The greatest n that every walk which has begun has reached, or all steps if none has begun.

    While a study is being computed its walks grow step by step, and up to this n no walk that has begun is cut short.

    Example:
      >>> import landscape
      >>> from landscape.analysis.walks import steps_reached
      >>> unfinished = landscape.open_study("digits-mlp").copy(deep=True)
      >>> unfinished["barrier"][0, 0, 0, 250:] = float("nan")
      >>> steps_reached(unfinished)
      250
    """
    steps = dataset["permutation"].size
    reached = [
        (np.arange(1, steps + 1) * dataset[name].notnull().transpose(..., "permutation").values).max(-1).ravel()
        for name in ("base_barrier", "barrier", "control_barrier")
    ]
    begun = np.concatenate(reached)
    return int(begun[begun > 0].min(initial=steps))
