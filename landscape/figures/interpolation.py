"""The loss along the line between two networks, with the barrier drawn on the curve (Definition 1)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import xarray as xr

from landscape.analysis.curves import chord, dips, greatest_barrier, midpoint_barrier
from landscape.analysis.wording import number
from landscape.figures.export.tables import described, with_settings
from landscape.figures.palette import ACCENT, NEUTRAL, SYMBOLS, Mark, barrier_colours
from landscape.figures.style import LINE_WIDTH, MARKED, empty_figure, finish
from landscape.store.derived import derived
from landscape.study.schema import BASE, SPLITS

UNITS = {"alpha": "1", "loss": "nats", "chord": "nats"}
DASHES = {"train": "solid", "validation": "dash"}

Pair = tuple[int, int]
PACE = 110  # milliseconds of one frame of a journey


def start_pairs(dataset: xr.Dataset, count: int) -> list[Pair]:
    """Node 0, which is θ itself, paired with each of the next `count` permuted copies."""
    return [(0, node) for node in dataset["node"].values[1 : count + 1].tolist()]


def step_pairs(dataset: xr.Dataset, count: int) -> list[Pair]:
    """The first `count` steps of the walk: node i paired with node i + 1."""
    return [(node - 1, node) for node in dataset["node"].values[1 : count + 1].tolist()]


def interpolation_data(
    dataset: xr.Dataset, seed: int, model: str, moment: str, pairs: Sequence[Pair], splits: Sequence[str] = SPLITS
) -> pd.DataFrame:
    """Curves between nodes of a walk: loss and chord in nats, one row per curve, split and α.

    α = 0 is the first node of a pair, α = 1 the second. Curves that have not been computed are left out. Raises
    ValueError for a pair without a curve.
    """
    places = [pair_index(dataset, pair) for pair in pairs]
    curves = dataset["curve"].sel(seed=seed, model=model, moment=moment, split=list(splits)).isel(pair=places)
    names = [f"node {first} – {second}" for first, second in pairs]
    frame = _frame(curves.transpose("pair", "split", "alpha").values, names, splits, dataset["alpha"].values)
    return described(frame, UNITS, dataset, seed=seed, model=model, moment=moment)


def seed_interpolation_data(
    dataset: xr.Dataset, model: str, moment: str, seed_pair: int, splits: Sequence[str] = SPLITS
) -> pd.DataFrame:
    """Curves between two separately trained seeds, as trained and after weight matching.

    Rows are as in `interpolation_data`; α = 0 is the seed `seed_pair`, α = 1 the next one.
    """
    curves = dataset["seed_curve"].sel(model=model, moment=moment, seed_pair=seed_pair, split=list(splits))
    names = dataset["alignment"].values.tolist()
    frame = _frame(curves.transpose("alignment", "split", "alpha").values, names, splits, dataset["alpha"].values)
    return described(frame, UNITS, dataset, seeds=f"{seed_pair} and {seed_pair + 1}", model=model, moment=moment)


def interpolation_barriers(frame: pd.DataFrame) -> pd.DataFrame:
    """The barrier b in nats, the α at which it is reached, and the midpoint barrier b̂, per curve and split.

    `dip` says whether the midpoint lies below the chord, which b̂ counts and b does not.
    """
    rows = []
    for (curve, split), points in frame.groupby(["curve", "split"], sort=False):
        losses, alphas = points["loss"].values, points["alpha"].values
        barrier, at = greatest_barrier(losses, alphas)
        sizes = float(barrier), float(at), float(midpoint_barrier(losses, alphas)), bool(dips(losses, alphas))
        rows.append((curve, split, *sizes))
    found = pd.DataFrame(rows, columns=["curve", "split", "barrier", "alpha", "midpoint_barrier", "dip"])
    units = {"barrier": "nats", "alpha": "1", "midpoint_barrier": "nats"}
    return with_settings(found, units, frame.attrs.get("settings", {}))


def interpolation(
    dataset: xr.Dataset,
    seed: int,
    model: str,
    moment: str,
    pairs: Sequence[Pair],
    splits: Sequence[str] = SPLITS,
    greatest: float | None = None,
) -> go.Figure:
    """The loss between nodes of a walk, drawn from `interpolation_data`.

    Colours show b̂ from 0 to the `greatest`, by default that of the curves, as they do in `permutation_graph`.
    """
    frame = interpolation_data(dataset, seed, model, moment, pairs, splits)
    return _drawn(frame, "α (0: first node, 1: second node)", greatest)


def seed_interpolation(
    dataset: xr.Dataset, model: str, moment: str, seed_pair: int, splits: Sequence[str] = SPLITS
) -> go.Figure:
    """The loss between separately trained seeds, drawn from `seed_interpolation_data`."""
    frame = seed_interpolation_data(dataset, model, moment, seed_pair, splits)
    return _drawn(frame, f"α (0: seed {seed_pair}, 1: seed {seed_pair + 1})")


def pair_index(dataset: xr.Dataset, pair: Pair) -> int:
    """The index of a pair of nodes along the dimension `pair`. Raises ValueError for a pair without a curve."""
    matches = (dataset["pair_from"].values == pair[0]) & (dataset["pair_to"].values == pair[1])
    if not matches.any():
        raise ValueError(f"pair must be nodes i < j ≤ {dataset.sizes['node'] - 1}; got {pair[0]}, {pair[1]}")
    return int(np.flatnonzero(matches)[0])


def _frame(curves: np.ndarray, names: list[str], splits: Sequence[str], alphas: np.ndarray) -> pd.DataFrame:
    """curves: (names, splits, α)."""
    index = pd.MultiIndex.from_product([names, list(splits), alphas], names=["curve", "split", "alpha"])
    columns = {"loss": np.ravel(curves).astype(np.float64), "chord": chord(curves, alphas).ravel()}
    return pd.DataFrame(columns, index).reset_index().dropna(ignore_index=True)


def _drawn(frame: pd.DataFrame, x_title: str, greatest: float | None = None) -> go.Figure:
    if frame.empty:
        return empty_figure("These curves have not been computed yet.")
    first, several = frame["split"].iloc[0], frame["split"].nunique() > 1
    barriers = interpolation_barriers(frame)
    looks = _looks(barriers, greatest)
    figure = go.Figure()
    for row in barriers.to_dict("records"):
        points = frame[(frame["curve"] == row["curve"]) & (frame["split"] == row["split"])]
        label = f"{row['curve']}: b = {number(row['barrier'])} nats{f' ({first})' if several else ''}"
        _add_curve(figure, points, row, looks[row["curve"]], label if row["split"] == first else "")
    for row in barriers.to_dict("records"):
        points = frame[(frame["curve"] == row["curve"]) & (frame["split"] == row["split"])]
        top = points[points["alpha"] == row["alpha"]].iloc[0]
        _add_barrier(figure, row, top["chord"], top["loss"], looks[row["curve"]].colour)
    if several:
        _add_split_legend(figure)
    return finish(figure, x_title, "loss (nats)")


def _looks(barriers: pd.DataFrame, greatest: float | None) -> dict[str, Mark]:
    """The look of each curve: the colour of its barrier, as in the graph, and a marker of its own."""
    heights = barriers.groupby("curve", sort=False)["midpoint_barrier"].first()
    colours = barrier_colours(heights.tolist(), greatest or max(heights.max(), np.finfo(float).tiny))
    looks = (Mark(colour, symbol, "solid") for colour, symbol in zip(colours, cycle(SYMBOLS), strict=False))
    return dict(zip(heights.index, looks, strict=True))


def _add_curve(figure: go.Figure, points: pd.DataFrame, barrier: dict, look: Mark, label: str) -> None:
    """The curve and its chord. The barrier stands in the legend, since next to the curve it would cross others.

    `label` is the entry in the legend, empty for a curve that the legend does not list.
    """
    name, split = barrier["curve"], barrier["split"]
    figure.add_scatter(
        x=points["alpha"], y=points["chord"], mode="lines", line={"color": NEUTRAL, "width": 1, "dash": "dot"},
        legendgroup=name, showlegend=False, hoverinfo="skip",
    )  # fmt: skip
    figure.add_scatter(
        x=points["alpha"], y=points["loss"], mode="lines+markers", legendgroup=name, showlegend=bool(label),
        name=label or name, marker={"symbol": look.symbol, "size": 8, "maxdisplayed": MARKED},
        line={"color": look.colour, "width": LINE_WIDTH, "dash": DASHES[split]}, customdata=points["chord"],
        hovertemplate=f"{name}, {split}<br>α = %{{x:.3f}}<br>loss %{{y:.5g}} nats<br>chord %{{customdata:.5g}} nats"
        "<extra></extra>",
    )  # fmt: skip


def _add_barrier(figure: go.Figure, barrier: dict, chord: float, loss: float, colour: str) -> None:
    """The segment from the chord up to the curve, at the α where the barrier is reached."""
    text = f"{barrier['split']}: b = {number(barrier['barrier'])}, midpoint {number(barrier['midpoint_barrier'])}"
    dip = "<br>b̂ counts a dip here: the midpoint lies below the chord" if barrier["dip"] else ""
    figure.add_scatter(
        x=[barrier["alpha"]] * 2, y=[chord, loss], mode="lines+markers", legendgroup=barrier["curve"],
        line={"color": colour, "width": 1.5, "dash": DASHES[barrier["split"]]},
        marker={"color": colour, "size": 10, "symbol": ["line-ew-open", "triangle-up"], "opacity": 1},
        showlegend=False,
        hovertemplate=f"{barrier['curve']}, {text} nats<br>b at α = {barrier['alpha']:.3f}{dip}<extra></extra>",
    )  # fmt: skip


def _add_split_legend(figure: go.Figure) -> None:
    for split, dash in DASHES.items():
        figure.add_scatter(x=[None], y=[None], mode="lines", name=split, line={"color": NEUTRAL, "dash": dash})


def journey_data(dataset: xr.Dataset, seed: int = 0) -> pd.DataFrame:
    """Loss and chord in nats by α, from the base to that of its permuted copies behind the highest barrier.

    The columns are those of `interpolation_data`; there are no rows if the curves have not been computed.
    """
    pairs = start_pairs(dataset, dataset.sizes["node"] - 1)
    frame = interpolation_data(dataset, seed, BASE, "start", pairs, SPLITS[:1])
    if frame.empty:
        return frame
    heights = (frame["loss"] - frame["chord"]).groupby(frame["curve"]).max()
    return frame[frame["curve"] == heights.idxmax()].reset_index(drop=True)


@derived
def journey(dataset: xr.Dataset, seed: int = 0, height: int = 300) -> go.Figure:
    """The curve of `journey_data` with a button that plays it in the browser by itself; it opens at the end."""
    frame = journey_data(dataset, seed)
    if frame.empty:
        return empty_figure("These curves have not been computed yet.")
    alphas, losses = frame["alpha"].to_numpy(), frame["loss"].to_numpy()
    figure = go.Figure(_fixed(alphas, losses), frames=[_still(alphas, losses, i) for i in range(len(alphas))])
    figure.add_traces(figure.frames[-1].data)
    figure = finish(figure, "", "loss (nats)", height=height)
    ends = {"tickvals": [0, 0.5, 1], "ticktext": ["a network", "halfway", "its copy"]}
    figure.update_xaxes(ends, title=None, range=[-0.06, 1.06], fixedrange=True)
    room = 0.12 * float(np.ptp(losses))
    figure.update_yaxes(range=[losses.min() - room, losses.max() + 2.5 * room], fixedrange=True)
    figure.update_layout(showlegend=False, updatemenus=[_buttons()], margin={"t": 44})
    return figure


def _fixed(alphas: np.ndarray, losses: np.ndarray) -> list[go.Scatter]:
    """The chord, the two ends, and the barrier above the chord."""
    line = chord(losses, alphas)
    barrier, at = (float(each) for each in greatest_barrier(losses, alphas))
    i = int(np.flatnonzero(alphas == at)[0])
    dotted: dict[str, Any] = {"mode": "lines", "line": {"color": NEUTRAL, "width": 1.5, "dash": "dot"}}
    ends = go.Scatter(
        x=alphas[[0, -1]], y=losses[[0, -1]], mode="markers", marker={"color": NEUTRAL, "size": 13, "symbol": "square"},
        hovertemplate="the same function: loss %{y:.3g} nats<extra></extra>",
    )  # fmt: skip
    rise = go.Scatter(
        x=[at, at], y=[line[i], losses[i]], mode="lines+text", line={"color": NEUTRAL, "width": 1.5},
        text=["", f"barrier {barrier:.2g} nats"], textposition="top center", hoverinfo="skip",
    )  # fmt: skip
    return [go.Scatter(x=alphas, y=line, hoverinfo="skip", **dotted), rise, ends]


def _still(alphas: np.ndarray, losses: np.ndarray, i: int) -> go.Frame:
    """The curve up to the i-th α, and the dot there."""
    grown = go.Scatter(
        x=alphas[: i + 1], y=losses[: i + 1], mode="lines", line={"color": ACCENT, "width": 1.5 * LINE_WIDTH},
        hovertemplate="α = %{x:.2f}: loss %{y:.3g} nats<extra></extra>",
    )  # fmt: skip
    dot = go.Scatter(
        x=[alphas[i]], y=[losses[i]], mode="markers", marker={"color": ACCENT, "size": 17}, hoverinfo="skip"
    )
    return go.Frame(data=[grown, dot], traces=[3, 4], name=f"{alphas[i]:.3f}")


def _buttons() -> dict[str, Any]:
    """A button that plays the frames from the first one on."""
    how = {"frame": {"duration": PACE, "redraw": False}, "transition": {"duration": 0}, "fromcurrent": False}
    play = {"label": "▶ Go from one to the other", "method": "animate", "args": [None, how]}
    return {
        "type": "buttons", "buttons": [play], "showactive": False,
        "x": 0, "xanchor": "left", "y": 1, "yanchor": "bottom", "pad": {"b": 8},
    }  # fmt: skip
