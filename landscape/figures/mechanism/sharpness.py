"""How sharp the loss is as candidates train, to stand beside M_t."""

from __future__ import annotations

from typing import Literal, get_args

import pandas as pd
import plotly.graph_objects as go
import xarray as xr

from landscape.analysis.intervals import over_seeds
from landscape.analysis.mechanism.sharpness import correlation_with_metric, with_control
from landscape.analysis.ranking.correlation import RANGE, Kind
from landscape.figures.export.tables import CORRELATION, described, spread_units
from landscape.figures.trajectories import candidate_lines, over_training, table_over_seeds
from landscape.store.derived import derived

Curvature = Literal["largest eigenvalue", "trace"]  # of the Hessian

CURVATURES: tuple[Curvature, ...] = get_args(Curvature)
VARIABLE: dict[Curvature, str] = {"largest eigenvalue": "sharpness", "trace": "hessian_trace"}


@derived
def sharpness_trajectories_data(dataset: xr.Dataset, which: Curvature = CURVATURES[0]) -> pd.DataFrame:
    """The largest eigenvalue or the trace over seeds, a row per candidate and checkpoint; the control is the last.

    `error` is the standard error of the trace by the probes of its estimator, the mean over seeds.
    """
    frame = table_over_seeds(with_control(dataset, VARIABLE[which]), "candidate", "checkpoint")
    units = spread_units("nats")
    if which == "trace":
        error = with_control(dataset, "hessian_trace_error").mean("seed").rename("error").to_dataframe().reset_index()
        frame, units = frame.merge(error, how="left", on=["candidate", "checkpoint"]), units | {"error": "nats"}
    return described(frame, units, dataset, of_hessian=which)


@derived
def sharpness_trajectories(dataset: xr.Dataset, which: Curvature = CURVATURES[0], log: bool = False) -> go.Figure:
    """One of the two of each candidate, mean ± std over seeds; drawn from `sharpness_trajectories_data`."""
    frame = sharpness_trajectories_data(dataset, which)
    figure = candidate_lines(frame, dataset, "checkpoint", log)
    return over_training(figure, frame, "checkpoint", f"{which} (nats)", log)


@derived
def sharpness_correlations_data(
    dataset: xr.Dataset, q: float, n: int, which: Curvature = CURVATURES[0], kind: Kind = "kendall"
) -> pd.DataFrame:
    """The rank correlation over checkpoints with M_t: mean, interval and count over seeds, one row per candidate.

    The last row, of all candidates, is that of the mean over candidates of each seed.
    """
    found = correlation_with_metric(dataset, q, n, VARIABLE[which], kind)
    every = found.mean("candidate").expand_dims(candidate=["all"])
    rows = over_seeds(xr.concat([found, every], "candidate"), within=RANGE)
    frame = rows.to_dataframe(["candidate"]).reset_index().dropna(subset="mean", ignore_index=True)
    return described(frame, CORRELATION, dataset, q=q, n=n, of_hessian=which, kind=kind)
