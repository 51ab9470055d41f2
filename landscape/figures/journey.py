"""A dot that travels along the line between two permuted copies while the loss curve grows (Definition 1).

The figure moves in the browser by itself: its frames are part of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import xarray as xr

from landscape.analysis.curves import chord, greatest_barrier
from landscape.figures.interpolation import interpolation_data, start_pairs
from landscape.figures.palette import ACCENT, NEUTRAL
from landscape.figures.style import LINE_WIDTH, empty_figure, finish
from landscape.store.derived import derived
from landscape.study.schema import BASE

PACE = 110  # milliseconds of one frame
SPLIT = "train"


def journey_data(dataset: xr.Dataset, seed: int = 0) -> pd.DataFrame:
    """Loss and chord in nats by α, from the base to that of its permuted copies behind the highest barrier.

    The columns are those of `interpolation_data`; there are no rows if the curves have not been computed.
    """
    frame = interpolation_data(dataset, seed, BASE, "start", start_pairs(dataset, dataset.sizes["node"] - 1), [SPLIT])
    if frame.empty:
        return frame
    heights = (frame["loss"] - frame["chord"]).groupby(frame["curve"]).max()
    return frame[frame["curve"] == heights.idxmax()].reset_index(drop=True)


@derived
def journey(dataset: xr.Dataset, seed: int = 0, height: int = 300) -> go.Figure:
    """The curve of `journey_data` with a button that plays it and a slider over α; it opens at the end."""
    frame = journey_data(dataset, seed)
    if frame.empty:
        return empty_figure("These curves have not been computed yet.")
    alphas, losses = frame["alpha"].to_numpy(), frame["loss"].to_numpy()
    figure = go.Figure(_fixed(alphas, losses), frames=[_frame(alphas, losses, i) for i in range(len(alphas))])
    figure.add_traces(figure.frames[-1].data)
    figure = finish(figure, "", "loss (nats)", height=height)
    ends = {"tickvals": [0, 0.5, 1], "ticktext": ["a network", "halfway", "its copy"]}
    figure.update_xaxes(ends, title=None, range=[-0.06, 1.06], fixedrange=True)
    room = 0.12 * float(np.ptp(losses))
    figure.update_yaxes(range=[losses.min() - room, losses.max() + 2.5 * room], fixedrange=True)
    figure.update_layout(showlegend=False, updatemenus=[_buttons()], margin={"t": 44})
    return figure


def _fixed(alphas: np.ndarray, losses: np.ndarray) -> list[go.Scatter]:
    """The chord, the two ends, and the barrier above the chord."""
    line = chord(losses, alphas)
    barrier, at = (float(each) for each in greatest_barrier(losses, alphas))
    i = int(np.flatnonzero(alphas == at)[0])
    dotted: dict[str, Any] = {"mode": "lines", "line": {"color": NEUTRAL, "width": 1.5, "dash": "dot"}}
    ends = go.Scatter(
        x=alphas[[0, -1]], y=losses[[0, -1]], mode="markers", marker={"color": NEUTRAL, "size": 13, "symbol": "square"},
        hovertemplate="the same function: loss %{y:.3g} nats<extra></extra>",
    )  # fmt: skip
    rise = go.Scatter(
        x=[at, at], y=[line[i], losses[i]], mode="lines+text", line={"color": NEUTRAL, "width": 1.5},
        text=["", f"barrier {barrier:.2g} nats"], textposition="top center", hoverinfo="skip",
    )  # fmt: skip
    return [go.Scatter(x=alphas, y=line, hoverinfo="skip", **dotted), rise, ends]


def _frame(alphas: np.ndarray, losses: np.ndarray, i: int) -> go.Frame:
    """The curve up to the i-th α, and the dot there."""
    grown = go.Scatter(
        x=alphas[: i + 1], y=losses[: i + 1], mode="lines", line={"color": ACCENT, "width": 1.5 * LINE_WIDTH},
        hovertemplate="α = %{x:.2f}: loss %{y:.3g} nats<extra></extra>",
    )  # fmt: skip
    dot = go.Scatter(
        x=[alphas[i]], y=[losses[i]], mode="markers", marker={"color": ACCENT, "size": 17}, hoverinfo="skip"
    )
    return go.Frame(data=[grown, dot], traces=[3, 4], name=f"{alphas[i]:.3f}")


def _buttons() -> dict[str, Any]:
    """A button that plays the frames from the first one on."""
    how = {"frame": {"duration": PACE, "redraw": False}, "transition": {"duration": 0}, "fromcurrent": False}
    play = {"label": "▶ Go from one to the other", "method": "animate", "args": [None, how]}
    return {
        "type": "buttons", "buttons": [play], "showactive": False,
        "x": 0, "xanchor": "left", "y": 1, "yanchor": "bottom", "pad": {"b": 8},
    }  # fmt: skip
