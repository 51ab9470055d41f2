"""Counts and uncertainties in words; what is not known is left out."""

from __future__ import annotations

import math


def counted(count: float, noun: str) -> str:
    """`one seed`, `3 seeds`."""
    return f"one {noun}" if count == 1 else f"{count:g} {noun}s"


def deviation(std: float, form: str) -> str:
    """` ± 0.12`, in a number format such as `.2f`; nothing where it is not known."""
    return "" if math.isnan(std) else f" ± {std:{form}}"


def bounds(low: float, high: float, form: str) -> str:
    """` [0.1, 0.3]`, in a number format such as `.1f`; nothing where one of them is not known."""
    return "" if math.isnan(low) or math.isnan(high) else f" [{low:{form}}, {high:{form}}]"
