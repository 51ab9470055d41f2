"""What is known before any candidate is trained: the manifold metric M₀ of each."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go
import xarray as xr

from landscape.analysis.performance import usual_measure
from landscape.analysis.wording import bounds, minus
from landscape.figures.overview import overview_data
from landscape.figures.palette import NEUTRAL, marks
from landscape.figures.style import TICK_SIZE, add_ceiling, candidate_order, empty_figure, finish

COLUMNS = ["candidate", "width", "parameters", "M0", "M0_low", "M0_high", "at_ceiling", "seeds"]


def initial_metrics_data(dataset: xr.Dataset, q: float, n: int) -> pd.DataFrame:
    """Width, parameters and M₀ with its 95 % interval, one row per candidate, as `overview_data` has them.

    Raises ValueError for q or n out of range.
    """
    return overview_data(dataset, q, n, usual_measure(dataset))[COLUMNS]


def initial_metrics(dataset: xr.Dataset, q: float, n: int) -> go.Figure:
    """M₀ of each candidate with its 95 % interval, the smallest candidate at the top; from `initial_metrics_data`.

    Lines are the base, which is at 0, and the ceiling 1 − q.
    """
    frame = initial_metrics_data(dataset, q, n).dropna(subset=["M0"])
    if frame.empty:
        return empty_figure("No candidate has been measured yet.")
    figure, looks = go.Figure(), marks(dataset)
    rows = {row["candidate"]: row for row in frame.to_dict("records")}
    for name in (each for each in candidate_order(dataset) if each in rows):
        row, look = rows[name], looks[name]
        bar = {"type": "data", "symmetric": False, "array": [row["M0_high"] - row["M0"]], "thickness": 2}
        figure.add_scatter(
            x=[row["M0"]], y=[name], mode="markers", name=name, showlegend=False,
            error_x=bar | {"arrayminus": [row["M0"] - row["M0_low"]], "color": look.colour},
            marker={"symbol": look.symbol, "size": 14, "color": look.colour},
            hovertemplate=f"{name}<br>M<sub>0</sub> {_with_bounds(row)}<extra></extra>",
        )  # fmt: skip
    add_ceiling(figure, q, "x")
    label = {"text": "base", "y": 1, "xanchor": "left", "yanchor": "bottom", "font": {"size": TICK_SIZE}}
    figure.add_vline(0, line={"color": NEUTRAL, "width": 1.5}, annotation=label)
    figure.update_yaxes(autorange="reversed", zeroline=False)
    return finish(figure, "manifold metric M<sub>0</sub> (%)", "")


def _with_bounds(row: Mapping[str, float]) -> str:
    return minus(f"{row['M0']:.2f} %{bounds(row['M0_low'], row['M0_high'], '.2f')}")
