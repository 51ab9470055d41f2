"""λ in the histogram of the base, and what lies below it in that of a candidate."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float

from landscape.analysis.wording import number
from landscape.figures.palette import ACCENT, NEUTRAL, translucent
from landscape.figures.style import AXIS, TICK_SIZE, finish

BINS = 48
SHOWN = 0.98  # of the barriers; a few very high ones would press the others into the first bins


def threshold_histograms(
    base: Float[np.ndarray, " n"], candidate: Float[np.ndarray, " n"], limit: float, *, whole: bool
) -> go.Figure:
    """The barriers of the base and, if `whole`, of the candidate below; those that are at most λ are filled."""
    reach = float(np.quantile(np.concatenate([base, candidate]), SHOWN))
    figure, edges = go.Figure(), np.linspace(0, reach, BINS + 1)
    walks = [("base φ*", base, "y2")] + ([("candidate θ", candidate, "y")] if whole else [])
    for name, barriers, axis in walks:
        _add_histogram(figure, barriers, edges, limit, axis)
        m = float((barriers <= limit).mean())
        _add_caption(figure, f"<b>{name}</b>: m = {100 * m:.0f} % of {len(barriers)}", axis)
    line = {"color": NEUTRAL, "width": 2, "dash": "dash"}
    for *_, axis in walks:
        figure.add_shape(type="line", x0=limit, x1=limit, y0=0, y1=1, yref=f"{axis} domain", line=line)
    label = {"text": f"λ = {number(limit)} nats", "showarrow": False, "font": {"size": TICK_SIZE}, "xanchor": "left"}
    figure.add_annotation(label | {"x": limit, "y": 1, "xref": "x", "yref": "y2 domain", "xshift": 6, "yanchor": "top"})
    figure = finish(figure, "midpoint barrier b̂ (nats)", "steps", height=500)
    upper = AXIS | {"domain": [0.53 if whole else 0, 0.94], "title": {"text": "steps"}}
    return figure.update_layout(
        showlegend=False, bargap=0, barmode="stack",
        xaxis={"range": [0, reach], "anchor": "y" if whole else "y2"},
        yaxis={"domain": [0, 0.41], "rangemode": "tozero", "nticks": 4, "visible": whole},
        yaxis2=upper | {"rangemode": "tozero", "nticks": 4},
    )  # fmt: skip


def _add_histogram(figure: go.Figure, barriers: np.ndarray, edges: np.ndarray, limit: float, axis: str) -> None:
    centres, width = (edges[:-1] + edges[1:]) / 2, edges[1] - edges[0]
    for kind, name, colour in (
        (barriers <= limit, "at most λ", ACCENT), (barriers > limit, "above λ", translucent(NEUTRAL, 0.25))
    ):  # fmt: skip
        figure.add_bar(
            x=centres, y=np.histogram(barriers[kind], edges)[0], width=width, name=name, xaxis="x", yaxis=axis,
            marker={"color": colour, "line": {"color": ACCENT, "width": 0.5}},
            hovertemplate=f"%{{y:d}} steps with b̂ near %{{x:.2g}} nats, {name}<extra></extra>",
        )  # fmt: skip


def _add_caption(figure: go.Figure, text: str, axis: str) -> None:
    place = {"x": 0, "xref": "paper", "xanchor": "left", "y": 1, "yref": f"{axis} domain", "yanchor": "bottom"}
    figure.add_annotation(place | {"text": text, "showarrow": False, "font": {"size": TICK_SIZE}, "align": "left"})
