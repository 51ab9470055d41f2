"""The tables of a summary, for the terminal and for the report, and plain data as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from landscape.analysis.divergence import Diverged, in_words
from landscape.analysis.wording import counted, decimals, interval

GAINS = {"accuracy": "G* in points of accuracy", "negative log loss": "G* in −log(loss)"}


class Table(NamedTuple):
    """The titles of the columns, and the cells row by row."""

    header: Sequence[str]
    rows: Sequence[Sequence[object]]


def candidates_table(found: dict[str, Any]) -> Table:
    """A row for each candidate of a `landscape.analysis.summary.summary`."""
    digits = {measure: _gain_decimals(found["candidates"], measure) for measure in GAINS}
    rows = [
        [each["candidate"], each["width"], each["parameters"], interval(**each["M0"], digits=1)]
        + [interval(**each["best_gain"][measure], digits=digits[measure]) for measure in GAINS]
        for each in found["candidates"]
    ]
    return Table(["candidate", "width", "parameters", "M₀ in %", *GAINS.values()], rows)


def kendall_table(found: dict[str, Any], label: Callable[[str], str] = str) -> Table:
    """A row for each predictor of a summary, named by `label`."""
    rows = [
        [label(name), *(interval(**each[measure], digits=2) for measure in GAINS)]
        for name, each in found["kendall"].items()
    ]
    return Table(["Kendall's τ of", *(f"with {gain}" for gain in GAINS.values())], rows)


def sizes_line(found: dict[str, Any]) -> str:
    """How large the study is, and the q and n of the summary."""
    seeds, epochs = counted(found["seeds"], "seed"), counted(found["epochs"], "epoch")
    return f"{seeds}, {epochs} after expansion, q = {found['q']:g}, n = {found['n']}"


def summary_text(found: dict[str, Any]) -> str:
    """A summary as text for a terminal."""
    title = f"{found['title']} ({found['name']}, {found['key']})"
    means = "; means with 95 % intervals over seeds" if found["seeds"] > 1 else ""
    tables = (table(*candidates_table(found)), table(*kendall_table(found)))
    lost = divergence_line(found)
    return "\n\n".join([f"{title}\n{sizes_line(found)}{means}", *tables, *([lost] if lost else [])])


def divergence_line(found: dict[str, Any]) -> str | None:
    """The networks of a summary that diverged, or None."""
    return in_words([Diverged(**each) for each in found.get("diverged", [])])


def json_text(found: object) -> str:
    """Plain data as JSON in ASCII, which is JSON in whatever encoding it is printed."""
    return json.dumps(found, allow_nan=False, indent=1)


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns as wide as their widest cell, numbers aligned to the right and all else to the left."""
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


def _gain_decimals(candidates: Sequence[dict[str, Any]], measure: str) -> int:
    """Decimal places that show two digits of the greatest best gain."""
    return decimals(max(abs(each["best_gain"][measure]["mean"] or 0) for each in candidates), 2)
