"""The paper's claims against the shipped studies: figures, intervals and verdicts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import groupby

import pandas as pd
import streamlit as st

from landscape.analysis.scorecard import Row, Verdict, scorecard
from landscape.analysis.scorecard.words import COLUMNS, NUMBERS, cells, heading, verdicts
from landscape.analysis.wording import counted, minus
from landscape.figures import scorecard_ranks, scorecard_ranks_data
from landscape.figures.export.alternatives import scorecard_text
from landscape.store.sealed import DamagedEntry
from pages.shared import library, show

HUES: dict[Verdict, str] = {"reproduced": "blue", "contradicted": "orange", "not decided at this scale": "gray"}


@st.cache_resource(max_entries=1, show_spinner="Reading the shipped studies …")
def scored(
    known_by: tuple[tuple[str, str], ...], _choices: Sequence[library.Choice]
) -> tuple[list[Row], list[DamagedEntry]]:
    """The scorecard of the studies that can be read, and the damaged ones; a change of any checksum makes it anew."""
    results, damaged = {}, []
    for choice in _choices:
        try:
            results[choice.label] = library.whole(choice)
        except DamagedEntry as damage:
            damaged.append(damage)
    return scorecard(results), damaged


def badges(rows: Sequence[Row]) -> str:
    """How many studies give which verdict on a claim, each as a badge; the words say what the colours do."""
    counts = Counter(row.verdict for row in rows)
    said = [
        f":{hue}-badge[{counts[each]} {each.removesuffix(' at this scale')}]"
        for each, hue in HUES.items()
        if counts[each]
    ]
    return " ".join(said) or f":gray-badge[{rows[0].verdict}]"


def table(rows: Sequence[Row]) -> tuple[pd.DataFrame, dict[str, list[str]]]:
    """The rows of one claim as the page shows them, with numbers, and what is written in place of those."""
    frame = pd.DataFrame([cells(row) for row in rows], columns=COLUMNS)
    texts = {name: [minus(text) for text in frame[name]] for name in NUMBERS}
    found = ([row.found, row.metric, row.parameters] for row in rows)
    values = [[math.nan if each is None else each.value for each in row] for row in found]
    frame = frame.drop(columns=list(NUMBERS)).join(pd.DataFrame(values, columns=list(NUMBERS), dtype=float))
    frame["page"] = [row.address or None for row in rows]
    compared = any(row.metric for row in rows)
    return frame[[name for name in COLUMNS if compared or name not in NUMBERS[1:]]], texts


@st.fragment
def tests_of(number: int, rows: Sequence[Row]) -> None:
    """One claim with its verdicts, and its tests once somebody opens it: all tables take half a second to make."""
    claim = rows[0].claim
    label = f"{show.escaped(claim.text)} {badges(rows)}"
    with (opened := st.expander(label, key=f"claim-{number}", on_change="rerun")):
        if opened.open:
            st.caption(f"{claim.section[0].upper()}{claim.section[1:]}. Figure: {show.escaped(claim.figure)}.")
            if rows[0].study:
                shown, texts = table(rows)
                show.grid(shown, {"page": st.column_config.LinkColumn(display_text=r"^(\w+)")}, texts)


choices = library.shipped()
rows, damaged = scored(tuple(library.identity(choice.entry) for choice in choices if choice.entry), choices)
for damage in damaged:
    st.warning(show.plain(f"{damage}. It is left out."))
tested = [row for row in rows if row.study]
if not tested:
    st.info("No shipped study can be read here, so no claim has been tested.")
    st.stop()
untested = f" {counted(len(rows) - len(tested), 'claim').capitalize()} more: no shipped study yet."
st.markdown(
    f"{counted(len({row.claim for row in tested}), 'claim')} in {counted(len(tested), 'test')}: "
    f"**{verdicts(tested)}**.{untested if len(tested) < len(rows) else ''}"
)
show.chart(
    scorecard_ranks(rows),
    "scorecard-ranks",
    scorecard_text(scorecard_ranks_data(rows)),
    lambda: scorecard_ranks_data(rows),
)
st.header("Claim by claim")
with st.container(gap=None):
    for number, (_, group) in enumerate(groupby(rows, lambda row: row.claim), 1):
        tests_of(number, list(group))
show.table(
    "scorecard", lambda: pd.DataFrame([(heading(row), *cells(row)) for row in rows], columns=["claim", *COLUMNS])
)
show.definition(
    r"\text{reproduced: } [\text{low}, \text{high}] \subset R, \qquad"
    r"\text{contradicted: } [\text{low}, \text{high}] \cap R = \emptyset",
    "the rule; ours",
    "A claim puts a figure in a range R. A verdict needs the 95 % interval over seeds to exclude what it rejects. "
    "Everything else is not decided at this scale, and so is what a single seed says, or seeds that agree exactly. A "
    "study that is too short to confirm or to refute a claim about later epochs cannot do so. Differences of τ are "
    "taken seed by seed. Against the strongest of k baselines, the interval holds for all of them at once "
    "(Bonferroni). Otherwise each interval holds by itself: of many rows, some are wrong. The rules and ranges were "
    "written down before the verdicts were looked at (`landscape/analysis/scorecard`). Where several studies train "
    "the same networks, the one with most seeds that can decide answers; this rule alone was made afterwards. "
    "Everything is at q = 0.4 and with all steps of the walks, and G* is that of the measure that the paper uses: "
    "accuracy for images, −log(loss) for text. Of the "
    "paper's second version only the abstract is known here.",
)
