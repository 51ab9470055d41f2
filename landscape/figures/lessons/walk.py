"""Algorithm 1 step by step: the barrier of each step, whether it is an edge, and m with its interval closing in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float

from landscape.analysis.intervals import binomial_interval
from landscape.analysis.metric import threshold
from landscape.figures.lessons.player import add_player
from landscape.figures.palette import ACCENT, BARRIERS, NEUTRAL, translucent
from landscape.figures.style import AXIS, LINE_WIDTH, finish

Barriers = Float[np.ndarray, " n"]
STEPS, SIZE, STYLES = {"xaxis": "x", "yaxis": "y"}, {"xaxis": "x", "yaxis": "y2"}, {"xaxis": "x3", "yaxis": "y3"}
FIRST = 12  # steps that are shown one by one; later ones come five at a time


def walk(barriers: Barriers, limit: float, *, whole: bool, sizes: Mapping[str, Barriers] | None = None) -> go.Figure:
    """A walk that grows: barriers above, the estimate of m below; and how high the barriers of other steps are.

    Args:
      barriers: b̂ of each step, in nats.
      limit: λ in nats.
      whole: whether the whole walk is shown at first, or its first step.
      sizes: the barriers of walks by the size of their steps, to be shown at the bottom.
    """
    n = len(barriers)
    shown = [*range(1, FIRST + 1), *range(FIRST + 3, n + 1, 5)]
    frames = [{"name": f"{i}", "data": _grown(barriers, limit, i), "traces": [0, 1, 2, 3]} for i in shown]
    start = len(frames) - 1 if whole else 0
    figure = go.Figure(data=_grown(barriers, limit, shown[start]))
    figure = _framed(figure, barriers, sizes is not None)
    figure.add_scatter(
        x=[0, n + 1], y=[limit] * 2, mode="lines", name=f"λ = {limit:.3g} nats", hoverinfo="skip", **STEPS,
        line={"color": NEUTRAL, "width": 2, "dash": "dash"},
    )  # fmt: skip
    if sizes is not None:
        _add_step_sizes(figure, sizes)
    return add_player(figure, frames, "steps: ", start)


def _grown(barriers: Barriers, limit: float, i: int) -> list[dict[str, Any]]:
    """The walk after i steps."""
    steps, edges = np.arange(1, i + 1), barriers[:i] <= limit
    m = np.cumsum(edges) / steps
    low, high = binomial_interval(np.cumsum(edges), steps)
    bars = [
        dict(
            type="bar", name=name, x=steps[kind], **STEPS,
            y=np.maximum(barriers[:i][kind], 0.004 * barriers.max()).round(4),
            marker={"color": colour, "line": {"color": edge, "width": 1}, "pattern": {"shape": shape}},
            hovertemplate=f"step %{{x:d}}: {name}<br>b̂ = %{{y:.3g}} nats<extra></extra>",
        )
        for kind, name, colour, edge, shape in (
            (edges, "b̂ ≤ λ: an edge", ACCENT, ACCENT, ""),
            (~edges, "b̂ > λ: no edge", translucent(BARRIERS[-1], 0.3), BARRIERS[-1], "/"),
        )
    ]  # fmt: skip
    band = dict(
        x=np.r_[steps, steps[::-1]], y=100 * np.r_[high, low[::-1]].round(4), fill="toself", mode="lines",
        name="95 % interval", line={"width": 0}, fillcolor=translucent(ACCENT, 0.4), hoverinfo="skip", **SIZE,
    )  # fmt: skip
    line = dict(
        x=steps, y=100 * m.round(4), mode="lines", name="m", line={"color": ACCENT, "width": LINE_WIDTH}, **SIZE,
        hovertemplate="after %{x:d} steps: m = %{y:.1f} %<extra></extra>",
    )  # fmt: skip
    return [*bars, band, line]


def _framed(figure: go.Figure, barriers: Barriers, three: bool) -> go.Figure:
    figure = finish(figure, "step i of the walk", "b̂ (nats)", height=560 if three else 500)
    upper, middle = ([0.69, 1], [0.4, 0.63]) if three else ([0.53, 1], [0, 0.45])
    return figure.update_layout(
        bargap=0.15, barmode="overlay",
        xaxis={"range": [0, len(barriers) + 1], "anchor": "y2", "title_standoff": 4},
        yaxis={"domain": upper, "range": [0, 1.05 * barriers.max()], "nticks": 4},
        yaxis2=AXIS | {"domain": middle, "range": [0, 100], "title": {"text": "m (%)"}, "nticks": 4},
    )  # fmt: skip


def _add_step_sizes(figure: go.Figure, sizes: Mapping[str, Barriers]) -> None:
    """The distributions of the barriers, one above the other, each with its own 40 % quantile."""
    for name, barriers in sizes.items():
        figure.add_violin(
            x=barriers.round(4), y=[name] * len(barriers), orientation="h", side="positive", width=1.5, points=False,
            spanmode="hard", line={"color": BARRIERS[1], "width": 1.5}, fillcolor=translucent(BARRIERS[1], 0.3),
            bandwidth=0.04, showlegend=False, hoverinfo="skip", **STYLES,
        )  # fmt: skip
    limits = [float(threshold(barriers, 0.4)) for barriers in sizes.values()]
    figure.add_scatter(
        x=limits, y=list(sizes), mode="markers", marker={"symbol": "diamond", "size": 11, "color": NEUTRAL},
        name="40 % of the barriers lie below", hovertemplate="%{x:.3g} nats<extra></extra>", **STYLES,
    )  # fmt: skip
    reach = max(float(np.quantile(barriers, 0.97)) for barriers in sizes.values())
    title = AXIS["title"] | {"text": "b̂ of each size of step (nats)", "standoff": 4}
    figure.update_layout(
        xaxis3=AXIS | {"anchor": "y3", "range": [0, reach], "title": title},
        yaxis3=AXIS | {"anchor": "x3", "domain": [0, 0.22], "showgrid": False},
    )
