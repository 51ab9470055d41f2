"""What the candidates of several studies promise and gain, against their size relative to the base."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import xarray as xr

from landscape.analysis.control import excess_gain
from landscape.analysis.cost import parameters
from landscape.analysis.intervals import LEVEL, metric_over_seeds, over_seeds
from landscape.analysis.metric import initial_metric
from landscape.analysis.performance import Measure, best_gain
from landscape.analysis.walks import steps_reached
from landscape.analysis.wording import counted
from landscape.figures.export.tables import with_settings
from landscape.figures.palette import NEUTRAL, Mark, study_marks
from landscape.figures.style import GAIN_UNITS, LINE_WIDTH, empty_figure, finish
from landscape.study.schema import study_of

Quantity = Literal["manifold metric M₀", "best gain G*", "gain beyond the control"]
QUANTITIES: tuple[Quantity, ...] = get_args(Quantity)

Size = Literal["units", "parameters"]
SIZES: dict[Size, str] = {"units": "units of the walked layer", "parameters": "parameters"}

Studies = Mapping[str, xr.Dataset]


def comparison_data(studies: Studies, quantity: Quantity, q: float, measure: Measure) -> pd.DataFrame:
    """One quantity of every candidate of several studies: its mean over seeds with a 95 % interval, and their number.

    Walks count with all the steps that they have reached. `units` and `parameters` are those of the walked layer and
    of the network, relative to the base. Candidates without a value have no row.
    """
    frames = []
    for study, dataset in studies.items():
        found = _summary(dataset, quantity, q, measure)
        columns = {name: found[name].values for name in ("mean", "low", "high", "count")}
        names = {"study": study, "candidate": dataset["candidate"].values} | _growth(dataset)
        frames.append(pd.DataFrame(names | columns))
    frame = pd.concat(frames, ignore_index=True).dropna(subset="mean", ignore_index=True)
    return _described(frame, quantity, q, measure)


def comparison(
    frame: pd.DataFrame, quantity: Quantity, measure: Measure, size: Size, only: str | None = None, height: int = 440
) -> go.Figure:
    """The quantity against a size relative to the base, a line per study, from `comparison_data`.

    With `only`, the figure shows that study alone, on the axes and with the look that it has among the others.
    """
    if frame.empty:
        return empty_figure("None of these studies has this quantity.")
    figure = go.Figure()
    for study, look in _looks(frame["study"]).items():
        if only in (None, study):
            _add_study(figure, frame[frame["study"] == study].sort_values(size), study, look, size)
    figure.update_layout(showlegend=only is None)
    figure = finish(figure, f"{SIZES[size]} (× base)", axis_title(quantity, measure), height=height)
    low, high = np.nanmin([*frame["low"], *frame["mean"]]), np.nanmax([*frame["high"], *frame["mean"]])
    figure.update_yaxes(range=_padded(low, high))
    figure.update_xaxes(range=_padded(frame[size].min(), frame[size].max()))
    return figure


def difference_data(studies: Studies, quantity: Quantity, q: float, measure: Measure) -> pd.DataFrame:
    """How much the quantity of every later study exceeds that of the first, for the candidates that both have.

    The seeds of two studies are not paired, so the 95 % intervals are Welch's, and those of M₀ are cut off where a
    difference of two M₀ cannot lie. Candidates that only one of them has got, or of which a study has fewer than two
    seeds, have no row.
    """
    from scipy.stats import ttest_ind  # takes a third of a second, which other pages need not wait for

    (_, first), *others = studies.items()
    before = _values(first, quantity, q, measure)
    rows = []
    for study, dataset in others:
        after = _values(dataset, quantity, q, measure)
        for name in after["candidate"].values:
            if name in before["candidate"].values:
                pair = [each.sel(candidate=name).dropna("seed").values for each in (after, before)]
                if min(map(len, pair)) > 1 and max(np.ptp(values) for values in pair) > 0:
                    low, high = ttest_ind(*pair, equal_var=False).confidence_interval(LEVEL)
                    bounds = np.clip((low, high), *_within(quantity))
                    rows.append((study, name, pair[0].mean() - pair[1].mean(), *bounds, *map(len, pair)))
    frame = pd.DataFrame(rows, columns=["study", "candidate", "mean", "low", "high", "count", "count_first"])
    return _described(frame, quantity, q, measure)


def _within(quantity: Quantity) -> tuple[float, float]:
    """Where a difference of a quantity can lie: M₀ is from −100 q to 100 (1 − q) percent."""
    return (-100, 100) if quantity == QUANTITIES[0] else (-np.inf, np.inf)


def difference(frame: pd.DataFrame, first: str, quantity: Quantity, measure: Measure) -> go.Figure:
    """The differences from the first study, candidate by candidate, from `difference_data`."""
    if frame.empty:
        return empty_figure(f"No candidate of {first} is in another study too, with two seeds in both.")
    figure = go.Figure()
    figure.add_hline(0, line={"color": NEUTRAL, "width": 1.5, "dash": "dash"})
    for study, look in _looks(frame["study"]).items():
        _add_study(figure, frame[frame["study"] == study], f"{study} − {first}", look, "candidate", "markers")
    return finish(figure, "", f"difference in {axis_title(quantity, measure)}")


def axis_title(quantity: Quantity, measure: Measure) -> str:
    """A quantity with its unit."""
    return f"{quantity} ({unit_of(quantity, measure)})"


def unit_of(quantity: Quantity, measure: Measure) -> str:
    """The unit of a quantity."""
    return "%" if quantity == QUANTITIES[0] else GAIN_UNITS[measure]


def _described(frame: pd.DataFrame, quantity: Quantity, q: float, measure: Measure) -> pd.DataFrame:
    of_quantity = dict.fromkeys(("mean", "low", "high"), unit_of(quantity, measure))
    units = (
        of_quantity
        | dict.fromkeys(("units", "parameters"), "× base")
        | dict.fromkeys(("count", "count_first"), "seeds")
    )
    return with_settings(frame, units, {"quantity": quantity, "q": q, "n": "all", "measure": measure})


def _values(dataset: xr.Dataset, quantity: Quantity, q: float, measure: Measure) -> xr.DataArray:
    """The quantity of every seed and candidate."""
    if quantity == "manifold metric M₀":
        return initial_metric(dataset, q, max(steps_reached(dataset), 1))
    return (best_gain if quantity == "best gain G*" else excess_gain)(dataset, measure)


def _summary(dataset: xr.Dataset, quantity: Quantity, q: float, measure: Measure) -> xr.Dataset:
    if quantity == "manifold metric M₀":
        return metric_over_seeds(dataset, q, max(steps_reached(dataset), 1))
    return over_seeds(_values(dataset, quantity, q, measure))


def _growth(dataset: xr.Dataset) -> dict[str, np.ndarray]:
    """The units of the walked layer and the parameters of each candidate, relative to the base; NaN where unknown."""
    study = study_of(dataset)
    units = np.asarray([sizes[study.walk.group] for sizes in study.group_sizes()], np.float64)
    counts = dataset["parameters"].values.astype(np.float64)  # model
    if (counts <= 0).any():
        try:
            counts = np.asarray(parameters(study), np.float64)
        except ValueError:
            counts = np.where(counts > 0, counts, np.nan)
    return {"units": units[1:] / units[0], "parameters": counts[1:] / counts[0]}


def _looks(studies: pd.Series) -> dict[str, Mark]:
    names = list(dict.fromkeys(studies))
    return dict(zip(names, study_marks(len(names)), strict=True))


def _padded(low: float, high: float) -> list[float]:
    room = 0.08 * (high - low) or 0.5
    return [low - room, high + room]


def _add_study(
    figure: go.Figure, rows: pd.DataFrame, name: str, look: Mark, x: str, mode: str = "lines+markers"
) -> None:
    bars = {
        "type": "data", "symmetric": False, "array": rows["high"] - rows["mean"],
        "arrayminus": rows["mean"] - rows["low"], "color": look.colour, "thickness": 1.5,
    }  # fmt: skip
    figure.add_scatter(
        x=rows[x], y=rows["mean"], mode=mode, name=name, error_y=bars,
        line={"color": look.colour, "width": LINE_WIDTH, "dash": look.dash},
        marker={"symbol": look.symbol, "size": 12, "color": look.colour},
        text=[f"{row.candidate}<br>{counted(row.count_, 'seed')}" for row in _counted(rows)],
        hovertemplate=f"{name}, %{{text}}<br>%{{y:.4g}}<extra></extra>",
    )  # fmt: skip


def _counted(rows: pd.DataFrame) -> list:
    return list(rows.rename(columns={"count": "count_"}).itertuples())
