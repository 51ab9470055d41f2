"""Text for a terminal: a table, a number with its interval, a progress line."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from typing import Any, TextIO

from landscape.analysis.wording import bounds, counted
from landscape.jobs.progress import Progress

PERIOD = 0.2  # seconds between two changes of the progress line
WIDTH = 24  # characters of the bar

GAINS = {"accuracy": "G* in points of accuracy", "negative log loss": "G* in −log(loss)"}


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns as wide as their widest cell; the first is aligned left, numbers right."""
    cells = [list(map(str, row)) for row in (header, *rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    numeric = [all(isinstance(row[i], int | float) for row in rows) for i in range(len(header))]
    lines = [
        "  ".join(
            cell.rjust(w) if n else cell.ljust(w) for cell, w, n in zip(row, widths, numeric, strict=True)
        ).rstrip()
        for row in cells
    ]
    return "\n".join(lines)


def summary_text(found: dict[str, Any]) -> str:
    """`landscape.analysis.summary.summary` for people to read."""
    candidates = [
        [each["candidate"], each["width"], each["parameters"], interval(each["M0"], 1)]
        + [interval(each["best_gain"][measure], gain_decimals(found["candidates"], measure)) for measure in GAINS]
        for each in found["candidates"]
    ]
    ranks = [[name, *(interval(each[measure], 2) for measure in GAINS)] for name, each in found["kendall"].items()]
    means = "; means with 95 % intervals over seeds" if found["seeds"] > 1 else ""
    return "\n".join(
        [
            f"{found['title']} ({found['name']}, {found['key']})",
            f"{counted(found['seeds'], 'seed')}, {counted(found['epochs'], 'epoch')} after expansion, "
            f"q = {found['q']:g}, n = {found['n']}{means}",
            "",
            table(["candidate", "width", "parameters", "M₀ in %", *GAINS.values()], candidates),
            "",
            table(["Kendall's τ of", *(f"with {gain}" for gain in GAINS.values())], ranks),
        ]
    )


def interval(estimate: dict[str, float | None], digits: int) -> str:
    """`mean [low, high]`; a dash for what is not known."""
    mean, low, high = (estimate[name] for name in ("mean", "low", "high"))
    if mean is None:
        return "–"
    form = f"+.{digits}f"
    return f"{mean:{form}}{bounds(low, high, form)}"


def decimals(greatest: float, least: int) -> int:
    """Decimal places that show two digits of a number of this size, and `least` at least."""
    return max(least, 1 - math.floor(math.log10(greatest))) if 0 < greatest < math.inf else least


def gain_decimals(candidates: Sequence[dict[str, Any]], measure: str) -> int:
    """`decimals` of the greatest best gain in a summary."""
    gains = [abs(each["best_gain"][measure]["mean"] or 0) for each in candidates]
    return decimals(max(gains), 2)


def duration(seconds: float) -> str:
    """Seconds, minutes and seconds, hours and minutes, or days."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min" if whole < 2 * 86400 else f"{whole / 86400:,.0f} days"


class ProgressLine:
    """One line that is written over on a terminal; elsewhere, one line more for each task finished."""

    def __init__(self, stream: TextIO | None = None):
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._at, self._parts = -math.inf, -1

    def show(self, progress: Progress) -> None:
        """Show where a study stands, unless it was shown just now."""
        due = time.monotonic() - self._at >= PERIOD if self._terminal else progress.parts > self._parts
        if due:
            self._at, self._parts = time.monotonic(), progress.parts
            self._stream.write(f"\r\x1b[K{bar(progress)}" if self._terminal else f"{bar(progress)}\n")
            self._stream.flush()

    def end(self) -> None:
        """Leave the terminal as if nothing had been shown."""
        if self._terminal:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


def bar(progress: Progress) -> str:
    """How much is done, what is being done, and how long the rest will take."""
    filled = round(WIDTH * progress.fraction)
    left = "" if progress.left is None else f", {duration(progress.left)} left"
    return f"{'█' * filled}{'░' * (WIDTH - filled)} {progress.fraction:4.0%}  {progress.stage}{left}"
