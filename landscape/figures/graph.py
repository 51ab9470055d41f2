"""The walk as a graph: its nodes are permuted copies of a network, its edges linear connections (section 3.2)."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import xarray as xr

from landscape.analysis.curves import pair_barriers
from landscape.analysis.metric import threshold
from landscape.analysis.walks import prefix
from landscape.figures.interpolation import interpolation, interpolation_data
from landscape.figures.layout import scaled_to_plane
from landscape.figures.palette import BARRIERS, NEUTRAL, barrier_colours
from landscape.figures.style import empty_figure, finish
from landscape.study.schema import SPLITS

DARK = "#4d525a"  # nodes with an edge; those without are white
COLUMNS = (
    "pair", "from", "to", "barrier", "threshold", "present", "distance",
    "from_x", "from_y", "to_x", "to_y", "from_degree", "to_degree",
)  # fmt: skip


def walk_graph(
    dataset: xr.Dataset, seed: int, model: str, moment: str, q: float, n: int, all_pairs: bool = False
) -> nx.Graph:
    """The walk's first nodes, joined by the steps of the walk or in all pairs.

    Each node has a place `x`, `y`, from multidimensional scaling of the distances in parameter space, and a `degree`,
    which counts the edges that exist. Each edge has its `pair`, its `barrier` in nats, its `distance`, and `present`,
    which is barrier ≤ λ. The graph has the `threshold` λ, and it is empty if the walk has not been computed. Raises
    ValueError for q or n out of range.
    """
    limit = float(threshold(prefix(dataset.sel(seed=[seed]), n)[0][0], q))
    distances = dataset["node_distance"].sel(seed=seed, model=model, moment=moment).values
    barriers = pair_barriers(dataset, seed, model, moment).values
    graph = nx.Graph(threshold=limit)
    if np.isnan(limit) or np.isnan(distances).any() or np.isnan(barriers).any():
        return graph
    for node, (x, y) in enumerate(scaled_to_plane(distances)):
        graph.add_node(node, x=x, y=y)
    ends = np.stack([dataset["pair_from"], dataset["pair_to"]], axis=1)
    for pair, (a, b) in enumerate(ends.tolist()):
        if all_pairs or b == a + 1:
            barrier = float(barriers[pair])
            graph.add_edge(a, b, pair=pair, barrier=barrier, distance=distances[a, b], present=barrier <= limit)
    present = graph.edge_subgraph(edge for edge in graph.edges if graph.edges[edge]["present"])
    nx.set_node_attributes(graph, {node: present.degree(node) if node in present else 0 for node in graph}, "degree")
    return graph


def permutation_graph_data(
    dataset: xr.Dataset, seed: int, model: str, moment: str, q: float, n: int, all_pairs: bool = False
) -> pd.DataFrame:
    """The edges of `walk_graph`, one row each, with the places and degrees of both nodes."""
    graph = walk_graph(dataset, seed, model, moment, q, n, all_pairs)
    rows = [
        {"from": a, "to": b, "threshold": graph.graph["threshold"]} | edge | _prefixed("from", graph.nodes[a])
        | _prefixed("to", graph.nodes[b])
        for a, b, edge in graph.edges(data=True)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)


def permutation_graph(
    dataset: xr.Dataset, seed: int, model: str, moment: str, q: float, n: int, all_pairs: bool = False
) -> go.Figure:
    """Nodes by their distance, edges coloured by barrier: solid where ≤ λ, faint and dotted above.

    Drawn from `permutation_graph_data`. The markers in the middle of the edges have the index of the pair as
    customdata, so that a selection names an edge for `edge_curve`; nodes have none.
    """
    frame = permutation_graph_data(dataset, seed, model, moment, q, n, all_pairs)
    if frame.empty:
        return empty_figure("This walk has not been computed yet.")
    greatest = max(frame["barrier"].max(), frame["threshold"].iloc[0], np.finfo(float).tiny)
    figure = go.Figure()
    _add_edges(figure, frame.sort_values("barrier", ascending=False), greatest)
    _add_middles(figure, frame, greatest)
    _add_nodes(figure, frame)
    _add_line_legend(figure, frame["threshold"].iloc[0])
    title = "MDS axis {} (distance in parameter space, 1)"
    finish(figure, title.format(1), title.format(2), height=580)
    figure.update_yaxes(range=_range(frame, "y"), scaleanchor="x", constrain="domain", zeroline=False)
    figure.update_xaxes(range=_range(frame, "x"), constrain="domain", zeroline=False)
    figure.update_xaxes(title_standoff=None)  # or Plotly places the title before it shrinks the axis to equal scales
    return figure.update_layout(clickmode="event+select", dragmode="pan")


def edge_curve_data(
    dataset: xr.Dataset, seed: int, model: str, moment: str, pair: int, splits: tuple[str, ...] = SPLITS
) -> pd.DataFrame:
    """The loss along one edge, given by the index of its pair; rows as in `interpolation_data`."""
    return interpolation_data(dataset, seed, model, moment, [pair_nodes(dataset, pair)], splits)


def edge_curve(
    dataset: xr.Dataset, seed: int, model: str, moment: str, pair: int, splits: tuple[str, ...] = SPLITS
) -> go.Figure:
    """The loss along one edge, drawn from `edge_curve_data`."""
    return interpolation(dataset, seed, model, moment, [pair_nodes(dataset, pair)], splits)


def pair_nodes(dataset: xr.Dataset, pair: int) -> tuple[int, int]:
    """The two nodes of a pair. Raises ValueError for an index out of range."""
    if not 0 <= pair < dataset.sizes["pair"]:
        raise ValueError(f"pair must be from 0 to {dataset.sizes['pair'] - 1}; got {pair}")
    return int(dataset["pair_from"][pair]), int(dataset["pair_to"][pair])


def _range(frame: pd.DataFrame, axis: str) -> list[float]:
    """The range of an axis, with room for the nodes."""
    places = frame[[f"from_{axis}", f"to_{axis}"]].values
    room = 0.12 * max(np.ptp(places), np.finfo(float).tiny)
    return [places.min() - room, places.max() + room]


def _prefixed(prefix: str, values: dict) -> dict:
    return {f"{prefix}_{name}": value for name, value in values.items()}


def _add_edges(figure: go.Figure, frame: pd.DataFrame, greatest: float) -> None:
    hues = barrier_colours(frame["barrier"].tolist(), greatest)
    for row, colour in zip(frame.itertuples(), hues, strict=True):
        line = {"width": 4} if row.present else {"width": 1.5, "dash": "dot"}
        figure.add_scatter(
            x=[row.from_x, row.to_x], y=[row.from_y, row.to_y], mode="lines", line=line | {"color": colour},
            opacity=1 if row.present else 0.5, hoverinfo="skip", showlegend=False,
        )  # fmt: skip


def _add_middles(figure: go.Figure, frame: pd.DataFrame, greatest: float) -> None:
    figure.add_scatter(
        x=(frame["from_x"] + frame["to_x"]) / 2, y=(frame["from_y"] + frame["to_y"]) / 2, mode="markers",
        customdata=frame["pair"], showlegend=False,
        marker={
            "color": frame["barrier"], "cmin": 0, "cmax": greatest, "colorscale": list(BARRIERS), "size": 11,
            "symbol": np.where(frame["present"], "circle", "circle-open").tolist(),
            "colorbar": {
                "title": {"text": "midpoint barrier b̂ (nats)", "side": "top"}, "orientation": "h",
                "thickness": 14, "y": 1, "yanchor": "bottom", "len": 0.9, "exponentformat": "power",
            },
        },
        text=[_hover_text(row) for row in frame.to_dict("records")], hovertemplate="%{text}<extra></extra>",
    )  # fmt: skip


def _hover_text(edge: dict) -> str:
    sign = "≤" if edge["present"] else ">"
    return (
        f"node {edge['from']} – {edge['to']}<br>b̂ = {edge['barrier']:.5g} nats {sign} λ = {edge['threshold']:.5g}"
        f"<br>distance {edge['distance']:.4g}"
    )


def _add_nodes(figure: go.Figure, frame: pd.DataFrame) -> None:
    nodes = pd.concat([_ends(frame, "from"), _ends(frame, "to")]).drop_duplicates("node").sort_values("node")
    alone = (nodes["degree"] == 0).values
    figure.add_scatter(
        x=nodes["x"], y=nodes["y"], mode="markers+text", text=nodes["node"], textposition="middle center",
        textfont={"color": np.where(alone, DARK, "white").tolist(), "size": 13}, showlegend=False,
        marker={"size": 24, "color": np.where(alone, "white", DARK).tolist(), "line": {"color": NEUTRAL, "width": 2}},
        hovertext=[f"node {row.node}<br>degree {row.degree}" for row in nodes.itertuples()], hoverinfo="text",
    )  # fmt: skip


def _ends(frame: pd.DataFrame, which: str) -> pd.DataFrame:
    """The nodes at one end of the edges."""
    columns = {which: "node", f"{which}_x": "x", f"{which}_y": "y", f"{which}_degree": "degree"}
    return frame[list(columns)].rename(columns=columns)


def _add_line_legend(figure: go.Figure, limit: float) -> None:
    for name, dash, width in ((f"b̂ ≤ λ = {limit:.3g}: an edge", "solid", 4), ("b̂ > λ: no edge", "dot", 1.5)):
        line = {"color": NEUTRAL, "dash": dash, "width": width}
        figure.add_scatter(x=[None], y=[None], mode="lines", name=name, line=line)
