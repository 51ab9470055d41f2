"""Copies of a unit are connected by construction, so that M₀ grows with the width."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float, Int

from landscape.figures.palette import ACCENT, BARRIERS
from landscape.figures.style import AXIS, FONT_SIZE, LINE_WIDTH, TICK_SIZE, add_ceiling, finish

LABELLED = 12  # units at most that have labels: those of more would overlap on a projector
BAR: dict[str, Any] = {"x": 1, "y": 0.5, "yanchor": "bottom", "len": 0.5, "thickness": 12, "nticks": 4}
BELOW = {  # the map and its labels, where a title of the axis would stand on the map when that is narrow
    "x": 0.5, "y": 0, "xref": "x2 domain", "yref": "y2 domain", "yanchor": "top", "yshift": -38, "showarrow": False,
}  # fmt: skip
ALONE = 0.16  # the lower end of the map where nothing is below it but its labels
SHOWN = 0.9  # of the barriers, on the colour scale; a few very high ones would make all others one colour


def widening(
    swaps: Float[np.ndarray, "units units"],
    parents: Int[np.ndarray, " units"],
    widths: Sequence[int],
    metric: Sequence[float],
    q: float,
    *,
    whole: bool,
) -> go.Figure:
    """The barrier of every swap of two units and, if `whole`, M₀ in percent by width below.

    Copies of one unit of the base, which `parents` names, stand next to each other in a frame.
    """
    order, units = np.argsort(parents, kind="stable"), len(parents)
    values = swaps[np.ix_(order, order)].round(5)
    names = [f"{parents[unit] + 1}{'′' * int(np.sum(parents[:unit] == parents[unit]))}" for unit in order]
    figure = go.Figure()
    figure.add_heatmap(
        z=values, zmin=0, zmax=float(np.quantile(values, SHOWN)), colorscale=_scale(), xaxis="x2", yaxis="y2",
        customdata=np.array(np.meshgrid(names, names)).transpose(1, 2, 0),
        colorbar=BAR | {"title": {"text": "b̂ (nats)", "side": "top"}},
        hovertemplate="swap %{customdata[0]} with %{customdata[1]}<br>b̂ = %{z:.3g} nats<extra></extra>",
    )  # fmt: skip
    _add_frames(figure, np.sort(parents))
    figure = finish(figure, "units of the candidate", "M₀ (%)", height=570)
    ticks = {"tickvals": list(range(units)), "ticktext": names} if units <= LABELLED else {"showticklabels": False}
    top = {"scaleanchor": "x2", "constraintoward": "top", "domain": [0.5 if whole else ALONE, 1]}
    side = {"range": [-0.5, units - 0.5], "showgrid": False, "zeroline": False, "constrain": "domain", **ticks}
    figure.update_layout(
        showlegend=False,
        xaxis2=AXIS | side | {"anchor": "y2"},
        yaxis2=AXIS | side | {"anchor": "x2", "title": {"text": "with unit"}} | top,
    )
    figure.update_yaxes(selector={"anchor": "x2"}, autorange="reversed")
    figure.add_annotation(BELOW | {"text": "unit that changes places", "font": {"size": FONT_SIZE}})
    _add_metric(figure, widths, metric, units, q, whole)
    return figure


def _scale() -> list[list]:
    """White for no barrier at all; the colours of barriers for all others."""
    return [[0, "#ffffff"], [0.02, BARRIERS[0]], *([0.02 + 0.245 * i, c] for i, c in enumerate(BARRIERS) if i)]


def _add_frames(figure: go.Figure, owners: Int[np.ndarray, " units"]) -> None:
    for owner in np.unique(owners):
        low, high = np.flatnonzero(owners == owner)[[0, -1]] + [-0.5, 0.5]
        line = {"color": "#20242b", "width": 2}
        figure.add_shape(type="rect", x0=low, x1=high, y0=low, y1=high, xref="x2", yref="y2", line=line)


def _add_metric(
    figure: go.Figure, widths: Sequence[int], metric: Sequence[float], units: int, q: float, whole: bool
) -> None:
    if whole:
        figure.add_scatter(
            x=widths, y=metric, mode="lines+markers", line={"color": ACCENT, "width": LINE_WIDTH},
            hovertemplate="%{x:d} units<br>M₀ = %{y:.1f} %<extra></extra>",
        )  # fmt: skip
        add_ceiling(figure, q, "y")
        here = metric[list(widths).index(units)]
        figure.add_scatter(
            x=[units], y=[here], mode="markers+text", text=f"{here:.0f} %", textposition="bottom right",
            marker={"size": 15, "color": ACCENT, "line": {"color": "white", "width": 2}}, hoverinfo="skip",
            textfont={"size": TICK_SIZE},
        )  # fmt: skip
    figure.update_layout(
        xaxis={"range": [min(widths) - 1, max(widths) + 2]},
        yaxis={"domain": [0, 0.24], "range": [-8, 118 * (1 - q)], "nticks": 5},
    )
