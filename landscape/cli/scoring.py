"""The command that prints the scorecard: the claims of the paper against the shipped studies."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING, Any

from landscape.store.results import Store
from landscape.store.sealed import DamagedEntry

if TYPE_CHECKING:
    from landscape.analysis.scorecard import Finding, Row


def scorecard(options: argparse.Namespace) -> int:
    """Print the scorecard of the shipped studies; what is damaged goes to stderr."""
    from landscape.analysis.scorecard import scorecard
    from landscape.analysis.scorecard.words import markdown
    from landscape.cli.tables import json_text

    store = Store(options.cache)
    listing = store.entries()
    results = {}
    for name, key in sorted((entry.name, entry.key) for entry in listing.entries if entry.shipped):
        try:
            results[name] = store.read(key)
        except DamagedEntry as found:
            listing.damaged.append(found)
    for damage in listing.damaged:
        print(f"warning: {damage}", file=sys.stderr)
    rows = scorecard(results)
    if options.json:
        print(json_text([_plain(row) for row in rows]))
    else:
        print(markdown(rows) if options.markdown else _text(rows))
    return 0


def _plain(row: Row) -> dict[str, Any]:
    """A row as plain data."""
    return {
        "claim": row.claim.text,
        "section": row.claim.section,
        "figure": row.claim.figure,
        "claimed": [bound if math.isfinite(bound) else None for bound in row.claim.claimed],
        "verdict": row.verdict,
        "study": row.study,
        "found": _estimate(row.found),
        "M0": _estimate(row.metric),
        "parameters": _estimate(row.parameters),
        "scale": asdict(row.scale) if row.scale else None,
        "page": row.address or None,
    }


def _estimate(found: Finding | None) -> dict[str, Any] | None:
    if found is None:
        return None
    bounds = {"mean": found.value, "low": found.low, "high": found.high}
    known = {name: value if math.isfinite(value) else None for name, value in bounds.items()}
    return known | {"seeds": found.count, "note": found.note}


def _text(rows: Sequence[Row]) -> str:
    """The scorecard for a terminal: a table under each claim."""
    from landscape.analysis.scorecard.words import COLUMNS, cells, heading
    from landscape.cli.tables import table

    groups = ((claim, [cells(row) for row in group]) for claim, group in groupby(rows, heading))
    return "\n\n".join(f"{claim}\n{table(COLUMNS, texts)}" for claim, texts in groups)
