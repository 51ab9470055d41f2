"""Gain and manifold metric of a study as its candidates train, epoch by epoch."""

from __future__ import annotations

from typing import Any

import pandas as pd
import plotly.graph_objects as go
import xarray as xr

from landscape.analysis.performance import Measure
from landscape.figures.lessons.player import add_player
from landscape.figures.palette import marks
from landscape.figures.style import AXIS, LINE_WIDTH, add_ceiling, finish, gain_title
from landscape.figures.trajectories import gain_trajectories_data, metric_trajectories_data
from landscape.store.derived import derived

FRAMES = 20  # about so many


@derived
def training(dataset: xr.Dataset, q: float, n: int, measure: Measure, *, whole: bool) -> go.Figure:
    """G_t above and M_t in percent below, means over seeds; they unfold from epoch 0.

    Args:
      dataset: a result.
      q: the quantile of λ.
      n: the number of permutations.
      measure: of the performance.
      whole: whether all epochs are shown at first, or only epoch 0.
    """
    tables = [
        gain_trajectories_data(dataset, measure).rename(columns={"epoch": "t"}),
        metric_trajectories_data(dataset, q, n).rename(columns={"checkpoint": "t"}),
    ]
    last = int(tables[0]["t"].max())
    moments = sorted({*range(0, last + 1, max(1, last // FRAMES)), last})
    frames = [{"name": f"{t}", "data": _until(tables, dataset, t)} for t in moments]
    start = len(frames) - 1 if whole else 0
    figure = go.Figure(data=_until(tables, dataset, moments[start]))
    title = gain_title(measure).replace("percentage points", "points")  # beside half as high an axis as elsewhere
    figure = finish(figure, "epochs t after the expansion", title, height=560)
    figure.update_layout(
        xaxis={"range": [-0.02 * last, 1.02 * last], "anchor": "y2", "title_standoff": 4},
        yaxis={"domain": [0.55, 1], "range": _range(tables[0])},
        yaxis2=AXIS | {"domain": [0, 0.47], "range": _range(tables[1], 110 * (1 - q))},
    )  # fmt: skip
    figure.layout.yaxis2.title.text = "M<sub>t</sub> (%)"
    add_ceiling(figure, q, "y")
    figure.layout.shapes[-1].yref = figure.layout.annotations[-1].yref = "y2"
    return add_player(figure, frames, "epoch ", start)


def _until(tables: list[pd.DataFrame], dataset: xr.Dataset, t: int) -> list[dict[str, Any]]:
    """The lines of every candidate and of the control up to epoch t."""
    looks = marks(dataset)
    return [
        dict(
            x=rows["t"], y=rows["mean"].round(3), mode="lines+markers", name=name, legendgroup=name,
            showlegend=axis == "y", yaxis=axis,
            line={"color": looks[name].colour, "width": LINE_WIDTH, "dash": looks[name].dash},
            marker={"symbol": looks[name].symbol, "size": 8, "maxdisplayed": 8},
            hovertemplate=f"{name}<br>epoch %{{x:d}}: %{{y:.2f}}<extra></extra>",
        )
        for axis, table in zip(("y", "y2"), tables, strict=True)
        for name, rows in table[table["t"] <= t].groupby("candidate", sort=False)
    ]  # fmt: skip


def _range(table: pd.DataFrame, least_top: float = 0.0) -> list[float]:
    low, high = table["mean"].min(), max(table["mean"].max(), least_top)
    room = 0.08 * (high - low)
    return [low - room, high + room]
