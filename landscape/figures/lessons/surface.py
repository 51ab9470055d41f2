"""What the tiny network computes, as a map of the plane of its two inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float

from landscape.figures.palette import CLASSES
from landscape.lessons.network import Batch, Tiny, probability

X, Y = np.linspace(-2.1, 2.1, 43), np.linspace(-1.5, 1.5, 31)
TINTS = [[0, "#a9cbe2"], [0.5, "#f5f5f5"], [1, "#f8cdb6"]]
MARKS = ("circle", "square")  # of the points of each class
INK = "#20242b"  # on the tints, which are light in either theme


def map_of(network: Tiny) -> Float[np.ndarray, "... y x"]:
    """The probability of class 1 on a grid of inputs, in percent, for one network or many."""
    grid = np.stack(np.meshgrid(X, Y), -1).reshape(-1, 2)
    return np.rint(100 * probability(network, grid)).astype(np.uint8).reshape(*network.bias.shape[:-1], len(Y), len(X))


def add_map(figure: go.Figure, values: Float[np.ndarray, "y x"], batch: Batch, axes: dict[str, str]) -> None:
    """A map with the border between the classes, and the points; the map is the first of three traces."""
    figure.add_trace(map_trace(values, axes))
    for label, (colour, symbol) in enumerate(zip(CLASSES, MARKS, strict=True)):
        x, y = batch.inputs[batch.targets == label].T.round(3)
        figure.add_scatter(
            x=x, y=y, mode="markers", name=f"class {label}", **axes,
            marker={"color": colour, "symbol": symbol, "size": 6, "line": {"color": INK, "width": 0.5}},
            hovertemplate=f"class {label}<br>x₁ = %{{x:.2f}}, x₂ = %{{y:.2f}}<extra></extra>",
        )  # fmt: skip


def map_trace(values: Float[np.ndarray, "y x"], axes: dict[str, str]) -> go.Contour:
    """The map alone, as a trace."""
    options: dict[str, Any] = {"showscale": False, "zmin": 0, "zmax": 100, "colorscale": TINTS}
    return go.Contour(
        x=X, y=Y, z=values, **options, **axes, line={"color": INK, "width": 2},
        contours={"coloring": "heatmap", "start": 50, "end": 50, "size": 1},
        hovertemplate="x₁ = %{x:.2f}, x₂ = %{y:.2f}<br>probability of class 1: %{z:.0f} %<extra></extra>",
    )  # fmt: skip
