"""Candidates as text, in the notation of their labels: `hidden1 → 12`, `conv* × 1.5`, `2 layers after conv3`.

What the new units are stands behind a width or factor: `hidden1 → 12 (silent)`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, get_args

from landscape.study.steps import NewUnits

MOST_CHARACTERS = 20_000
GROUP = r"(?P<group>[^\s,;&→×]+?)"
MEASURE = r"(?:\s*(?:→|->|=)\s*(?P<size>\d+)|(?:\s*×|\s+[xX*])\s*(?P<factor>\d+(?:\.\d+)?))"
UNITS = rf"(?:\s*\((?P<units>{'|'.join(get_args(NewUnits))})\))?"
WIDEN = re.compile(GROUP + MEASURE + UNITS)
DEEPEN = re.compile(r"(?P<layers>\d+) +layers? +after +" + GROUP)
NOTATION = (
    "hidden1 → 12 for a width, conv* × 1.5 for a factor, hidden1 → 12 (silent) for new units that are no copies, or 2 "
    "layers after conv3 for inserted ones"
)


def candidates_from(text: str) -> list[list[dict[str, Any]]]:
    """The candidates that a text describes, as a study's file holds them: one a line, with & between its steps.

    A semicolon ends a line too. `->` may stand for the arrow, `x` after a blank for the sign of multiplication, and a
    comma for &.

    Raises:
      ValueError: that names the part which is no step, or the length of a text that is too long.

    Example:
      >>> from landscape.study.writing.notation import candidates_from
      >>> candidates_from("hidden1 → 12; hidden1 x 1.5 & 1 layer after hidden2")
      [[{'widen': 'hidden1', 'size': 12}], [{'widen': 'hidden1', 'factor': 1.5}, {'deepen': 'hidden2', 'layers': 1}]]
    """
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"the candidates take {len(text):,} characters; at most {MOST_CHARACTERS:,} are read")
    lines = filter(None, map(str.strip, re.split(r"[;\n]", text)))
    return [[_step(part.strip()) for part in re.split("[,&]", line)] for line in lines]


def _step(text: str) -> dict[str, Any]:
    if found := DEEPEN.fullmatch(text):
        return {"deepen": found["group"], "layers": int(found["layers"])}
    found = WIDEN.fullmatch(text)
    if found is None:
        raise ValueError(f"{text[:80]!r} is not a step of an expansion; write {NOTATION}")
    measure = {"factor": float(found["factor"])} if found["factor"] else {"size": int(found["size"])}
    return {"widen": found["group"]} | measure | ({"units": found["units"]} if found["units"] else {})


def written(candidates: Sequence[Sequence[dict[str, Any]]], between: str = "\n") -> str:
    """The text of candidates, which `candidates_from` reads.

    Example:
      >>> from landscape.study.writing.notation import written
      >>> written([[{"widen": "conv*", "factor": 2.0}], [{"deepen": "conv3", "layers": 2}]], "; ")
      'conv* × 2; 2 layers after conv3'
    """
    return between.join(" & ".join(map(_written, steps)) for steps in candidates)


def _written(step: dict[str, Any]) -> str:
    if "deepen" in step:
        count = step.get("layers", 1)
        return f"{count} layer{'s' * (count > 1)} after {step['deepen']}"
    units = f" ({step['units']})" if step.get("units") else ""
    if step.get("size") is not None:
        return f"{step['widen']} → {step['size']}{units}"
    return f"{step['widen']} × {step['factor']!r}".removesuffix(".0") + units
