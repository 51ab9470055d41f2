"""How sharp the loss is as candidates train, to stand beside M_t."""

from __future__ import annotations

from typing import Literal, get_args

import pandas as pd
import plotly.graph_objects as go
import xarray as xr

from landscape.analysis.intervals import over_seeds
from landscape.analysis.mechanism.sharpness import correlation_with_metric, with_control
from landscape.analysis.ranking.correlation import RANGE, Kind
from landscape.figures.export.tables import CORRELATION, SEEDS, described
from landscape.figures.trajectories import candidate_lines, over_training, table_over_seeds
from landscape.store.derived import derived

Curvature = Literal["λ_max", "trace"]

CURVATURES: tuple[Curvature, ...] = get_args(Curvature)
VARIABLE: dict[Curvature, str] = {"λ_max": "sharpness", "trace": "hessian_trace"}
TITLE: dict[Curvature, str] = {"λ_max": "λ<sub>max</sub> of the Hessian (nats)", "trace": "trace of the Hessian (nats)"}


@derived
def sharpness_trajectories_data(dataset: xr.Dataset, which: Curvature = "λ_max") -> pd.DataFrame:
    """λ_max or the trace: mean, std and count over seeds, a row per candidate and checkpoint; the control is the last.

    `error` is the standard error of the trace by the probes of its estimator, the mean over seeds.
    """
    frame = table_over_seeds(with_control(dataset, VARIABLE[which]), "candidate", "checkpoint")
    units = {"mean": "nats", "std": "nats"} | SEEDS
    if which == "trace":
        error = with_control(dataset, "hessian_trace_error").mean("seed").rename("error").to_dataframe().reset_index()
        frame, units = frame.merge(error, how="left", on=["candidate", "checkpoint"]), units | {"error": "nats"}
    return described(frame, units, dataset, of_hessian=which)


@derived
def sharpness_trajectories(dataset: xr.Dataset, which: Curvature = "λ_max", log: bool = False) -> go.Figure:
    """λ_max or the trace of each candidate, mean ± std over seeds; drawn from `sharpness_trajectories_data`."""
    frame = sharpness_trajectories_data(dataset, which)
    figure = candidate_lines(frame, dataset, "checkpoint", log)
    return over_training(figure, frame, "checkpoint", TITLE[which], log)


@derived
def sharpness_correlations_data(
    dataset: xr.Dataset, q: float, n: int, which: Curvature = "λ_max", kind: Kind = "kendall"
) -> pd.DataFrame:
    """The rank correlation over checkpoints with M_t: mean, interval and count over seeds, one row per candidate.

    The last row, of all candidates, is that of the mean over candidates of each seed.
    """
    found = correlation_with_metric(dataset, q, n, VARIABLE[which], kind)
    every = found.mean("candidate").expand_dims(candidate=["all"])
    rows = over_seeds(xr.concat([found, every], "candidate"), within=RANGE)
    frame = rows.to_dataframe(["candidate"]).reset_index().dropna(subset="mean", ignore_index=True)
    return described(frame, CORRELATION, dataset, q=q, n=n, of_hessian=which, kind=kind)
