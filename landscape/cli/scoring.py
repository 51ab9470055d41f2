"""The command that prints the scorecard: the claims of the paper against the shipped studies."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING, Any

from landscape.cli.saying import say
from landscape.store.results import Store
from landscape.store.sealed import DamagedEntry

if TYPE_CHECKING:
    import xarray as xr

    from landscape.analysis.scorecard import Finding, Row
    from landscape.analysis.scorecard.studies import Glance


def scorecard(options: argparse.Namespace) -> int:
    """Print the scorecard of the shipped studies; what is damaged goes to stderr."""
    from landscape.analysis.scorecard import scorecard
    from landscape.analysis.scorecard.words import markdown
    from landscape.cli.tables import json_text

    results = _shipped(Store(options.cache))
    if options.studies:
        print(_studies(results, options))
        return 0
    rows = scorecard(results)
    if options.json:
        print(json_text([_plain(row) for row in rows]))
    else:
        print(markdown(rows) if options.markdown else _text(rows))
    return 0


def _shipped(store: Store) -> dict[str, xr.Dataset]:
    """The shipped results by name."""
    listing, results = store.entries(), {}
    for name, key in sorted((entry.name, entry.key) for entry in listing.entries if entry.shipped):
        try:
            results[name] = store.read(key)
        except DamagedEntry as found:
            listing.damaged.append(found)
    for damage in listing.damaged:
        say("warning", damage)
    return results


def _studies(results: Mapping[str, xr.Dataset], options: argparse.Namespace) -> str:
    """A row a study, as the options say."""
    from landscape.analysis.scorecard.studies import COLUMNS, cells, glance
    from landscape.analysis.scorecard.words import markdown_table
    from landscape.analysis.wording import minus
    from landscape.cli.tables import json_text, table

    found = {name: glance(dataset) for name, dataset in results.items()}
    if options.json:
        return json_text([{"study": name} | _fields(each) for name, each in found.items()])
    rows = [cells(name, each) for name, each in found.items()]
    if options.markdown:
        return markdown_table(COLUMNS, [[name, *map(minus, others)] for name, *others in rows])
    return table(COLUMNS, rows)


def _fields(found: Glance) -> dict[str, Any]:
    from landscape.analysis.scorecard import Finding

    return {name: _estimate(each) if isinstance(each, Finding) else each for name, each in found._asdict().items()}


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
