"""Counts and uncertainties in words; what is not known is left out."""

from __future__ import annotations

import math


def counted(count: float, noun: str) -> str:
    """`one seed`, `3 seeds`."""
    return f"one {noun}" if count == 1 else f"{count:g} {noun}s"


def deviation(std: float | None, form: str) -> str:
    """` ± 0.12`, in a number format such as `.2f`; nothing where it is None or NaN."""
    return f" ± {std:{form}}" if _known(std) else ""


def bounds(low: float | None, high: float | None, form: str) -> str:
    """` [0.1, 0.3]`, in a number format such as `.1f`; nothing where one of them is None or NaN."""
    return f" [{low:{form}}, {high:{form}}]" if _known(low) and _known(high) else ""


def _known(value: float | None) -> bool:
    return value is not None and not math.isnan(value)
