"""The line between two networks: what the network at α computes, and its loss, for every α in turn."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float

from landscape.analysis.curves import chord, greatest_barrier, midpoint_barrier
from landscape.analysis.wording import number
from landscape.figures.lessons.player import Frame, add_player
from landscape.figures.lessons.surface import add_map, map_of, map_trace
from landscape.figures.palette import BARRIERS, NEUTRAL
from landscape.figures.style import LINE_WIDTH, finish
from landscape.lessons.barriers import losses_along
from landscape.lessons.network import Batch, Tiny, mixed

ALPHAS = np.linspace(0, 1, 41)
UPPER, LOWER = {"xaxis": "x2", "yaxis": "y2"}, {"xaxis": "x", "yaxis": "y"}
Curve = Float[np.ndarray, " alpha"]


def line(first: Tiny, second: Tiny, batch: Batch, *, whole: bool, other: Curve | None = None) -> go.Figure:
    """The network at α above, its loss below; a dot travels from the first network to the second.

    Args:
      first, second: the networks at α = 0 and 1.
      batch: the points on which the loss is measured.
      whole: whether the curve and its barriers are shown from the start, or only drawn up to the dot.
      other: the losses of the line before the second network was aligned, drawn for comparison.
    """
    losses, maps = losses_along(first, second, ALPHAS, batch), map_of(mixed(first, second, ALPHAS[::2]))
    figure = go.Figure()
    add_map(figure, maps[0], batch, UPPER)
    _add_dot(figure, losses, 0)
    figure.add_scatter(
        x=ALPHAS if whole else ALPHAS[:1], y=losses if whole else losses[:1], mode="lines", **LOWER,
        name="loss" if other is None else "loss, aligned",
        line={"color": BARRIERS[2], "width": LINE_WIDTH}, hovertemplate="α = %{x:.2f}<br>%{y:.3g} nats<extra></extra>",
    )  # fmt: skip
    figure.add_scatter(
        x=ALPHAS, y=chord(losses, ALPHAS), mode="lines", name="chord", line={"color": NEUTRAL, "dash": "dot"},
        hoverinfo="skip", **LOWER,
    )  # fmt: skip
    if other is not None:
        dash = {"color": NEUTRAL, "width": LINE_WIDTH, "dash": "dash"}
        figure.add_scatter(x=ALPHAS, y=other, mode="lines", name="loss, as trained", line=dash, **LOWER)
    if whole:
        _add_barriers(figure, losses)
    highest = max(losses.max(), 0 if other is None else other.max())
    return add_player(_framed(figure, highest), _frames(maps, losses, whole), "α = ")


def _add_dot(figure: go.Figure, losses: Curve, at: int) -> None:
    figure.add_scatter(
        x=ALPHAS[at : at + 1], y=losses[at : at + 1], mode="markers", name="the network at α", showlegend=False,
        marker={"color": BARRIERS[2], "size": 16, "line": {"color": "white", "width": 2}}, **LOWER,
        hovertemplate="α = %{x:.2f}<br>loss %{y:.3g} nats<extra></extra>",
    )  # fmt: skip


def _add_barriers(figure: go.Figure, losses: Curve) -> None:
    """The barrier b where it is highest, and b̂ at α = ½, as segments from the chord up to the curve."""
    height, at = greatest_barrier(losses, ALPHAS)
    middle = midpoint_barrier(losses, ALPHAS)
    straight = chord(losses, ALPHAS)
    for name, alpha, value, symbol in (("b", at, height, "triangle-up"), ("b̂", 0.5, middle, "diamond")):
        place = int(np.flatnonzero(np.isclose(ALPHAS, alpha))[0])
        figure.add_scatter(
            x=[alpha] * 2, y=[straight[place], losses[place]], mode="lines+markers", **LOWER,
            name=f"{name} = {number(float(value))} nats", line={"width": 2, "dash": "solid" if name == "b" else "dash"},
            marker={"size": 11, "symbol": ["line-ew-open", symbol], "opacity": 1, "color": BARRIERS[-1]},
            line_color=BARRIERS[-1], hovertemplate=f"{name} = {number(float(value))} nats<extra></extra>",
        )  # fmt: skip


def _frames(maps: Float[np.ndarray, "a y x"], losses: Curve, whole: bool) -> list[Frame]:
    """One frame for every second α, since the map changes slowly."""
    frames = []
    for i, values in enumerate(maps):
        at = 2 * i
        dot = go.Scatter(x=ALPHAS[at : at + 1], y=losses[at : at + 1])
        drawn = [] if whole else [go.Scatter(x=ALPHAS[: at + 1], y=losses[: at + 1])]
        data = [map_trace(values, UPPER), dot, *drawn]
        frames.append({"name": f"{ALPHAS[at]:.2f}", "data": data, "traces": [0, 3, 4][: len(data)]})
    return frames


def _framed(figure: go.Figure, highest: float) -> go.Figure:
    figure = finish(figure, "α (0: first, 1: second)", "loss (nats)", height=540)
    figure.update_layout(
        yaxis={"domain": [0, 0.3], "nticks": 4, "range": [0, 1.12 * highest]},
        xaxis={"range": [-0.03, 1.03]},
        xaxis2={"anchor": "y2", "title": {"text": "x₁ (1)", "standoff": 2}, "nticks": 6, "automargin": True},
        yaxis2={"anchor": "x2", "domain": [0.62, 1], "title": "x₂ (1)", "nticks": 4, "automargin": True},
    )
    return figure
