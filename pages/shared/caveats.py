"""Sentences that stand beside a number where the number itself cannot tell what limits it."""

from __future__ import annotations

import numpy as np
import streamlit as st
import xarray as xr

from landscape.analysis.metric import at_ceiling, manifold_metric, manifold_size, threshold
from landscape.analysis.walks import prefix

FEW = 0.25  # distinct barriers, as a share of n, under which λ moves in jumps that matter


def beside(dataset: xr.Dataset, q: float, n: int, checkpoint: int = 0) -> None:
    """Write the sentences that hold."""
    for sentence in (ceiling(dataset, q, n, checkpoint), few_barriers(dataset, q, n)):
        if sentence:
            st.caption(sentence)


def ceiling(dataset: xr.Dataset, q: float, n: int, checkpoint: int = 0) -> str | None:
    """Which candidates stand at the ceiling of M, so that nothing tells them apart; None if not two do in a seed."""
    there = dataset.sel(checkpoint=[checkpoint])
    full = (at_ceiling(there, q, n) & manifold_metric(there, q, n).notnull()).isel(checkpoint=0, drop=True)
    several = full.sum("candidate") > 1
    if not several.any():
        return None
    names = ", ".join(full["candidate"].values[(full & several).any("seed").values])
    return (
        f"Ceiling: no m exceeds 1, so M cannot exceed about 1 − q = {100 * (1 - q):.0f} %. In {int(several.sum())} of "
        f"{full.sizes['seed']} seeds several candidates stand there ({names}), and their ranks by M are ties."
    )


def few_barriers(dataset: xr.Dataset, q: float, n: int) -> str | None:
    """Whether the base has so few distinct barriers that λ moves in jumps; None if it has not."""
    base, _ = prefix(dataset, n)
    base = base[~np.isnan(base).any(-1)]
    if not len(base):
        return None
    counts = [len(np.unique(row)) for row in base]
    if np.median(counts) >= FEW * n:
        return None
    sizes = 100 * manifold_size(base, threshold(base, q))
    return (
        f"Few distinct barriers: among the base's {n} barriers only {min(counts)} to {max(counts)} differ, depending "
        f"on the seed, so λ moves in jumps and m(φ*) is {sizes.min():.1f} to {sizes.max():.1f} % instead of "
        f"q = {100 * q:g} %."
    )
