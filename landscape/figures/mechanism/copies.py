"""How far the copies of units part from their originals as candidates train."""

from __future__ import annotations

from typing import Literal, get_args

import pandas as pd
import plotly.graph_objects as go
import xarray as xr

from landscape.figures.export.tables import described, spread_units
from landscape.figures.trajectories import candidate_lines, over_training, table_over_seeds
from landscape.store.derived import derived

Copies = Literal["mean", "least"]  # over the copies of a candidate

COSINES: tuple[Copies, ...] = get_args(Copies)
VARIABLE: dict[Copies, str] = {"mean": "copy_cosine", "least": "least_copy_cosine"}


@derived
def copy_cosines_data(dataset: xr.Dataset, which: Copies = "mean") -> pd.DataFrame:
    """The cosine between copies and originals: over seeds, a row per candidate and checkpoint."""
    frame = table_over_seeds(dataset[VARIABLE[which]], "candidate", "checkpoint")
    return described(frame, spread_units("1"), dataset, of_copies=which)


@derived
def copy_cosines(dataset: xr.Dataset, which: Copies = "mean", log: bool = False) -> go.Figure:
    """The cosine of each candidate, mean ± std over seeds; drawn from `copy_cosines_data`."""
    frame = copy_cosines_data(dataset, which)
    figure = candidate_lines(frame, dataset, "checkpoint", log)
    return over_training(figure, frame, "checkpoint", f"{which} cosine of copy and original (1)", log)
