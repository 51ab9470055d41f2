"""Two to four studies side by side, on shared axes, or as a difference."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import streamlit as st
import xarray as xr

from landscape.analysis.performance import MEASURES, usual_measure
from landscape.analysis.ranking.decision import Decision, decide, sentence
from landscape.analysis.summary import Q
from landscape.analysis.walks import steps_reached
from landscape.analysis.wording import enumeration
from landscape.figures.comparison import (
    QUANTITIES,
    SIZES,
    axis_title,
    comparison,
    comparison_data,
    difference,
    difference_data,
)
from landscape.figures.export.alternatives import comparison_text, difference_text
from pages.shared import library, show
from pages.shared.controls import COMPARED, checked
from pages.shared.widgets import Several

FEWEST, MOST = 2, 4


def answer(dataset: xr.Dataset) -> str:
    """What a study says about expanding, in a sentence."""
    return show.escaped(sentence(_decided(dataset), usual_measure(dataset)))


def _decided(dataset: xr.Dataset) -> Decision:
    return decide(dataset, Q, steps_reached(dataset), usual_measure(dataset))


def agreement(opened: Mapping[str, xr.Dataset]) -> str:
    """Whether studies say the same about expanding, in a sentence."""
    said: dict[str, list[str]] = {}
    for label, dataset in opened.items():
        said.setdefault(_decided(dataset).verdict, []).append(show.escaped(label))
    question = "To the question whether to expand, they give"
    if len(said) == 1:
        return f"{question} the same answer: **{next(iter(said))}**."
    answers = [f"**{verdict}** ({enumeration(labels)})" for verdict, labels in said.items()]
    return f"{question} different answers: {enumeration(answers)}."


picture = st.container()
labels = library.measured()
studies = checked("studies", Several("Studies", labels, "Stored, running or uploaded.", MOST, tuple(labels[:FEWEST])))
with st.container(horizontal=True, gap="medium"):
    layout, quantity, size, measure, q = (
        checked(name, COMPARED[name]) for name in ("layout", "quantity", "size", "of", "q")
    )
axis = next(name for name, words in SIZES.items() if words == size)
if len(studies) < FEWEST:
    picture.info(f"Choose {FEWEST} to {MOST} studies.")
    st.stop()
opened = library.opened(studies)
frame = comparison_data(opened, quantity, q, measure)
with picture:
    st.markdown(agreement(opened))
    if layout == "difference":
        first = studies[0]
        found = difference_data(opened, quantity, q, measure)
        alt = difference_text(found, first, quantity)
        show.chart(difference(found, first, quantity, measure), "difference", alt, lambda: found)
    elif layout == "side by side":
        for place, label in zip(show.panels(len(studies)), studies, strict=True):
            with place:
                st.header(label)
                own = frame.query(f"study == {label!r}")
                show.chart(
                    comparison(frame, quantity, measure, axis, label, 340),
                    f"comparison-{label}",
                    comparison_text(own, quantity),
                    partial(frame.query, f"study == {label!r}"),
                )
    else:
        alt = comparison_text(frame, quantity)
        show.chart(comparison(frame, quantity, measure, axis), "comparison", alt, lambda: frame)
st.markdown("\n".join(f"- {show.bold(label)}: {answer(dataset)}" for label, dataset in opened.items()))
number = st.column_config.NumberColumn
form = "%.1f" if quantity == QUANTITIES[0] or measure == MEASURES[0] else "%.3f"
show.grid(
    frame,
    {
        "study": st.column_config.TextColumn(pinned=True),
        "units": number("units (× base)", format="%.2f"),
        "parameters": number("parameters (× base)", format="%.3f"),
        "mean": number(axis_title(quantity, measure), format=form),
        "low": number("95 % from", format=form),
        "high": number("to", format=form),
        "count": "seeds",
    },
)
show.definition(
    r"\bar x \pm t_{k - 1} \frac{s}{\sqrt k}, \qquad \bar x_2 - \bar x_1 \pm t_\nu"
    r"\sqrt{\frac{s_1^2}{k_1} + \frac{s_2^2}{k_2}}",
    "Student 1908, Welch 1947",
    "Intervals are 95 % over the k seeds of a study. Seeds of two studies are not paired, so a difference has Welch's "
    "interval; it is that of candidates with the same label, and the first study is taken from each other one. Walks "
    "count with all the steps that they have reached, which differ between studies.",
)
