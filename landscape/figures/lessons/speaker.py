"""Figures for a projector."""

from __future__ import annotations

import plotly.graph_objects as go

TIMES = 1.4  # larger than on a desk


def enlarged(figure: go.Figure) -> go.Figure:
    """A copy of a figure with larger texts and more height."""
    figure = go.Figure(figure)
    layout, below = figure.layout, round(TIMES * figure.layout.margin.b)
    height = round(1.1 * layout.height) + below - layout.margin.b
    larger = {"size": round(TIMES * layout.font.size)}
    figure.update_layout(font=larger, legend_font=larger, height=height, margin_b=below)
    figure.update_annotations(font=larger)
    for update in (figure.update_xaxes, figure.update_yaxes):
        update(tickfont=larger, title_font=larger)
    for trace in (*figure.data, *(each for frame in figure.frames for each in frame.data)):
        if isinstance(trace, go.Scatter) and trace.mode == "markers+text":
            trace.textfont.size = round(TIMES * (trace.textfont.size or layout.font.size))
    for player in (*layout.updatemenus, *layout.sliders):
        player.pad.t = round(TIMES * player.pad.t)
    for said in (*layout.updatemenus, *(slider.currentvalue for slider in layout.sliders)):
        said.font = larger
    return figure
