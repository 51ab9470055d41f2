"""The tables behind figures as files: columns carry their units, and rows what they were computed with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import xarray as xr

SEEDS = {"count": "seeds"}
OF_SPREAD = ("mean", "std", "least", "greatest")  # columns in the unit of what was repeated over seeds
CORRELATION = {"mean": "1", "std": "1", "low": "1", "high": "1"} | SEEDS


def spread_units(unit: str) -> dict[str, str]:
    """The units of the columns of `landscape.figures.trajectories.table_over_seeds`, of values in this unit."""
    return dict.fromkeys(OF_SPREAD, unit) | SEEDS


def described(frame: pd.DataFrame, units: Mapping[str, str], dataset: xr.Dataset, **settings: object) -> pd.DataFrame:
    """A table that knows the units of its columns, the study that it is of, and the settings that it depends on.

    They stand in `frame.attrs`; names of the table's columns stay as they are.
    """
    study = {name: dataset.attrs[name] for name in ("name", "key") if name in dataset.attrs}
    return with_settings(frame, units, {"study": study.get("name"), "key": study.get("key")} | settings)


def with_settings(frame: pd.DataFrame, units: Mapping[str, str], settings: Mapping[str, Any]) -> pd.DataFrame:
    """The same, for a table of no single study or of another table's settings."""
    frame.attrs = {"units": dict(units), "settings": dict(settings)}
    return frame


def drawn(figure: go.Figure) -> pd.DataFrame:
    """What a figure draws that is made from no table: a row for each point of each trace, in each of its frames.

    `frame` names the frame, and is empty for what is seen at first. `x is` and `y is` are the titles of the axes, with
    their units, and `z` is the height of a map.
    """
    shown = [("", range(len(figure.data)), figure.data)]
    shown += [(each.name, each.traces or range(len(each.data)), each.data) for each in figure.frames]
    points = [
        _points(figure, trace).assign(frame=frame, trace=place, name=trace.name or "")
        for frame, places, traces in shown
        for place, trace in zip(places, traces, strict=True)
    ]
    columns = ["frame", "trace", "name", "x is", "x", "y is", "y", "z"]
    return pd.concat(points, ignore_index=True)[columns].dropna(axis="columns", how="all")


def _points(figure: go.Figure, trace: Any) -> pd.DataFrame:
    """The points of a trace; those of a map are the cells of its grid."""
    x, y, z = (getattr(trace, each, None) for each in "xyz")
    if z is not None:
        rows, columns = np.shape(z)
        x, y = np.meshgrid(np.arange(columns) if x is None else x, np.arange(rows) if y is None else y)
        x, y, z = (np.ravel(each) for each in (x, y, z))
    titles = {f"{each} is": _title(figure, trace[f"{each}axis"] or each) for each in "xy"}
    return pd.DataFrame({"x": x, "y": y, "z": z} | titles)


def _title(figure: go.Figure, axis: str) -> str:
    """The title of an axis as plain text."""
    text = figure.layout[f"{axis[0]}axis{axis[1:]}"].title.text or ""
    return re.sub("<[^>]*>", "", text)


def labelled(frame: pd.DataFrame) -> pd.DataFrame:
    """A table for a file: the settings are its first columns, and units stand behind the names of the others.

    A setting that the table has a column for already is not repeated, nor is one that is None.
    """
    units, settings = frame.attrs.get("units", {}), frame.attrs.get("settings", {})
    first = {name: value for name, value in settings.items() if value is not None and name not in frame.columns}
    named = frame.rename(columns={name: f"{name} ({unit})" for name, unit in units.items()})
    return pd.concat([pd.DataFrame(first, index=named.index), named], axis=1)
