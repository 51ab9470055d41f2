"""What pages are made of: a figure with its data to download, a table to download, a definition."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st
import xarray as xr
from streamlit.delta_generator import DeltaGenerator
from streamlit.elements.lib.streamlit_plotly_theme import GRAY_90

from landscape.analysis.summary import csv_file
from landscape.analysis.wording import minus
from landscape.figures.export.alternatives import lines_text
from landscape.figures.export.files import CONFIG as CONFIG
from landscape.figures.export.files import ImageFormat, config, html_file
from landscape.figures.export.tables import labelled
from landscape.figures.style import laid_over
from landscape.store.derived import derived
from landscape.study.writing.visible import visible

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

FORMATS: tuple[ImageFormat, ...] = ("PNG", "SVG")
ROWS_MEASURED = 9  # of a table by the browser, before it lays it out
PADDING, PIXELS = 20, 7  # of a cell, and of a letter of ordinary width
NARROWEST = 340  # pixels: a chart beside another is at least as wide, or it stands below it


def panels(count: int) -> list[DeltaGenerator]:
    """Places for charts, two in a row where that leaves each legible, and else below each other."""
    grid = st.grid(2, min_column_width=NARROWEST)
    return [grid.cell() for _ in range(count)]


def chart(
    figure: go.Figure, name: str, alt: str, data: Callable[[], pd.DataFrame] | None = None, **options: Any
) -> Any:
    """Show a figure and offer it as files, with its numbers as CSV; `name` identifies the chart and the files.

    `alt` is what a screen reader says instead: the finding. Without `data`, another table holds the numbers.
    """
    called, image = filed(name), st.session_state.get(f"image-{name}") or FORMATS[0]
    if on_phone():  # where Streamlit would turn a swipe over a figure that can be clicked into a drag of its axes
        options = {}
    drawn = st.plotly_chart(
        legible(figure), key=f"chart-{name}", config=config(figure, called, image), alt=alt, **options
    )
    with files(figure, name, data):
        st.segmented_control(
            f"The camera saves {said(name)} as", FORMATS, default=FORMATS[0], required=True, key=f"image-{name}"
        )
    return drawn


def lines(figure: go.Figure, name: str, what: str, data: Callable[[], pd.DataFrame]) -> None:
    """Show lines over training as `chart` does; where they begin and end, which their table says, goes into words."""
    chart(figure, name, lines_text(data(), what), data)


def files(figure: go.Figure, name: str, data: Callable[[], pd.DataFrame] | None) -> DeltaGenerator:
    """Offer a figure as a page and, if there is `data`, its numbers as CSV; what else belongs there goes into it."""
    offered = st.popover(f"Files: {said(name)}", icon=":material/download:")
    called = filed(name)  # now, since the file is written later, where no session is known
    with offered:
        if data:
            table(name, data)
        st.download_button(
            f"HTML: {said(name)}",
            lambda: html_file(figure, called),
            f"{called}.html",
            "text/html",
            key=f"html-{name}",
            help="Download the figure as a page that opens without a network.",
            icon=":material/download:",
            on_click="ignore",
            type="tertiary",
        )
    return offered


def report(label: str, dataset: Callable[[], xr.Dataset], q: float, n: int) -> None:
    """Offer the report of a study at this q and n, which is written when the button is pressed."""
    st.download_button(
        "Report",
        lambda: _written(dataset(), q, n),
        f"{label}.html",
        "text/html",
        key="report",
        icon=":material/summarize:",
        on_click="ignore",
        help="One page with every figure, its numbers, definitions and settings, which opens without a network. "
        "Print this one: on the pages here, figures are as wide as the window and paper cuts them off.",
    )


def _written(dataset: xr.Dataset, q: float, n: int) -> bytes:
    from landscape.cli.report import html_report  # it brings a template engine and all of Plotly, which no page needs

    return html_report(dataset, q, n).encode()


def on_phone() -> bool:
    """Whether the page is shown on a telephone, as far as its browser says so."""
    return "Mobi" in (st.context.headers.get("User-Agent") or "")


@derived
def legible(figure: go.Figure) -> go.Figure:
    """The figure with its axis texts in the theme's text colour: Streamlit's own grey has a contrast of 3.7.

    So have the intervals on bars, which are grey themselves. The browser replaces this colour by that of the theme, so
    that a change of theme needs no rerun. Nothing happens when the figure is dragged, unless a tool of its mode bar
    says so: on a phone, a swipe over it moves the page. Only a relief has to be turned. It is a new figure, since one
    that is kept may be shown to others at the same time.
    """
    text = {"color": GRAY_90}
    relief = any(trace.type == "surface" for trace in figure.data)
    layout = {"font": text, "dragmode": "turntable" if relief else False}
    shown = laid_over(figure, layout, {"tickfont": text, "title": {"font": text}})
    for bars in shown.select_traces({"type": "bar"}):
        bars.error_y.color = GRAY_90
    return shown


def table(name: str, data: Callable[[], pd.DataFrame]) -> None:
    """Offer a table as CSV, which is made when the button is pressed. Screen readers hear its name."""
    st.download_button(
        f"CSV: {said(name)}",
        lambda: csv_file(labelled(data())),
        f"{filed(name)}.csv",
        "text/csv",
        key=f"csv-{name}",
        icon=":material/download:",
        on_click="ignore",
        type="tertiary",
        help="Download the numbers, with their units and what they were computed with.",
    )


def grid(
    data: pd.DataFrame, columns: Mapping[str, Any] | None = None, texts: Mapping[str, Sequence[str]] | None = None
) -> None:
    """Show a table with all of its rows, which scrolls sideways alone; a dash stands for what is not known.

    `texts` stand in place of the numbers of some columns, by which the table is still sorted.
    """
    if on_phone():  # where the tools of a table stand above it all the time, over what is there
        st.space("small")
    texts = texts or {}
    written, others = with_minus(data, fitted(data, columns or {}, texts), texts)
    st.dataframe(written, height="content", hide_index=True, column_config=others, placeholder="–")


def fitted(
    data: pd.DataFrame, columns: Mapping[str, Any], texts: Mapping[str, Sequence[str]] = MappingProxyType({})
) -> dict[str, Any]:
    """The columns of a table, wide enough for texts in rows by which the browser does not measure them.

    It measures the first rows, and cuts what is longer further down.
    """
    found = dict(columns)
    for name in data.columns.intersection([*data.select_dtypes(["object", "string"]), *texts], sort=False):
        lengths = pd.Series(texts.get(name, data[name])).astype(str).str.len()
        if lengths.iloc[ROWS_MEASURED:].max() > lengths.iloc[:ROWS_MEASURED].max():
            given, make = found.get(name), "NumberColumn" if name in texts else "TextColumn"
            config: Any = given if isinstance(given, Mapping) else getattr(st.column_config, make)(given)
            if config["type_config"]["type"] in ("text", "number") and config["width"] is None:
                found[name] = {**config, "width": PADDING + PIXELS * int(lengths.max())}
    return found


def with_minus(
    data: pd.DataFrame, columns: Mapping[str, Any], texts: Mapping[str, Sequence[str]] = MappingProxyType({})
) -> tuple[pd.DataFrame | Styler, Mapping[str, Any]]:
    """A table whose negative numbers have a minus and not a hyphen, and the columns that Streamlit still has to write.

    The numbers stay numbers, by which the table is sorted.
    """
    forms = {name: _form(columns.get(name)) for name in data.select_dtypes("number")}
    negative = [name for name, form in forms.items() if form.startswith("%") and (data[name] < 0).any()]
    if not negative and not texts:
        return data, columns
    bare = [name for name, form in forms.items() if not form]  # of which pandas would write six decimal places
    writers = {name: partial(_number, forms[name] or "%g") for name in (*negative, *bare)}
    styled = data.reset_index(drop=True).style.format(writers, na_rep="–")
    for name in data.columns.intersection([*texts]):
        for row, text in enumerate(texts[name]):
            styled.format(lambda _, text=text: text or "–", subset=([row], [name]))
    return styled, dict(columns) | {name: _without_form(columns[name]) for name in negative}


def _form(column: Any) -> str:
    """How a column writes its numbers; empty if that is not said."""
    return (column["type_config"].get("format") or "") if isinstance(column, Mapping) else ""


def _without_form(column: Mapping[str, Any]) -> dict[str, Any]:
    return {**column, "type_config": {**column["type_config"], "format": None}}


def _number(form: str, value: float) -> str:
    """A number as its column writes it; what rounds to 0 has no sign."""
    text = form % value
    return minus(text if float(text) else text.removeprefix("-"))


def filed(name: str) -> str:
    """The name of a file: that of the study and of the figure, without what file systems do not allow."""
    return re.sub(r"[^\w.-]+", "-", f"{st.session_state['study']}-{name}")


def said(name: str) -> str:
    """The name of a figure or table in words."""
    return name.replace("-", " ")


def definition(latex: str, source: str, words: str) -> None:
    """Show what a page shows as a formula, with its place in the paper."""
    with st.expander(f"Definition ({source})"):
        st.latex(latex)
        st.markdown(words)


def escaped(label: str) -> str:
    """A label as Markdown, in which the asterisk of `conv* × 2` stays an asterisk."""
    return label.replace("*", r"\*")


def bold(label: str) -> str:
    """A label as bold Markdown."""
    return f"**{escaped(label)}**"


def plain(text: str) -> str:
    """A text that somebody else wrote as Markdown in which nothing is marked up: no links, formulas, or directives.

    Characters that are not seen are written out. Addresses become links without any mark, so an invisible character,
    which joins words, parts them.
    """
    parted = re.sub(r"(:(?=//)|@|www(?=\.))", "\\1\u2060", visible(text), flags=re.IGNORECASE)
    return re.sub(r"([\\`*_{}\[\]()#+\-.!|<>~$:^=&])", r"\\\1", parted).replace("\n", "  \n")
