"""The tables behind figures as files: columns carry their units, and rows what they were computed with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import xarray as xr

SEEDS = {"count": "seeds"}
CORRELATION = {"mean": "1", "std": "1", "low": "1", "high": "1"} | SEEDS


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


def labelled(frame: pd.DataFrame) -> pd.DataFrame:
    """A table for a file: the settings are its first columns, and units stand behind the names of the others.

    A setting that the table has a column for already is not repeated, nor is one that is None.
    """
    units, settings = frame.attrs.get("units", {}), frame.attrs.get("settings", {})
    first = {name: value for name, value in settings.items() if value is not None and name not in frame.columns}
    named = frame.rename(columns={name: f"{name} ({unit})" for name, unit in units.items()})
    return pd.concat([pd.DataFrame(first, index=named.index), named], axis=1)
