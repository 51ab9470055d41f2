"""Warnings about limits that the numbers themselves do not show."""

from __future__ import annotations

import numpy as np
import streamlit as st
import xarray as xr

from landscape.analysis.metric import at_ceiling, manifold_metric, manifold_size, threshold
from landscape.analysis.walks import prefix

FEW = 0.25  # distinct barriers, as a fraction of n, below which λ jumps noticeably


def beside(dataset: xr.Dataset, q: float, n: int, checkpoint: int = 0) -> None:
    """Write the warnings that apply."""
    for sentence in (ceiling(dataset, q, n, checkpoint), few_barriers(dataset, q, n)):
        if sentence:
            st.caption(sentence)


def ceiling(dataset: xr.Dataset, q: float, n: int, checkpoint: int = 0) -> str | None:
    """Which candidates reach the ceiling of M, where they tie; None if no two of them do in the same seed."""
    at = dataset.sel(checkpoint=[checkpoint])
    full = (at_ceiling(at, q, n) & manifold_metric(at, q, n).notnull()).isel(checkpoint=0, drop=True)
    several = full.sum("candidate") > 1
    if not several.any():
        return None
    names = ", ".join(full["candidate"].values[(full & several).any("seed").values])
    return (
        f"Ceiling: m is at most 1, so M is at most about 1 − q = {100 * (1 - q):.0f} %. In {int(several.sum())} of "
        f"{full.sizes['seed']} seeds, several candidates reach it ({names}), so that M ranks them equally."
    )


def few_barriers(dataset: xr.Dataset, q: float, n: int) -> str | None:
    """How few distinct barriers the base has, if they are so few that λ jumps noticeably."""
    base, _ = prefix(dataset, n)
    base = base[~np.isnan(base).any(-1)]
    if not len(base):
        return None
    counts = [len(np.unique(row)) for row in base]
    if np.median(counts) >= FEW * n:
        return None
    sizes = 100 * manifold_size(base, threshold(base, q))
    return (
        f"Few distinct barriers: depending on the seed, the base's {n} barriers have only {min(counts)} to "
        f"{max(counts)} different values. As q changes, λ therefore jumps, and m(φ*) is {sizes.min():.1f} to "
        f"{sizes.max():.1f} % instead of q = {100 * q:g} %."
    )
