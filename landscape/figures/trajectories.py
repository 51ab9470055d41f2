"""How the gain, the metric and their rank correlation develop as the candidates train (Figure 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import xarray as xr

from landscape.analysis.control import beside_control
from landscape.analysis.intervals import spread
from landscape.analysis.metric import manifold_metric, own_metric
from landscape.analysis.performance import Measure, base_perplexity, best_epoch, best_gain, gain, perplexity
from landscape.analysis.ranking.correlation import LETTERS, Kind, trajectory_correlation
from landscape.analysis.ranking.evidence import too_few
from landscape.analysis.ranking.unranked import why_unranked
from landscape.analysis.wording import deviation, number
from landscape.figures.export.tables import described, spread_units
from landscape.figures.palette import NEUTRAL, Mark, marks, quantile_marks, translucent
from landscape.figures.style import (
    GAIN_UNITS,
    LINE_WIDTH,
    MARKED,
    add_ceiling,
    add_doubt,
    candidate_order,
    empty_figure,
    finish,
    gain_title,
    summarised,
)
from landscape.store.derived import derived
from landscape.study.schema import BASE, CONTROL

LOSSES = Mark(NEUTRAL, "star-triangle-down", "dash")  # −SoTL-E, which has no q
TICKS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)  # epochs, on the log(1 + t) axis


@derived
def gain_trajectories_data(dataset: xr.Dataset, measure: Measure) -> pd.DataFrame:
    """G_t: mean, std and count over seeds, one row per candidate and epoch; the control is the last of the candidates.

    `best_gain` and `best_gain_std` are the mean and std of G*_T, the greatest gain of each seed, and `best_epoch` is
    the mean of the epochs at which the seeds have it.
    """
    frame = table_over_seeds(beside_control(lambda each: gain(each, measure), dataset), "candidate", "epoch")
    best = spread(beside_control(lambda each: best_gain(each, measure), dataset))
    epochs = spread(beside_control(lambda each: best_epoch(each, measure), dataset))
    columns = {"best_gain": best["mean"], "best_gain_std": best["std"], "best_epoch": epochs["mean"]}
    frame = frame.assign(**{name: frame["candidate"].map(values.to_series()) for name, values in columns.items()})
    units = spread_units(unit := GAIN_UNITS[measure]) | {"best_gain": unit, "best_gain_std": unit}
    return described(frame, units | {"best_epoch": "epochs"}, dataset, measure=measure)


@derived
def gain_trajectories(dataset: xr.Dataset, measure: Measure, log: bool = False) -> go.Figure:
    """G_t of each candidate, mean ± std over seeds, with a star at G*_T, the mean of the seeds' greatest gains."""
    frame = gain_trajectories_data(dataset, measure)
    figure = candidate_lines(frame, dataset, "epoch", log)
    looks = marks(dataset)
    for row in frame.dropna(subset="best_gain").drop_duplicates("candidate").itertuples():
        figure.add_scatter(
            x=_on_axis([row.best_epoch], log), y=[row.best_gain], mode="markers",
            legendgroup=row.candidate, showlegend=False,
            marker={"symbol": "star", "size": 17, "color": looks[row.candidate].colour,
                    "line": {"color": "white", "width": 1}},
            hovertemplate=f"{row.candidate}<br>G* {number(row.best_gain)}"
            f"{deviation(row.best_gain_std, '.2g')}<br>reached at epoch {row.best_epoch:.0f} on average<extra></extra>",
        )  # fmt: skip
    return over_training(figure, frame, "epoch", gain_title(measure), log)


@derived
def metric_trajectories_data(dataset: xr.Dataset, q: float, n: int, reference: int | None = None) -> pd.DataFrame:
    """M_t in percent: mean, std and count over seeds, one row per candidate and checkpoint; the control is the last.

    With a `reference` checkpoint, M_t is relative to the candidate itself at that checkpoint (`own_metric`).
    """

    def metric(each: xr.Dataset) -> xr.DataArray:
        return manifold_metric(each, q, n) if reference is None else own_metric(each, q, n, reference)

    frame = table_over_seeds(beside_control(metric, dataset), "candidate", "checkpoint")
    relative = "the base" if reference is None else f"itself at epoch {reference}"
    return described(frame, spread_units("%"), dataset, q=q, n=n, relative_to=relative)


@derived
def metric_trajectories(
    dataset: xr.Dataset, q: float, n: int, log: bool = False, reference: int | None = None
) -> go.Figure:
    """M_t of each candidate, mean ± std over seeds; relative to the base, with the ceiling 1 − q."""
    frame = metric_trajectories_data(dataset, q, n, reference)
    figure = candidate_lines(frame, dataset, "checkpoint", log)
    if reference is None:
        add_ceiling(figure, q, "y")
    relative = "" if reference is None else f" relative to epoch {reference}"
    return over_training(figure, frame, "checkpoint", f"manifold metric M<sub>t</sub>{relative} (%)", log)


def perplexity_trajectories_data(dataset: xr.Dataset) -> pd.DataFrame:
    """Validation perplexity of language models: mean, std and count over seeds, one row per candidate and epoch.

    The control is the last of the candidates.
    The base has one row, at epoch 0, where all candidates start.
    """
    base = spread(base_perplexity(dataset))
    row = {"candidate": BASE, "epoch": 0} | {name: base[name].item() for name in ("mean", "std", "count")}
    first = pd.DataFrame([row]).dropna(subset="mean")
    frame = pd.concat(
        [first, table_over_seeds(beside_control(perplexity, dataset), "candidate", "epoch")], ignore_index=True
    )
    return described(frame, spread_units("1"), dataset)


@derived
def perplexity_trajectories(dataset: xr.Dataset, log: bool = False) -> go.Figure:
    """Validation perplexity of each candidate, mean ± std over seeds, and that of the base as a line."""
    frame = perplexity_trajectories_data(dataset)
    figure = candidate_lines(frame, dataset, "epoch", log)
    for row in frame[frame["candidate"] == BASE].itertuples():
        label = {"text": f"base {number(row.mean, 4)}", "xanchor": "right"}
        figure.add_hline(row.mean, line={"color": NEUTRAL, "width": 1, "dash": "dot"}, annotation=label)
    return over_training(figure, frame, "epoch", "validation perplexity (1)", log)


@derived
def correlation_trajectories_data(
    dataset: xr.Dataset, q: float, n: int, measure: Measure, kind: Kind = "kendall", further: Sequence[float] = ()
) -> pd.DataFrame:
    """Correlation with G*_T over candidates: mean, std and count over seeds, one row per predictor, q and epoch.

    The predictors are M_t, at the checkpoints, for q and `further` quantiles, and −SoTL-E, which does not depend on q,
    at every epoch. It is negated because a small loss predicts a large gain.
    """
    qs = sorted({q, *further})
    found = [trajectory_correlation(dataset, each, n, measure, kind) for each in qs]
    of_metric = [each["metric"].rename(checkpoint="epoch") for each in found]
    tables = [
        table_over_seeds(each, "epoch").assign(predictor="M_t", q=q) for q, each in zip(qs, of_metric, strict=True)
    ]
    frame = pd.concat(
        [*tables, table_over_seeds(found[0]["sotl_e"], "epoch").assign(predictor="−SoTL-E")], ignore_index=True
    )
    return described(frame, spread_units("1"), dataset, n=n, measure=measure, kind=kind)


@derived
def correlation_trajectories(
    dataset: xr.Dataset,
    q: float,
    n: int,
    measure: Measure,
    kind: Kind = "kendall",
    log: bool = False,
    further: Sequence[float] = (),
) -> go.Figure:
    """Correlation of M_t and of −SoTL-E with the best gain, mean over seeds.

    M_t at q and −SoTL-E have a band of one std; `further` quantiles have thin lines without one.
    """
    frame = correlation_trajectories_data(dataset, q, n, measure, kind, further)
    figure, qs = go.Figure(), sorted({q, *further})
    if frame.empty:
        return empty_figure(why_unranked(manifold_metric(dataset, q, n), best_gain(dataset, measure), "M<sub>t</sub>"))
    for each, look in zip(qs, quantile_marks(len(qs)), strict=True):
        name, points = f"M<sub>t</sub>, q = {each:g}", frame[frame["q"] == each]
        figure.add_traces(_line(points, "epoch", Line(name, look, thin=each != q), log))
    of_loss = frame[frame["predictor"] == "−SoTL-E"]
    figure.add_traces(_line(of_loss, "epoch", Line("−SoTL-E", LOSSES), log))
    figure.update_yaxes(range=[-1.05, 1.05])
    figure = over_training(figure, frame, "epoch", f"correlation {LETTERS[kind]} with G* (1)", log)
    add_doubt(figure, too_few(dataset, measure))
    return figure


def table_over_seeds(values: xr.DataArray, *dims: str) -> pd.DataFrame:
    """Mean, std, least, greatest and count over seeds, in long form and without entries that no seed has."""
    return spread(values).to_dataframe(list(dims)).reset_index().dropna(subset="mean", ignore_index=True)


def candidate_lines(frame: pd.DataFrame, dataset: xr.Dataset, x: str, log: bool) -> go.Figure:
    """A line for each candidate and the control: the mean over seeds, with a band of one standard deviation."""
    figure, looks = go.Figure(), marks(dataset)
    names = [*candidate_order(dataset), CONTROL]
    lines = [_line(frame[frame["candidate"] == name], x, Line(name, looks[name]), log) for name in names]
    return figure.add_traces([trace for line in lines for trace in line])


class Line(NamedTuple):
    """How a line looks and what the legend calls it; a thin one has no band."""

    name: str
    look: Mark
    thin: bool = False


def _line(points: pd.DataFrame, x: str, line: Line, log: bool) -> list[dict[str, Any]]:
    """The mean as a line, with its std as a band unless the line is thin. Plotly checks traces when it takes them."""
    if points.empty:
        return []
    look = line.look
    drawn = dict(
        x=_on_axis(points[x], log), y=points["mean"], name=line.name, legendgroup=line.name,
        mode="lines+markers",
        line={"color": look.colour, "width": LINE_WIDTH / 2 if line.thin else LINE_WIDTH, "dash": look.dash},
        marker={"symbol": look.symbol, "size": 7 if line.thin else 9, "maxdisplayed": MARKED},
        text=[f"epoch {row[x]:g}<br>{summarised(row)}" for row in points.to_dict("records")],
        hovertemplate=f"{line.name}<br>%{{text}}<extra></extra>",
    )  # fmt: skip
    return [drawn] if line.thin else [_band(points.dropna(subset="std"), x, line, log), drawn]


def _band(points: pd.DataFrame, x: str, line: Line, log: bool) -> dict[str, Any]:
    """One std on either side of the mean, but no further than a seed reaches: beyond 1 there is no correlation."""
    above = np.minimum(points["mean"] + points["std"], points["greatest"])
    below = np.maximum(points["mean"] - points["std"], points["least"])
    around = np.r_[above, below[::-1]]
    return dict(
        x=_on_axis(np.r_[points[x], points[x][::-1]], log), y=around, mode="lines", line={"width": 0}, fill="toself",
        fillcolor=translucent(line.look.colour, 0.16), legendgroup=line.name, showlegend=False, hoverinfo="skip",
    )  # fmt: skip


def _on_axis(epochs: np.ndarray | list | pd.Series, log: bool) -> np.ndarray:
    """Where epochs are on the axis: at t, or at log(1 + t), which has a place for epoch 0."""
    values = np.asarray(epochs, np.float64)
    return np.log10(1 + values) if log else values


def over_training(figure: go.Figure, frame: pd.DataFrame, x: str, y_title: str, log: bool) -> go.Figure:
    """The finished figure, with epochs on the axis."""
    if frame.empty:
        return empty_figure("No candidate has been trained yet.")
    figure = finish(figure, "training t (epochs)", y_title)
    if log:
        shown = [tick for tick in TICKS if tick <= frame[x].max()]
        figure.update_xaxes(tickvals=_on_axis(shown, True), ticktext=[str(tick) for tick in shown])
    return figure
