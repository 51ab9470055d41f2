"""How the rank correlation depends on the quantile q and the number of permutations n (Figure 6)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import xarray as xr
from plotly.colors import sample_colorscale

from landscape.analysis.intervals import spread
from landscape.analysis.metric import PAPER_PERMUTATIONS, PAPER_QUANTILES, metric_grid
from landscape.analysis.performance import Measure, best_gain
from landscape.analysis.ranking.correlation import LETTERS, Kind, sensitivity
from landscape.analysis.ranking.evidence import too_few
from landscape.analysis.ranking.unranked import why_unranked
from landscape.analysis.walks import steps_reached
from landscape.analysis.wording import minus
from landscape.figures import palette
from landscape.figures.export.tables import described, spread_units
from landscape.figures.style import FONT_SIZE, add_doubt, empty_figure, finish, summarised
from landscape.store.derived import derived

DIVERGING = "RdBu"  # red −1, white 0, blue 1
WRITTEN = 60  # grids with more cells than this have no numbers in them


def paper_grid(dataset: xr.Dataset) -> tuple[list[float], list[int]]:
    """The q and n of the paper's grid search, as far as they were computed, or else the largest n that was."""
    computed = steps_reached(dataset)
    return list(PAPER_QUANTILES), [n for n in PAPER_PERMUTATIONS if n <= computed] or [computed]


def fine_grid(dataset: xr.Dataset, quantiles: int = 39, sizes: int = 20) -> tuple[list[float], list[int]]:
    """Evenly spaced q in (0, 1), and n up to the number that was computed."""
    computed = steps_reached(dataset)
    qs = np.arange(1, quantiles + 1) / (quantiles + 1)
    return qs.round(4).tolist(), np.unique(np.ceil(np.linspace(0, computed, sizes + 1)[1:]).astype(int)).tolist()


@derived
def sensitivity_data(
    dataset: xr.Dataset, qs: Sequence[float], ns: Sequence[int], measure: Measure, kind: Kind = "kendall"
) -> pd.DataFrame:
    """Correlation of M₀ with G*_T over candidates: mean, std and count over seeds, one row per q and n."""
    frame = spread(sensitivity(dataset, qs, ns, measure, kind)).to_dataframe(["q", "n"]).reset_index()
    return described(frame, spread_units("1"), dataset, measure=measure, kind=kind)


@derived
def sensitivity_map(
    dataset: xr.Dataset,
    qs: Sequence[float],
    ns: Sequence[int],
    measure: Measure,
    kind: Kind = "kendall",
    current: tuple[float, int] | None = None,
) -> go.Figure:
    """The mean correlation over seeds as a heat map of q and n, from −1 to 1; drawn from `sensitivity_data`.

    A square frames the `current` (q, n). Each cell has a transparent marker with its (q, n) as customdata, since heat
    maps do not report clicks.
    """
    frame = sensitivity_data(dataset, qs, ns, measure, kind)
    if frame["mean"].isna().all():
        return empty_figure(why_unranked(metric_grid(dataset, qs, ns), best_gain(dataset, measure)))
    cells = frame.pivot(index="q", columns="n", values="mean")
    figure = go.Figure()
    _add_cells(figure, cells, kind)
    if cells.size <= WRITTEN:
        _add_numbers(figure, cells)
    _add_handles(figure, frame, kind)
    if current is not None:
        _add_current(figure, cells, current)
    figure = finish(figure, "number of permutations n (1)", "quantile q (1)", height=460)
    add_doubt(figure, too_few(dataset, measure))
    return _with_ticks(figure, cells)


def _add_cells(figure: go.Figure, cells: pd.DataFrame, kind: Kind) -> None:
    """Cells of equal size, at places 0, 1, …, since neither grid is evenly spaced."""
    written = cells.size <= WRITTEN
    figure.add_heatmap(
        z=cells.values, zmin=-1, zmax=1, colorscale=DIVERGING, hoverinfo="skip", xgap=int(written), ygap=int(written),
        colorbar={"title": {"text": f"{LETTERS[kind]} (1)", "side": "top"}, "thickness": 14},
    )  # fmt: skip


def _add_numbers(figure: go.Figure, cells: pd.DataFrame) -> None:
    """The numbers in the cells, with the minus sign that axes have, in black or white.

    The heat map itself would write them in a grey that is faint on its middle colours.
    """
    rows, columns = np.nonzero(cells.notna().values)
    values = cells.values[rows, columns]
    inks = palette.inks(sample_colorscale(DIVERGING, ((values + 1) / 2).tolist()))
    figure.add_scatter(
        x=columns, y=rows, mode="text", text=[minus(f"{value:.2f}") for value in values], hoverinfo="skip",
        textfont={"size": FONT_SIZE, "color": inks}, showlegend=False,
    )  # fmt: skip


def _add_handles(figure: go.Figure, frame: pd.DataFrame, kind: Kind) -> None:
    columns = {name: np.searchsorted(np.unique(frame[name]), frame[name]) for name in ("q", "n")}
    at = frame[["q", "n"]].values.tolist()  # a list, since a row of an array would arrive as a mapping
    texts = [_hover_text(row, kind) for row in frame.to_dict("records")]
    figure.add_scatter(
        x=columns["n"], y=columns["q"], mode="markers", showlegend=False, customdata=at,
        marker={"size": 18, "symbol": "square", "color": "rgba(0, 0, 0, 0)"}, text=texts,
        hovertemplate="q = %{customdata[0]:.4~g}, n = %{customdata[1]:d}<br>%{text}<extra></extra>",
    )  # fmt: skip


def _hover_text(row: dict, kind: Kind) -> str:
    return f"{LETTERS[kind]} = {summarised(row)}" if row["count"] else "no rank correlation"


def _add_current(figure: go.Figure, cells: pd.DataFrame, current: tuple[float, int]) -> None:
    """A frame the size of a cell at the current q and n; it may lie between cells, and stops at the outermost ones."""
    q, n = current
    x = np.interp(n, cells.columns, np.arange(len(cells.columns)))
    y = np.interp(q, cells.index, np.arange(len(cells.index)))
    for colour, width in (("black", 7), ("white", 3)):  # on any colour, one of them stands out
        corners = {"x0": x - 0.5, "x1": x + 0.5, "y0": y - 0.5, "y1": y + 0.5}
        figure.add_shape(type="rect", line={"color": colour, "width": width}, **corners)
    marker = {"symbol": "square-open", "color": palette.NEUTRAL, "size": 14, "line": {"width": 3}}
    figure.add_scatter(x=[None], y=[None], mode="markers", name=f"q = {q:g}, n = {n}", marker=marker, showlegend=True)


def _with_ticks(figure: go.Figure, cells: pd.DataFrame) -> go.Figure:
    """Labels for the places of the cells, and a margin that shows the frame of an outer cell in full."""
    for update, values in ((figure.update_xaxes, cells.columns), (figure.update_yaxes, cells.index)):
        places = np.arange(len(values))
        rim = 0.015 * len(values)
        shown = places if len(values) <= 8 else places[:: len(values) // 5]
        update(tickvals=shown, ticktext=[f"{values[i]:g}" for i in shown], range=[-0.5 - rim, len(values) - 0.5 + rim])
    figure.update_xaxes(showgrid=False, zeroline=False)
    figure.update_yaxes(showgrid=False, zeroline=False)
    return figure
