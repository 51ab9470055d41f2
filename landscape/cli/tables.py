"""The tables of a summary, for the terminal and for the report, and plain data as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from landscape.analysis.divergence import Diverged, in_words
from landscape.analysis.ranking.evidence import no_interval
from landscape.analysis.wording import (
    NO_CONTROL,
    PARTIAL,
    REGRET,
    SAME_RANKS,
    beyond_control,
    counted,
    decimals,
    interval,
)

UNITS = {"accuracy": "points of accuracy", "negative log loss": "−log(loss)"}
GAINS = {"best_gain": "G*", "excess_gain": "G* − control"}


class Table(NamedTuple):
    """The titles of the columns, and the cells row by row."""

    header: Sequence[str]
    rows: Sequence[Sequence[object]]


def candidates_table(found: dict[str, Any]) -> Table:
    """A row for each candidate of a `landscape.analysis.summary.summary`; its gain beyond a control if there is one."""
    columns = [(gain, measure) for measure in UNITS for gain in GAINS if gain == "best_gain" or found["control"]]
    digits = _gain_decimals(found)
    rows = [
        [each["candidate"], each["width"], each["parameters"], interval(**each["M0"], digits=1)]
        + [interval(**each[gain][measure], digits=digits[measure]) for gain, measure in columns]
        for each in found["candidates"]
    ]
    titles = [f"{GAINS[gain]} in {UNITS[measure]}" for gain, measure in columns]
    return Table(["candidate", "width", "parameters", "M₀ in %", *titles], rows)


def kendall_table(found: dict[str, Any], label: Callable[[str], str] = str) -> Table:
    """A row for each predictor of a summary, named by `label`."""
    rows = [
        [label(name), *(_in_seeds(each[measure], 2, found["seeds"]) for measure in UNITS)]
        for name, each in found["kendall"].items()
    ]
    return Table(["Kendall's τ of", *(f"with G* in {unit}" for unit in UNITS.values())], rows)


def partial_kendall_table(found: dict[str, Any], label: Callable[[str], str] = str) -> Table:
    """A row for each predictor of a summary that has a partial τ in any seed, named by `label`."""
    rows = [
        [label(name), *(_in_seeds(each[measure], 2, found["seeds"]) for measure in UNITS)]
        for name, each in found["partial_kendall"].items()
        if any(each[measure]["seeds"] for measure in UNITS)
    ]
    return Table(["Partial τ of", *(f"with G* in {unit}" for unit in UNITS.values())], rows)


def regret_table(found: dict[str, Any], label: Callable[[str], str] = str) -> Table:
    """A row for the pick by each predictor of a summary, named by `label`, and for a random one."""
    digits = _gain_decimals(found)
    picks = {label(name): each for name, each in found["regret"]["predictors"].items()}
    rows = [
        [name, *(_in_seeds(each[measure], digits[measure], found["seeds"], signed=False) for measure in UNITS)]
        for name, each in (picks | {"chance": found["regret"]["random"]}).items()
    ]
    return Table(["Regret of the pick by", *(f"in {unit}" for unit in UNITS.values())], rows)


def _in_seeds(estimate: dict[str, Any], digits: int, seeds: int, *, signed: bool = True) -> str:
    """An estimate with its interval or the lack of one, and with the number of its seeds where some have none."""
    cell = interval(estimate["mean"], estimate["low"], estimate["high"], digits, signed=signed)
    if estimate["low"] is None and (reason := no_interval(math.nan, estimate["seeds"])):
        return f"{cell}, {reason}"
    return f"{cell}, {counted(estimate['seeds'], 'seed')}" if 0 < estimate["seeds"] < seeds else cell


def sizes_line(found: dict[str, Any]) -> str:
    """How large the study is, and the q and n of the summary."""
    seeds, epochs = counted(found["seeds"], "seed"), counted(found["epochs"], "epoch")
    return f"{seeds}, {epochs} after expansion, q = {found['q']:g}, n = {found['n']}"


def control_line(found: dict[str, Any]) -> str:
    """What the control gains, and which candidates gain no more for certain; or that there is no control."""
    if found["control"] is None:
        return NO_CONTROL
    digits, gains = _gain_decimals(found), found["control"]["best_gain"]
    told = [f"{interval(**gains[name], digits=digits[name])} in {unit}" for name, unit in UNITS.items()]
    sentences = [
        f"The control, which is the base trained on for as long without expansion, has G* {' and '.join(told)}."
    ]
    for measure, unit in UNITS.items() if found["seeds"] > 1 else ():
        excess = {each["candidate"]: each["excess_gain"][measure] for each in found["candidates"]}
        known = {name: each["low"] for name, each in excess.items() if each["mean"] is not None}
        near = [name for name, low in known.items() if low is None or low <= 0]
        sentences += [f"In {unit}: {beyond_control(near, len(known))}"] if known else []
    return " ".join([*sentences, SAME_RANKS])


def summary_text(found: dict[str, Any]) -> str:
    """A summary as text for a terminal."""
    title = f"{found['title']} ({found['name']}, {found['key']})"
    means = "; means with 95 % intervals over seeds" if found["seeds"] > 1 else ""
    made = (candidates_table, kendall_table, partial_kendall_table, regret_table)
    tables = [table(*each) for each in (make(found) for make in made) if each.rows]
    told = filter(None, (doubt_line(found), f"{PARTIAL} {REGRET}", control_line(found), divergence_line(found)))
    return "\n\n".join([f"{title}\n{sizes_line(found)}{means}", *tables, *told])


def doubt_line(found: dict[str, Any]) -> str | None:
    """Why the rank correlations of a summary say little, or None."""
    reasons = dict.fromkeys(reason for reason in found["too_few"].values() if reason)
    return f"Rank correlations say little here: {'; '.join(reasons)}." if reasons else None


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


def _gain_decimals(found: dict[str, Any]) -> dict[str, int]:
    """Decimal places that show two digits of the greatest best gain, by each measure."""
    means = {measure: [each["best_gain"][measure]["mean"] or 0 for each in found["candidates"]] for measure in UNITS}
    return {measure: decimals(max(map(abs, each)), 2) for measure, each in means.items()}
