"""Counts, uncertainties and durations in words. What is not known is left out."""

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


def interval(mean: float | None, low: float | None, high: float | None, digits: int) -> str:
    """`+1.0 [+0.5, +1.5]`: a mean with its sign and its interval; a dash where the mean is not known."""
    form = f"+.{digits}f"
    return f"{mean:{form}}{bounds(low, high, form)}" if _known(mean) else "–"


def decimals(greatest: float, least: int) -> int:
    """The decimal places that show two digits of a number of this size, and at least `least` of them."""
    return max(least, 1 - math.floor(math.log10(greatest))) if 0 < greatest < math.inf else least


def duration(seconds: float) -> str:
    """`45 s`, `1 min 19 s`, `12 min`, `3 h 05 min`, `25 h`, `3 days`: to about two digits."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 600:
        return f"{whole // 60} min {whole % 60:02} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 600:
        return f"{minutes // 60} h {minutes % 60:02} min"
    hours = round(seconds / 3600)
    return f"{hours} h" if hours < 48 else f"{seconds / 86400:,.0f} days"


def _known(value: float | None) -> bool:
    return value is not None and not math.isnan(value)
