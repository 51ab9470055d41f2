"""Figures for a projector."""

from __future__ import annotations

import plotly.graph_objects as go

from landscape.figures.style import legend_lines

TIMES = 1.25  # larger than on a desk
MOST_NAMES = 8  # along an axis
SEEN = (
    352  # pixels below the title of a page that a projector of 960×540 shows: enough for two plots, one below another
)
LINE = 1.5  # of a legend, as a multiple of its size of letters


def enlarged(figure: go.Figure) -> go.Figure:
    """A copy of a figure with larger texts, of which a projector shows the first two plots, and what plays them."""
    figure = go.Figure(figure)
    layout = figure.layout
    larger = {"size": round(TIMES * layout.font.size)}
    legend = 0 if layout.showlegend is False else round(LINE * larger["size"] * legend_lines(figure))
    rows = len({axis.domain for axis in figure.select_yaxes()})
    figure.update_layout(font=larger, legend_font=larger, height=round(SEEN * max(1, rows / 2)) + legend)
    figure.update_annotations(font=larger)
    for label in layout.annotations:
        label.text = label.text.split("<br>")[0]
    _leave_out_names(figure)
    for update in (figure.update_xaxes, figure.update_yaxes):
        update(tickfont=larger, title_font=larger)
    for trace in (*figure.data, *(each for frame in figure.frames for each in frame.data)):
        if isinstance(trace, go.Scatter) and trace.mode == "markers+text":
            trace.textfont.size = round(TIMES * (trace.textfont.size or layout.font.size))
    for said in (*layout.updatemenus, *(slider.currentvalue for slider in layout.sliders)):
        said.font = larger
    return figure


def _leave_out_names(figure: go.Figure) -> None:
    """Where an axis has more names than fit, show none of them; what stands below them moves up."""
    crowded = [a for a in (*figure.select_xaxes(), *figure.select_yaxes()) if len(a.ticktext or ()) > MOST_NAMES]
    for axis in crowded:
        axis.showticklabels = False
    if crowded:
        figure.update_annotations({"yshift": 0}, {"yanchor": "top"})
