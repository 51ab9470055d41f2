"""The loss on the plane through three minima, for each model on a common colour scale (Figure 1)."""

from __future__ import annotations

from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import xarray as xr

from landscape.analysis import plane
from landscape.analysis.curves import greatest_barrier
from landscape.analysis.wording import number
from landscape.figures.export.tables import described
from landscape.figures.interpolation import pair_index
from landscape.figures.style import candidate_order, empty_figure, finish
from landscape.store.derived import derived
from landscape.study.schema import BASE, MOMENTS

SCALE = "Viridis"
LEVELS = 16
DIGITS = ((1, 2, 5), (1, 1.5, 2, 3, 5, 7))  # of ticks on a log scale; the second set where the first gives too few
SMALL = 12  # font size of the axes in 3D and of the colour bar, which have little room
TOOLS = {"orientation": "v"}  # of the mode bar, beside a square; there is no room above it
MISSING = "This surface has not been computed yet."


class Patch(NamedTuple):
    """The loss of one model on its plane.

    nodes: the three nodes of the walk that span the plane. places: where these nodes are, (3, 2). x, y: the grid
    (points). All places are distances in parameter space. loss: on the grid, (y, x), in nats. minimum: the loss at the
    nodes, in nats.
    """

    nodes: tuple[int, int, int]
    places: np.ndarray
    x: np.ndarray
    y: np.ndarray
    loss: np.ndarray
    minimum: float


def surface_models(dataset: xr.Dataset, moment: str) -> list[str]:
    """The base and the candidates whose surface has been computed, from small to large."""
    return list(_patches(dataset, moment))


def patch(dataset: xr.Dataset, model: str, moment: str) -> Patch | None:
    """The surface of one model of seed 0, or None if it has not been computed.

    The base has a surface only at the start, which stands for both moments. Raises ValueError for an unknown model or
    moment.
    """
    for name, value, known in (("model", model, dataset["model"].values), ("moment", moment, MOMENTS)):
        if value not in known:
            raise ValueError(f"{name} must be one of {', '.join(known)}; got {value!r}")
    at = {"model": model, "moment": MOMENTS[0] if model == BASE else moment}
    loss = dataset["surface"].sel(at).values.astype(np.float64)
    apart = dataset["node_distance"].sel(at | {"seed": 0}).values.astype(np.float64)
    nodes = None if np.isnan(apart).any() else plane.three_nodes(apart)
    if loss.size == 0 or np.isnan(loss).any() or nodes is None:
        return None
    places = plane.corners(apart[np.ix_(nodes, nodes)])
    minimum = dataset["curve"].sel(at | {"seed": 0, "split": "train"}).isel(pair=0, alpha=0)
    return Patch(nodes, places, *plane.grid(places, len(loss)), loss, float(minimum))


def surface_data(dataset: xr.Dataset, moment: str) -> pd.DataFrame:
    """The loss in nats at each grid point, one row per model and point; x and y are distances in parameter space."""
    rows = []
    for model, here in _patches(dataset, moment).items():
        x, y = np.meshgrid(here.x, here.y)
        rows.append(pd.DataFrame({"model": model, "x": x.ravel(), "y": y.ravel(), "loss": here.loss.ravel()}))
    frame = pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=["model", "x", "y", "loss"])
    return described(frame, {"x": "1", "y": "1", "loss": "nats"}, dataset, moment=moment, seed=0)


@derived
def surface_barriers_data(dataset: xr.Dataset, moment: str) -> pd.DataFrame:
    """The nodes, the length and the barrier b in nats of each side of the triangle, one row per model and side.

    b is measured along the side itself, at the 25 values of α of the interpolation curves.
    """
    rows = []
    for model, here in _patches(dataset, moment).items():
        at = {"model": model, "moment": MOMENTS[0] if model == BASE else moment}
        for i, j in combinations(range(3), 2):
            nodes = here.nodes[i], here.nodes[j]
            line = dataset["curve"].sel(at | {"seed": 0, "split": "train"}).isel(pair=pair_index(dataset, nodes))
            barrier = float(greatest_barrier(line.values, dataset["alpha"].values)[0])
            rows.append((model, *nodes, float(np.linalg.norm(here.places[i] - here.places[j])), barrier))
    frame = pd.DataFrame(rows, columns=["model", "from", "to", "distance", "barrier"])
    return described(frame, {"distance": "1", "barrier": "nats"}, dataset, moment=moment, seed=0)


@derived
def surface_contours(dataset: xr.Dataset, model: str, moment: str, log: bool = True) -> go.Figure:
    """Contours of one model's surface and its three minima, on the colour scale of all models at this moment."""
    here = patch(dataset, model, moment)
    if here is None:
        return empty_figure(MISSING)
    low, high = _limits(dataset, moment, log)
    step = (high - low) / LEVELS
    figure = go.Figure()
    figure.add_contour(
        x=here.x, y=here.y, z=_scaled(here.loss, log), zmin=low, zmax=high, colorscale=SCALE,
        colorbar=_bar(low, high, log),
        contours={"start": low + step, "end": high - step, "size": step}, line={"width": 0.5, "color": "white"},
        customdata=here.loss, hovertemplate="x = %{x:.3g}, y = %{y:.3g}<br>loss %{customdata:.4g} nats<extra></extra>",
    )  # fmt: skip
    corner = np.r_[here.places, here.places[:1]]
    figure.add_scatter(
        x=corner[:, 0], y=corner[:, 1], mode="lines+markers", line={"color": "white", "width": 2, "dash": "dot"},
        marker={"color": "white", "size": 13, "line": {"color": "black", "width": 2}}, text=_hover_texts(here),
        hovertemplate="%{text}<extra></extra>", showlegend=False,
    )  # fmt: skip
    figure = finish(figure, "along θ₂ − θ₁ (distance, 1)", "across (distance, 1)", height=310)
    figure.update_layout(margin={"t": 5}, modebar=TOOLS)
    figure.update_yaxes(range=list(here.y[[0, -1]]), scaleanchor="x", constrain="domain", zeroline=False, nticks=6)
    figure.update_yaxes(constraintoward="top")
    figure.update_xaxes(range=list(here.x[[0, -1]]), constrain="domain", zeroline=False, nticks=6)
    return figure


@derived
def surface_relief(dataset: xr.Dataset, model: str, moment: str, log: bool = True) -> go.Figure:
    """The same surface in three dimensions. Height and colour show the loss, on a common scale for all models."""
    here = patch(dataset, model, moment)
    if here is None:
        return empty_figure(MISSING)
    low, high = _limits(dataset, moment, log)
    figure = go.Figure()
    figure.add_surface(
        x=here.x, y=here.y, z=here.loss, surfacecolor=_scaled(here.loss, log), cmin=low, cmax=high,
        colorscale=SCALE, showscale=False,
        hovertemplate="x = %{x:.3g}, y = %{y:.3g}<br>loss %{z:.4g} nats<extra></extra>",
    )  # fmt: skip
    figure.add_scatter3d(
        x=here.places[:, 0], y=here.places[:, 1], z=[here.minimum] * 3, mode="markers", text=_hover_texts(here)[:3],
        marker={"color": "#f2545b", "size": 6, "line": {"color": "black", "width": 2}},
        hovertemplate="%{text}<extra></extra>", showlegend=False,
    )  # fmt: skip
    heights: dict[str, Any] = {
        "type": "log" if log else "linear",
        "range": [low, high],
        "title": {"text": "L (nats)"},
    }
    if log:
        heights |= {"tickvals": _ticks(low, high), "ticktext": _tick_labels(_ticks(low, high))}
    axes = {f"{axis}axis": {"title": {"text": f"{axis} (1)"}, "nticks": 4} for axis in "xy"} | {"zaxis": heights}
    camera = {"eye": {"x": 1.95, "y": -2.3, "z": 2.1}, "center": {"x": -0.15, "y": -0.13, "z": -0.15}}
    scene: dict[str, Any] = axes | {"aspectmode": "cube", "camera": camera}
    bare = dict.fromkeys("lrtb", 0)
    return figure.update_layout(scene=scene, height=360, font={"size": SMALL}, margin=bare, modebar=TOOLS)


def _bar(low: float, high: float, log: bool) -> dict[str, Any]:
    """The colour bar of the loss, which is the same for all models, beside each: a file has one figure alone."""
    ticks = _ticks(low, high) if log else _even_ticks(low, high)
    return {
        "title": {"text": "loss (nats)", "side": "right"}, "thickness": 12, "len": 1, "xpad": 4, "ypad": 0,
        "tickvals": np.log10(ticks) if log else ticks, "ticktext": _tick_labels(ticks), "tickfont": {"size": SMALL},
    }  # fmt: skip


def _patches(dataset: xr.Dataset, moment: str) -> dict[str, Patch]:
    found = {model: patch(dataset, model, moment) for model in (BASE, *candidate_order(dataset))}
    return {model: here for model, here in found.items() if here is not None}


def _scaled(loss: np.ndarray, log: bool) -> np.ndarray:
    return np.log10(np.maximum(loss, np.finfo(np.float32).tiny)) if log else loss


def _limits(dataset: xr.Dataset, moment: str, log: bool) -> tuple[float, float]:
    """The least and the greatest loss of all models, or their logarithms."""
    first, chosen = (dataset["surface"].sel(moment=each).values.astype(np.float64) for each in (MOMENTS[0], moment))
    values = _scaled(np.concatenate([first[:1], chosen[1:]]), log)  # the base comes first, and has only the start
    return float(np.nanmin(values)), float(np.nanmax(values))


def _ticks(low: float, high: float) -> list[float]:
    """Round losses between two logarithms, or four evenly spaced ones if fewer than three are round."""
    for digits in DIGITS:
        ticks = [digit * 10.0**power for power in range(-8, 5) for digit in digits]
        shown = [tick for tick in ticks if low <= np.log10(tick) <= high]
        if len(shown) > 2:
            return shown
    return np.logspace(low, high, 4).tolist()


def _even_ticks(low: float, high: float) -> list[float]:
    """Three to nine multiples of a round step between two losses, where Plotly would take levels of the contours."""
    least = (high - low) / 8
    if not 0 < least < np.inf:
        return [low]
    step = next(step for step in np.array([1, 2, 5, 10]) * 10.0 ** np.floor(np.log10(least)) if step >= least)
    return (step * np.arange(np.ceil(low / step), np.floor(high / step) + 1)).tolist()


def _tick_labels(ticks: list[float]) -> list[str]:
    return [f"{tick:.7g}" for tick in ticks]


def _hover_texts(here: Patch) -> list[str]:
    """One for each node, and the first once more, since the outline of the triangle returns to it."""
    texts = [f"node {node}<br>loss {number(here.minimum, 4)} nats" for node in here.nodes]
    return [*texts, texts[0]]
