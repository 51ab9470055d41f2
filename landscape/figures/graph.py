"""The walk as a graph: its nodes are permuted copies of a network, its edges linear connections (section 3.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import xarray as xr

from landscape.analysis.curves import pair_barriers
from landscape.analysis.metric import threshold
from landscape.analysis.plane import pushed_apart, scaled_to_plane
from landscape.analysis.walks import only_walks, prefix
from landscape.analysis.wording import number
from landscape.figures.export.tables import described
from landscape.figures.interpolation import interpolation, interpolation_data
from landscape.figures.palette import ACCENT, BARRIERS, NEUTRAL, barrier_colours, translucent
from landscape.figures.style import empty_figure, finish
from landscape.study.schema import SPLITS

if TYPE_CHECKING:
    import networkx as nx

DARK = "#4d525a"  # nodes with an edge; those without are white
HANDLES = 9  # markers along an edge, odd so that one lies in its middle
COLUMNS = (
    "pair", "from", "to", "barrier", "threshold", "present", "distance",
    "from_x", "from_y", "to_x", "to_y", "from_degree", "to_degree",
)  # fmt: skip
UNITS = {"barrier": "nats", "threshold": "nats", "from_degree": "edges", "to_degree": "edges"} | dict.fromkeys(
    ("distance", "from_x", "from_y", "to_x", "to_y"), "1"
)


def walk_graph(
    dataset: xr.Dataset, seed: int, model: str, moment: str, q: float, n: int, all_pairs: bool = False
) -> nx.Graph:
    """The walk's first nodes, joined by the steps of the walk or in all pairs.

    Each node has a place `x`, `y`, from multidimensional scaling of the distances in parameter space, where nodes that
    would overlap are pushed apart, and a `degree`, which counts the edges that exist. Each edge has its `pair`, its
    `barrier` in nats, its `distance`, and `present`, which is barrier ≤ λ. The graph has the `threshold` λ, and it is
    empty if the walk has not been computed. Raises ValueError for q or n out of range.
    """
    limit = float(threshold(prefix(only_walks(dataset).sel(seed=[seed]), n)[0][0], q))
    distances = dataset["node_distance"].sel(seed=seed, model=model, moment=moment).values
    barriers = pair_barriers(dataset, seed, model, moment).values
    import networkx as nx  # only this page needs it

    graph = nx.Graph(threshold=limit)
    if np.isnan(limit) or np.isnan(distances).any() or np.isnan(barriers).any():
        return graph
    for node, (x, y) in enumerate(pushed_apart(scaled_to_plane(distances))):
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
    frame = pd.DataFrame(rows, columns=COLUMNS)
    return described(frame, UNITS, dataset, q=q, n=n, seed=seed, model=model, moment=moment)


def permutation_graph(
    dataset: xr.Dataset,
    seed: int,
    model: str,
    moment: str,
    q: float,
    n: int,
    all_pairs: bool = False,
    chosen: int | None = None,
) -> go.Figure:
    """Nodes by their distance, edges coloured by barrier: solid where ≤ λ, faint and dotted above.

    Drawn from `permutation_graph_data`. Markers along the edges, of which only those in the middle are visible, have
    the index of their pair as customdata, so that a click anywhere on an edge names it for `edge_curve`; nodes have
    none. The edge of the `chosen` pair has a wide line under it.
    """
    frame = permutation_graph_data(dataset, seed, model, moment, q, n, all_pairs)
    greatest = greatest_on(frame)
    if greatest is None:
        return empty_figure("This walk has not been computed yet.")
    figure = go.Figure()
    _add_chosen(figure, frame[frame["pair"] == chosen])
    _add_edges(figure, frame.sort_values("barrier", ascending=False), greatest)
    _add_handles(figure, frame)
    _add_middles(figure, frame, greatest)
    _add_nodes(figure, frame)
    _add_line_legend(figure, frame["threshold"].iloc[0])
    title = "MDS axis {} (1)"
    figure = finish(figure, title.format(1), title.format(2), height=500)
    figure.update_yaxes(range=_range(frame, "y"), scaleanchor="x", constrain="domain", zeroline=False)
    figure.update_xaxes(range=_range(frame, "x"), constrain="domain", zeroline=False)
    figure.update_xaxes(title_standoff=None)  # or Plotly places the title before it shrinks the axis to equal scales
    # a click on an edge changes the figure; what was moved or zoomed stays
    return figure.update_layout(clickmode="event+select", dragmode="pan", uirevision=f"{seed} {model} {moment}")


def edge_curve_data(
    dataset: xr.Dataset, seed: int, model: str, moment: str, pair: int, splits: tuple[str, ...] = SPLITS
) -> pd.DataFrame:
    """The loss along one edge, given by the index of its pair; rows as in `interpolation_data`."""
    return interpolation_data(dataset, seed, model, moment, [pair_nodes(dataset, pair)], splits)


def edge_curve(
    dataset: xr.Dataset,
    seed: int,
    model: str,
    moment: str,
    pair: int,
    splits: tuple[str, ...] = SPLITS,
    greatest: float | None = None,
) -> go.Figure:
    """The loss along one edge, drawn from `edge_curve_data`; `greatest` as for `interpolation`."""
    return interpolation(dataset, seed, model, moment, [pair_nodes(dataset, pair)], splits, greatest)


def greatest_on(edges: pd.DataFrame) -> float | None:
    """The end of the scale of colours of a graph with these edges, from `permutation_graph_data`; None without any."""
    if edges.empty:
        return None
    return float(max(edges["barrier"].max(), edges["threshold"].iloc[0], np.finfo(float).tiny))


def pair_nodes(dataset: xr.Dataset, pair: int) -> tuple[int, int]:
    """The two nodes of a pair. Raises ValueError for an index out of range."""
    if not 0 <= pair < dataset.sizes["pair"]:
        raise ValueError(f"pair must be from 0 to {dataset.sizes['pair'] - 1}; got {pair}")
    return int(dataset["pair_from"][pair]), int(dataset["pair_to"][pair])


def _range(frame: pd.DataFrame, axis: str) -> list[float]:
    """The range of an axis, with room for the nodes; nodes on a line have room on both of its sides too."""
    places = {each: frame[[f"from_{each}", f"to_{each}"]].values for each in "xy"}
    room = 0.12 * max(map(np.ptp, places.values()))
    return [places[axis].min() - room, places[axis].max() + room]


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


def _add_chosen(figure: go.Figure, edge: pd.DataFrame) -> None:
    for row in edge.itertuples():
        figure.add_scatter(
            x=[row.from_x, row.to_x], y=[row.from_y, row.to_y], mode="lines", hoverinfo="skip",
            line={"color": translucent(ACCENT, 0.8), "width": 18}, name="the chosen pair",
        )  # fmt: skip


def _add_handles(figure: go.Figure, frame: pd.DataFrame) -> None:
    """Invisible markers along each edge, for it to be clicked anywhere."""
    along = np.linspace(0, 1, HANDLES + 2)[1:-1]
    of_edge = frame.loc[frame.index.repeat(HANDLES)]
    x, y = (
        (frame[[f"from_{axis}"]].values * (1 - along) + frame[[f"to_{axis}"]].values * along).ravel() for axis in "xy"
    )
    figure.add_scatter(
        x=x, y=y, mode="markers", customdata=of_edge["pair"], showlegend=False,
        marker={"color": "rgba(0, 0, 0, 0)", "size": 16}, unselected={"marker": {"opacity": 0}},
        text=[_hover_text(row) for row in of_edge.to_dict("records")], hovertemplate="%{text}<extra></extra>",
    )  # fmt: skip


def _add_middles(figure: go.Figure, frame: pd.DataFrame, greatest: float) -> None:
    figure.add_scatter(
        x=(frame["from_x"] + frame["to_x"]) / 2, y=(frame["from_y"] + frame["to_y"]) / 2, mode="markers",
        customdata=frame["pair"], showlegend=False, unselected={"marker": {"opacity": 1}},
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
        f"node {edge['from']} – {edge['to']}<br>b̂ = {number(edge['barrier'], 4)} nats {sign} λ = "
        f"{number(edge['threshold'], 4)} nats<br>distance {number(edge['distance'])}"
    )


def _add_nodes(figure: go.Figure, frame: pd.DataFrame) -> None:
    """Dark where an edge exists, white where none does; a click elsewhere leaves their numbers as they are."""
    nodes = pd.concat([_ends(frame, "from"), _ends(frame, "to")]).drop_duplicates("node").sort_values("node")
    for alone, ground, text in ((False, DARK, "white"), (True, "white", DARK)):
        found = nodes[(nodes["degree"] == 0) == alone]
        figure.add_scatter(
            x=found["x"], y=found["y"], mode="markers+text", text=found["node"], textposition="middle center",
            textfont={"color": text, "size": 13}, showlegend=False,
            marker={"size": 24, "color": ground, "line": {"color": NEUTRAL, "width": 2}},
            hovertext=[f"node {row.node}<br>degree {row.degree}" for row in found.itertuples()], hoverinfo="text",
            unselected={"marker": {"opacity": 1}, "textfont": {"color": text}},
        )  # fmt: skip


def _ends(frame: pd.DataFrame, which: str) -> pd.DataFrame:
    """The nodes at one end of the edges."""
    columns = {which: "node", f"{which}_x": "x", f"{which}_y": "y", f"{which}_degree": "degree"}
    return frame[list(columns)].rename(columns=columns)


def _add_line_legend(figure: go.Figure, limit: float) -> None:
    for name, dash, width in ((f"b̂ ≤ λ = {number(limit)} nats: an edge", "solid", 4), ("b̂ > λ: no edge", "dot", 1.5)):
        line = {"color": NEUTRAL, "dash": dash, "width": width}
        figure.add_scatter(x=[None], y=[None], mode="lines", name=name, line=line)
