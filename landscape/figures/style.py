"""What all figures have in common: legend, fonts, axis titles, lines. What a theme decides is left to it."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import wrap
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go
import xarray as xr

from landscape.analysis.performance import Measure
from landscape.analysis.wording import counted, deviation, number
from landscape.figures.palette import NEUTRAL
from landscape.study.schema import study_of

FONT_SIZE = 15
HEIGHT = 440  # pixels
TICK_SIZE = 14  # tick labels and legends, which a page's theme would make too small for a projector
STANDOFF = 16  # pixels between tick labels and axis title; a page's theme moves the labels outwards by 8
LINE_WIDTH = 2.5
LISTED = 6  # lines of a legend below a figure of the usual height; for each more, the figure is higher
ENTRY = 20  # pixels of a line of a legend
LONGEST = 34  # characters of a line in a legend or a note, which half of a page or a telephone still shows
NOTE = 18  # pixels of a line of a note
MARKED = 10  # markers on a line with more points than this, which is drawn through them all

AXIS: dict[str, Any] = {
    "automargin": True,
    "exponentformat": "power",  # by default Plotly writes 5µ for 5e-6
    "minexponent": 4,  # and 2.71×10⁴ for 27,100
    "separatethousands": True,
    "tickfont": {"size": TICK_SIZE},
    "title": {"font": {"size": FONT_SIZE}},
}

GAIN_UNITS: dict[Measure, str] = {"accuracy": "percentage points", "negative log loss": "−log(loss)"}


def candidate_order(dataset: xr.Dataset) -> list[str]:
    """The candidates from the smallest to the largest, by their number of units."""
    study = study_of(dataset)
    units = [sum(sizes.values()) for sizes in study.group_sizes()[1:]]
    return [study.labels[i] for i in np.argsort(units, kind="stable")]


def swatch(colour: str) -> str:
    """A coloured square to put before a text, which keeps the theme's colour and so stays legible."""
    return f"<span style='color:{colour}'>■</span> "


def gain_title(measure: Measure, which: str = "G<sub>t</sub>") -> str:
    """The axis title of a performance gain, with its unit."""
    return f"gain {which} ({GAIN_UNITS[measure]})"


def add_ceiling(figure: go.Figure, q: float, axis: Literal["x", "y"]) -> None:
    """A line at the greatest possible M in percent, where every edge exists."""
    add, place = (figure.add_vline, {"y": 1}) if axis == "x" else (figure.add_hline, {})
    line = {"color": NEUTRAL, "width": 1, "dash": "dot"}
    label = {"text": "ceiling 1 − q", "xanchor": "right", "yanchor": "bottom", "font": {"size": TICK_SIZE}} | place
    add(100 * (1 - q), line=line, annotation=label)


def add_doubt(figure: go.Figure, reason: str) -> None:
    """Say on the finished figure why its rank correlations say little; nothing if there is no reason."""
    if reason:
        told = [line for each in f"Says little: {reason}.".split("<br>") for line in wrap(each, LONGEST)]
        figure.add_annotation(
            text="<br>".join(told), showarrow=False, xref="paper", x=0, xanchor="left", yref="paper", y=1,
            yanchor="bottom", align="left", font={"size": TICK_SIZE},
        )  # fmt: skip
        figure.layout.margin.t += NOTE * (len(told) - 1)


def summarised(row: Mapping[str, Any]) -> str:
    """The mean ± std and the number of seeds, for the hover text of a row with `mean`, `std` and `count`."""
    return f"{number(row['mean'])}{deviation(row['std'], '.2g')}<br>{counted(row['count'], 'seed')}"


def finish(figure: go.Figure, x: str, y: str, *, height: int = HEIGHT) -> go.Figure:
    """The figure with axis titles, fonts large enough for a projector, and a legend below that wraps when narrow.

    It is as high as it takes for the legend to leave room where each of its entries has a line of its own.
    """
    added = {
        "height": height + ENTRY * max(0, legend_lines(figure) - LISTED),
        "font": {"size": FONT_SIZE},
        "hoverlabel": {"font": {"size": FONT_SIZE}, "align": "left"},
        "margin": {"l": 10, "r": 10, "t": 52, "b": 10},  # above: the mode bar, and below that a line of text
        "legend": {
            "orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "xref": "paper", "x": 0,
            "xanchor": "left", "itemsizing": "constant", "tracegroupgap": 0, "font": {"size": TICK_SIZE},
            "maxheight": 1,  # by default it is cut off at half of the figure
        },
        "xaxis": {"title": {"text": x, "standoff": STANDOFF}},
        "yaxis": {"title": {"text": y, "standoff": STANDOFF}},
    }  # fmt: skip
    return laid_over(figure, added, AXIS)


def legend_lines(figure: go.Figure) -> int:
    """Break long names in the legend where `&` joins their parts; how many lines it has, one below the other."""
    named = [trace for trace in figure.data if trace.name and trace.showlegend is not False]
    for trace in named:
        if len(trace.name) > LONGEST:
            trace.name = trace.name.replace(" & ", " &<br>")
    listed = {trace.name for trace in named}
    return sum(1 + name.count("<br>") for name in listed) if len(figure.data) > 1 else 0


def laid_over(figure: go.Figure, layout: Mapping[str, Any], axis: Mapping[str, Any]) -> go.Figure:
    """A new figure with these settings laid over its layout, and those of an axis over each of its axes.

    They are not validated: that would take as long as all the rest of a small figure.
    """
    merged = _merged(figure.layout.to_plotly_json(), layout)
    axes = {name: _merged(each, axis) for name, each in merged.items() if name.startswith(("xaxis", "yaxis"))}
    laid = go.Figure(figure.data, merged | axes, _validate=False)
    laid._frame_objs = figure.frames  # the same ones: a new figure would check each again
    return laid


def _merged(content: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """The first content with the second one laid over it, table by table."""
    found = dict(content)
    for key, value in other.items():
        both = isinstance(value, Mapping) and isinstance(found.get(key), Mapping)
        found[key] = _merged(found[key], value) if both else value
    return found


def empty_figure(text: str) -> go.Figure:
    """A figure without data that says why in words, as high as one with data: what stands below stays in its place."""
    figure = go.Figure(layout={"height": HEIGHT, "xaxis": {"visible": False}, "yaxis": {"visible": False}})
    return figure.add_annotation(text=text, showarrow=False, font={"size": FONT_SIZE})
