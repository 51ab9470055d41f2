"""Two units of the tiny network change places: the network moves in parameter space, its outputs do not."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float

from landscape.analysis.wording import minus
from landscape.figures.lessons.player import add_player
from landscape.figures.lessons.surface import INK, add_map, map_of
from landscape.figures.palette import CLASSES, NEUTRAL
from landscape.figures.style import TICK_SIZE, finish
from landscape.lessons.network import Batch, Tiny, hidden, probability

MOMENTS = 12  # frames of a swap
DRAWN, MAP, SPACE = ({"xaxis": f"x{i}", "yaxis": f"y{i}"} for i in ("", 2, 3))
INPUTS, OUTPUTS = -1.0, 1.0  # heights; hidden units are at 0
MOVING = ("#cf3fa4", "#7759cf")  # the two units that change places
Trace = dict[str, Any]  # which Plotly checks when the figure takes it, and only then
EXAMPLE = np.array([1.2, 0.4])  # an input for which most units are active


def copies(network: Tiny, batch: Batch, first: int, second: int) -> go.Figure:
    """Units `first` and `second` change places: above the network, below what it computes and where it is.

    The units show their activations for one input, the marked point of the map.
    """
    figure = go.Figure()
    _add_still_edges(figure, network, {first, second})
    still = len(figure.data)
    figure.add_traces(list(_moving(network, first, second, 0)))
    figure.add_traces(_where(network, first, second, 0))
    moving = len(figure.data) - still
    add_map(figure, map_of(network), batch, MAP)
    _add_example(figure)
    _add_mirror(figure, network)
    names = [f"{100 * moment / MOMENTS:.0f} %" for moment in range(MOMENTS + 1)]
    frames = [
        {
            "name": name, "traces": list(range(still, still + moving)),
            "data": [*_moving(network, first, second, i / MOMENTS), *_where(network, first, second, i / MOMENTS)],
        }
        for i, name in enumerate(names)
    ]  # fmt: skip
    return add_player(_framed(figure), frames, "swapped: ")


def _places(units: int) -> Float[np.ndarray, " units"]:
    return np.linspace(-1, 1, units)


def _inputs() -> list[float]:
    return [-0.4, 0.4]


def _edges(network: Tiny, unit: int, x: float, y: float) -> Iterator[Trace]:
    """The weights of one unit: as wide as they are large, and dashed where they are negative."""
    weights = (*network.kernel[:, unit], *network.head[unit])
    ends = [*((x, INPUTS) for x in _inputs()), *((x, OUTPUTS) for x in _inputs())]
    for weight, end in zip(weights, ends, strict=True):
        line = {"width": 0.5 + 1.5 * min(abs(weight), 4), "dash": "solid" if weight > 0 else "dot", "color": NEUTRAL}
        yield dict(x=[x, end[0]], y=[y, end[1]], mode="lines", line=line, hoverinfo="skip", **DRAWN)


def _add_still_edges(figure: go.Figure, network: Tiny, moving: set[int]) -> None:
    for unit, place in enumerate(_places(network.units)):
        if unit not in moving:
            figure.add_traces(list(_edges(network, unit, place, 0)))


def _moving(network: Tiny, first: int, second: int, moment: float) -> Iterator[Trace]:
    """The two units on their way past each other, with their weights; then all nodes."""
    places, heights = _places(network.units), np.zeros(network.units)
    angle = math.pi * moment
    middle, half = (places[first] + places[second]) / 2, (places[first] - places[second]) / 2
    places[[first, second]] = middle + half * math.cos(angle), middle - half * math.cos(angle)
    heights[[first, second]] = 0.28 * math.sin(angle), -0.28 * math.sin(angle)
    for unit, colour in zip((first, second), MOVING, strict=True):
        for edge in _edges(network, unit, places[unit], heights[unit]):
            yield edge | {"line": edge["line"] | {"color": colour}}
    yield _nodes(network, places, heights, {first: MOVING[0], second: MOVING[1]})


def _nodes(network: Tiny, places: np.ndarray, heights: np.ndarray, colours: dict[int, str]) -> Trace:
    values = hidden(network, EXAMPLE[None])[0]
    chance = probability(network, EXAMPLE[None])[0]
    text = [minus(f"x{i}<br>{x:g}") for i, x in zip("₁₂", EXAMPLE, strict=True)]
    text += [*(minus(f"{value:z.1f}") for value in values), f"{1 - chance:.3f}", f"{chance:.3f}"]
    hover = ["input x₁", "input x₂", *(f"unit {unit + 1}" for unit in range(network.units))]
    fills = ["#4d525a"] * 2 + [colours.get(unit, "#4d525a") for unit in range(network.units)] + list(CLASSES)
    return dict(
        x=[*_inputs(), *places, *_inputs()], y=[INPUTS] * 2 + list(heights) + [OUTPUTS] * 2, mode="markers+text",
        cliponaxis=False, text=text, textfont={"size": 12, "color": ["white"] * (3 + network.units) + [INK]}, **DRAWN,
        hovertext=[*hover, "probability of class 0", "probability of class 1"], hoverinfo="text",
        marker={"size": [48] * 2 + [32] * network.units + [48] * 2, "color": fills, "opacity": 1,
                "line": {"color": "white", "width": 1}},
    )  # fmt: skip


def _where(network: Tiny, first: int, second: int, moment: float) -> list[Trace]:
    """The network in parameter space, seen along two of its weights. It jumps: a swap is not a path."""
    weights = network.kernel[0]
    before, after = (weights[first], weights[second]), (weights[second], weights[first])
    here, jumped = (after, True) if moment == 1 else (before, False)
    start = dict(
        x=[before[0]], y=[before[1]], mode="markers+text", text="θ", textposition="middle left",
        marker={"size": 16, "symbol": "circle-open", "color": MOVING[0], "line": {"width": 2}},
        hoverinfo="skip", cliponaxis=False, **SPACE,
    )  # fmt: skip
    point = dict(
        x=[here[0]], y=[here[1]], mode="markers+text", text="P(θ, π)" if jumped else "", textposition="bottom center",
        marker={"size": 14, "color": MOVING[0]}, cliponaxis=False, **SPACE,
        hovertemplate="(%{x:.2f}, %{y:.2f})<extra></extra>",
    )  # fmt: skip
    return [start, point]


def _add_example(figure: go.Figure) -> None:
    marker = {"symbol": "star", "size": 16, "color": "white", "line": {"color": INK, "width": 2}}
    figure.add_scatter(
        x=EXAMPLE[:1], y=EXAMPLE[1:], mode="markers", marker=marker, **MAP, hovertemplate="the input<extra></extra>"
    )


def _add_mirror(figure: go.Figure, network: Tiny) -> None:
    """The diagonal across which a swap reflects."""
    reach = 1.25 * float(np.abs(network.kernel[0]).max())
    line = {"color": NEUTRAL, "dash": "dot", "width": 1.5}
    figure.add_scatter(x=[-reach, reach], y=[-reach, reach], mode="lines", line=line, hoverinfo="skip", **SPACE)


def _framed(figure: go.Figure) -> go.Figure:
    figure = finish(figure, "", "", height=540)
    bare = {"visible": False, "fixedrange": True}
    figure.update_layout(
        showlegend=False,
        xaxis=bare | {"range": [-1.12, 1.12]},
        yaxis=bare | {"domain": [0.52, 1], "range": [-1.3, 1.3]},
        xaxis2={"anchor": "y2", "domain": [0, 0.46], "nticks": 5},
        yaxis2={"anchor": "x2", "domain": [0.02, 0.3], "nticks": 4},
        xaxis3={"anchor": "y3", "domain": [0.58, 1], "nticks": 5, "zeroline": False},
        yaxis3={"anchor": "x3", "domain": [0.02, 0.3], "nticks": 5, "zeroline": False},
        annotations=[
            _heading("What it computes:<br>x₁ across, x₂ up", 0, 0.3),
            _heading("Where it is:<br>two weights", 0.58, 0.3),
        ],
    )
    return figure


def _heading(text: str, x: float, y: float) -> dict:
    place = {"x": x, "y": y, "xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "bottom"}
    return place | {"text": text, "showarrow": False, "align": "left", "font": {"size": TICK_SIZE}, "yshift": 4}
