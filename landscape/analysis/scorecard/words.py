"""How a row of the scorecard is said: its cells as text, and the whole as Markdown."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import groupby

from landscape.analysis.ranking.evidence import no_interval
from landscape.analysis.scorecard.rows import Row, Scale, nearest_to_the_paper
from landscape.analysis.scorecard.verdict import Finding, Verdict
from landscape.analysis.wording import bounds, counted, enumeration, minus

DASH = "–"
SAID: tuple[Verdict, ...] = ("reproduced", "contradicted", "not decided at this scale")
COLUMNS = ("study", "verdict", "our figure", "τ of M₀", "τ of the parameter count", "page", "scale")
NUMBERS = COLUMNS[2:5]


def cells(row: Row) -> list[str]:
    """A row without its claim, one text for each of `COLUMNS`; a dash where there is nothing.

    Example:
      >>> from landscape.analysis.scorecard import CLAIMS, Row
      >>> from landscape.analysis.scorecard.words import cells
      >>> cells(Row(CLAIMS[0], "no shipped study yet"))[:3]
      ['–', 'no shipped study yet', '–']
    """
    return [
        row.study or DASH,
        row.verdict,
        figure(row),
        number(row.metric),
        number(row.parameters),
        row.address or DASH,
        scale(row.scale) if row.scale else DASH,
    ]


def figure(row: Row) -> str:
    """The figure of a row with its interval, what it compares, and its number of seeds where some lack it.

    Example:
      >>> import landscape
      >>> from landscape.analysis.scorecard import scorecard
      >>> from landscape.analysis.scorecard.words import figure
      >>> figure(scorecard({"digits-mlp": landscape.open_study("digits-mlp")})[0])
      '+0.41 [+0.05, +0.77]'
    """
    if row.found is None or row.scale is None:
        return DASH
    fewer = f"over {counted(row.found.count, 'seed')}" if 0 < row.found.count < row.scale.seeds else ""
    return number(row.found, row.claim.form, row.found.note, fewer)


def scale(size: Scale) -> str:
    """How large a study is.

    Example:
      >>> from landscape.analysis.scorecard import Scale
      >>> from landscape.analysis.scorecard.words import scale
      >>> scale(Scale(seeds=10, candidates=5, examples=1000, modality="images", epochs=80, n=1000))
      '10 seeds, 5 candidates, 1,000 training images, 80 epochs, n = 1000'
    """
    unit = "images" if size.modality == "images" else "sequences"
    examples = f"all training {unit}" if size.examples is None else f"{size.examples:,} training {unit}"
    counts = counted(size.seeds, "seed"), counted(size.candidates, "candidate")
    return ", ".join([*counts, examples, counted(size.epochs, "epoch"), f"n = {size.n}"])


def heading(row: Row) -> str:
    """The claim of a row, its place in the paper, and what the figure is.

    Example:
      >>> from landscape.analysis.scorecard import CLAIMS, Row
      >>> from landscape.analysis.scorecard.words import heading
      >>> heading(Row(CLAIMS[3], "no shipped study yet"))
      'Mₜ falls in the later phase of training. (4.3, figure 3; figure: change of Mₜ in %)'
    """
    return f"{row.claim.text} ({row.claim.section}; figure: {row.claim.figure})"


def verdicts(rows: Sequence[Row]) -> str:
    """How many rows have which verdict; where no study tests the claim, that.

    Example:
      >>> from landscape.analysis.scorecard import CLAIMS, Row
      >>> from landscape.analysis.scorecard.words import verdicts
      >>> verdicts([Row(CLAIMS[0], "reproduced", "a"), Row(CLAIMS[0], "contradicted", "b")])
      '1 reproduced and 1 contradicted'
    """
    counts = Counter(row.verdict for row in rows)
    said = [f"{counts[each]} {each}" for each in SAID if counts[each]]
    return enumeration(said) if said else rows[0].verdict


def markdown(rows: Sequence[Row]) -> str:
    """The scorecard as a table in Markdown: one row a claim, with the study that is nearest to the paper's scale.

    Example:
      >>> from landscape.analysis.scorecard import scorecard
      >>> from landscape.analysis.scorecard.words import markdown
      >>> markdown(scorecard({})).split(" | ")[:3]
      ['| claim', 'all studies', 'study']
    """
    columns = ("claim", "all studies", *COLUMNS)
    lines: list[Sequence[str]] = []
    for claim, group in groupby(rows, heading):
        tests = list(group)
        shown = cells(nearest_to_the_paper(tests))
        lines.append((claim.replace("*", r"\*"), verdicts(tests), *_typeset(shown)))
    return markdown_table(columns, lines)


def markdown_table(columns: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table in Markdown.

    Example:
      >>> from landscape.analysis.scorecard.words import markdown_table
      >>> markdown_table(["a", "b"], [["1", "2"]]).split("\\n")
      ['| a | b |', '| --- | --- |', '| 1 | 2 |']
    """
    return "\n".join(f"| {' | '.join(line)} |" for line in [columns, ("---",) * len(columns), *lines])


def _typeset(texts: Sequence[str]) -> list[str]:
    """Numbers with the minus sign of a text, and the address as code, since where the app runs is not known."""
    found = dict(zip(COLUMNS, texts, strict=True))
    numbers = {name: minus(found[name]) for name in NUMBERS}
    page = found["page"] if found["page"] == DASH else f"`{found['page']}`"
    return [*(found | numbers | {"page": page}).values()]


def number(found: Finding | None, form: str = "+.2f", *besides: str) -> str:
    """A figure with its interval or why it has none, and what else there is to say of it.

    Example:
      >>> from landscape.analysis.scorecard import Finding
      >>> from landscape.analysis.scorecard.words import number
      >>> number(Finding(0.41, 0.05, 0.77, 10)), number(Finding(2.0, 1.0, 3.0, 10), ".1f", "points")
      ('+0.41 [+0.05, +0.77]', '2.0 [1.0, 3.0] (points)')
    """
    if found is None or math.isnan(found.value):
        return DASH
    said = ", ".join(filter(None, (*besides, no_interval(found.low, found.count))))
    return f"{found.value:{form}}{bounds(found.low, found.high, form)}{f' ({said})' if said else ''}"
