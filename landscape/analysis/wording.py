"""Counts, uncertainties, durations and origins in words. What is not known is left out."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

NO_CONTROL = "This study has no control: what training the base on for as long would gain is not known."
SAME_RANKS = "Within a seed the control's gain is the same for all candidates, so it changes no rank correlation."
PARTIAL = (
    "Partial τ is τ given the parameter count. Seeds in which that count orders the scores or the gains completely "
    "have none and are left out."
)
REGRET = (
    "Regret is the gain lost by taking the candidate with the highest score instead of the best. The parameter count "
    "picks the largest candidate; chance picks any."
)
NEGATIVE = re.compile(r"(?<![\w.)-])-(?=[\d∞])")
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
DIP = (
    "The loss at the midpoint is lower than on the chord. b̂, which is a magnitude, counts this dip as well; b counts "
    "only what rises above the chord."
)


def of_split(split: str) -> str:
    """What examples of a split are called.

    Example:
      >>> from landscape.analysis.wording import of_split
      >>> of_split("train"), of_split("validation")
      ('training', 'validation')

    References:
      Malviya et al. (2024), arXiv 2405.15895, section 4.1, for the two splits.
    """
    return "training" if split == "train" else split


def counted(count: float, noun: str) -> str:
    """A count and its noun, the number one in letters.

    Example:
      >>> from landscape.analysis.wording import counted
      >>> counted(1, "seed"), counted(3, "seed")
      ('one seed', '3 seeds')
    """
    return f"one {noun}" if count == 1 else f"{count:g} {noun}s"


def minus(text: str) -> str:
    """A text whose negative numbers have a minus and not a hyphen; hyphens in names, dates and exponents stay.

    Example:
      >>> from landscape.analysis.wording import minus
      >>> minus("cnn-8: -0.26 [-0.44, -0.08]")
      'cnn-8: −0.26 [−0.44, −0.08]'
    """
    return NEGATIVE.sub("−", text)


def together(text: str) -> str:
    """A text that stays on one line, such as a number and its unit.

    Example:
      >>> from landscape.analysis.wording import together
      >>> together("q = 40 %").split(" ")
      ['q\\xa0=\\xa040\\xa0%']
    """
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def size_in_words(size: float) -> str:
    """A number of bytes to two digits.

    Example:
      >>> from landscape.analysis.wording import size_in_words
      >>> [size_in_words(size) for size in (900, 25_300, 1.2e6, 3.44e9)]
      ['900 B', '25 kB', '1.2 MB', '3.4 GB']

    References:
      The prefixes are decimal: The International System of Units, 9th edition (2019), section 3.
    """
    unit = min(max(int(math.log10(max(size, 1))) // 3, 0), 5)
    scaled = size / 1000**unit
    digits = 1 if unit and scaled < 9.95 else 0
    return f"{scaled:,.{digits}f} {('B', 'kB', 'MB', 'GB', 'TB', 'PB')[unit]}"


def part_of(part: float, whole: float, noun: str, verb: str = "") -> str:
    """How many of a whole, with its noun and, if one is given, the verb of what they do.

    Example:
      >>> from landscape.analysis.wording import part_of
      >>> part_of(3, 4, "edge", "exist"), part_of(1, 4, "edge", "exist"), part_of(1, 1, "edge", "exist")
      ('3 of 4 edges exist', '1 of 4 edges exists', '1 of 1 edge exists')
    """
    words = f"{part:g} of {whole:g} {noun}{'s' * (whole != 1)}"
    return f"{words} {verb}{'s' * (part == 1 or whole == 1)}" if verb else words


def enumeration(names: Sequence[str]) -> str:
    """Names with commas and an "and" between them. There must be at least one.

    Example:
      >>> from landscape.analysis.wording import enumeration
      >>> enumeration(["SNIP"]), enumeration(["SNIP", "GraSP", "Jacov"])
      ('SNIP', 'SNIP, GraSP and Jacov')
    """
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def deviation(std: float | None, form: str) -> str:
    """A standard deviation to put behind its mean; empty where it is None or NaN.

    Args:
      std: the standard deviation.
      form: a number format such as ".2f".

    Example:
      >>> from landscape.analysis.wording import deviation
      >>> f"0.51{deviation(0.123, '.2f')}"
      '0.51 ± 0.12'
    """
    return f" ± {std:{form}}" if _known(std) else ""


def bounds(low: float | None, high: float | None, form: str) -> str:
    """The bounds of an interval to put behind its number; empty where one of them is None or NaN.

    Args:
      low, high: the bounds.
      form: a number format such as ".1f".

    Example:
      >>> from landscape.analysis.wording import bounds
      >>> f"0.2{bounds(0.1, 0.3, '.1f')}"
      '0.2 [0.1, 0.3]'
    """
    return f" [{low:{form}}, {high:{form}}]" if _known(low) and _known(high) else ""


def interval(mean: float | None, low: float | None, high: float | None, digits: int, *, signed: bool = True) -> str:
    """A mean with its interval, or a dash where the mean is not known.

    Args:
      mean, low, high: the mean and the bounds of its interval.
      digits: how many decimal places each of them has.
      signed: whether a positive number has its sign too.

    Example:
      >>> from landscape.analysis.wording import interval
      >>> interval(1, 0.5, 1.5, digits=1)
      '+1.0 [+0.5, +1.5]'
      >>> interval(-0.01, -0.5, 0.5, digits=1)
      '+0.0 [-0.5, +0.5]'
    """
    form = f"{'+' * signed}z.{digits}f"  # z: what rounds to 0 has no minus sign
    return f"{mean:{form}}{bounds(low, high, form)}" if _known(mean) else "–"


def beyond_control(near: Sequence[str], candidates: int) -> str:
    """How so many candidates compare with the control, given those that may gain no more than it, as a sentence.

    Example:
      >>> from landscape.analysis.wording import beyond_control
      >>> beyond_control(["A", "B"], candidates=3)
      'compared seed by seed, the gain of A and B is not clearly more than that of the control.'
      >>> beyond_control(["A", "B"], candidates=2)
      'compared seed by seed, no candidate gains clearly more than the control.'
    """
    if 1 < len(near) == candidates:
        return "compared seed by seed, no candidate gains clearly more than the control."
    if not near:
        return "compared seed by seed, every candidate gains clearly more than the control."
    return f"compared seed by seed, the gain of {enumeration(near)} is not clearly more than that of the control."


def decimals(greatest: float, least: int) -> int:
    """The decimal places that show two digits of a number of this size, and at least `least` of them.

    Example:
      >>> from landscape.analysis.wording import decimals
      >>> decimals(0.034, least=1), decimals(25.0, least=1)
      (3, 1)
    """
    return max(least, 1 - math.floor(math.log10(greatest))) if 0 < greatest < math.inf else least


def telling(digits: int, *values: float | None) -> int:
    """The decimal places, at least `digits` and at most two more, with which only 0 looks like 0.

    So an interval that excludes 0 is seen to exclude it. None and NaN ask for nothing.

    Example:
      >>> from landscape.analysis.wording import interval, telling
      >>> interval(2.14, 0.03, 4.25, digits=telling(1, 0.03, 4.25))
      '+2.14 [+0.03, +4.25]'
      >>> telling(1, 0.0, 4.25), telling(1, 1e-9)
      (1, 3)
    """
    known = [value for value in values if _known(value) and value != 0]
    return next((more for more in range(digits, digits + 2) if all(round(each, more) for each in known)), digits + 2)


def number(value: float | None, digits: int = 3) -> str:
    """A number as people write it: with some significant digits, and a power of ten only where it is far from 1.

    Args:
      value: the number; None and NaN become a dash.
      digits: how many significant digits it has; a whole part is never cut short.

    Example:
      >>> from landscape.analysis.wording import number
      >>> [number(value) for value in (0.25, -3.14159, 12345.6, 6.84e-05, 4.9194416e7, 0, None)]
      ['0.250', '−3.14', '12,346', '6.84×10⁻⁵', '4.92×10⁷', '0', '–']
    """
    if not _known(value):
        return "–"
    if value == 0 or math.isinf(value):
        return minus(f"{value:g}".replace("inf", "∞"))
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    power = int(exponent)
    if -4 <= power < 7:
        return minus(f"{value:,.{max(digits - 1 - power, 0)}f}")
    return f"{minus(mantissa)}×10{str(power).translate(RAISED)}"


def origin(record: Mapping[str, Any]) -> str:
    """When, on what, how long and with which versions a result was computed; what is not known is left out.

    What is known is as `landscape.store.fields` checks it whenever a result is read.

    Args:
      record: the attributes of a result, or its record in the store.

    Example:
      >>> from landscape.analysis.wording import origin
      >>> origin({"device": "a laptop", "computed": "2026-11-24T16:56:12+00:00", "seconds": 79})
      'Computed on a laptop, 2026-11-24 16:56 UTC, in 1 min 19 s.'
    """
    versions = record.get("versions", {})
    known = json.loads(versions) if isinstance(versions, str) else versions
    used = ", ".join(f"{name} {known[name]}" for name in ("jax", "flax", "numpy") if name in known)
    parts = [
        *_where_and_when(record),
        f"in {duration(float(record['seconds']))}" if "seconds" in record else "",
        f"with {used}" if used else "",
        f"with {counted(int(record['taken']), 'task')} that other studies had computed" if "taken" in record else "",
    ]
    earlier = record.get("earlier", [])
    told = [f"Computed {', '.join(filter(None, parts))}." if any(parts) else "Not computed in one piece."]
    first = 0
    for before in json.loads(earlier) if isinstance(earlier, str) else earlier:
        last = first + before["seeds"] - 1
        seeds = f"Seed {first} was" if first == last else f"Seeds {first} to {last} were"
        told.append(f"{seeds} computed before, {', '.join(_where_and_when(before))}.")
        first = last + 1
    return " ".join(told)


def _where_and_when(record: Mapping[str, Any]) -> list[str]:
    return [
        *([f"on {record['device']}"] if "device" in record else []),
        *([f"{str(record['computed'])[:16].replace('T', ' ')} UTC"] if "computed" in record else []),
    ]


def duration(seconds: float) -> str:
    """A duration to about two digits, from seconds to days.

    Example:
      >>> from landscape.analysis.wording import duration
      >>> [duration(seconds) for seconds in (45, 79, 11100, 260_000)]
      ['45 s', '1 min 19 s', '3 h 05 min', '3 days']
    """
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


def _known(value: float | None) -> TypeGuard[float]:
    return value is not None and not math.isnan(value)
