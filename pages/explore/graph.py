"""Which copies are connected: the walk as a graph."""

from __future__ import annotations

import math

import streamlit as st

from landscape.analysis import wording
from landscape.analysis.curves import pair_barriers
from landscape.analysis.wording import counted, number, part_of
from landscape.figures import (
    edge_curve,
    edge_curve_data,
    greatest_on,
    interpolation_barriers,
    pair_nodes,
    permutation_graph,
    permutation_graph_data,
    step_pairs,
    walk_graph,
)
from landscape.figures.export import alternatives as said
from pages.shared import library, show
from pages.shared.controls import chosen, first_view, moment_of, node_pairs

TRAIN = ("train",)  # where the barrier of an edge is measured
FROM_CURRENT = (
    "Steps chain: each permutes the node before, so that neighbours are one draw of swaps apart, as in A.2.1. Read "
    "literally, Algorithm 1 permutes θ itself at every step, and neighbours are two draws apart; a study with "
    '`walk.start = "first"` does that.'
)
FROM_FIRST = (
    "Every step permutes θ itself, which is Algorithm 1 read literally, so neighbours are two draws of swaps apart. By "
    'default (`walk.start = "current"`) each step permutes the node before, and neighbours are one draw apart.'
)

dataset = library.dataset()
q, n, model, seed, words = chosen("q", "n", "model", "seed", "moment")
everything, edge = chosen("all_pairs", "edge")
pairs = node_pairs(dataset)
pair = pairs.index(edge)
view = (dataset, int(seed), model, moment_of(words))


def choose() -> None:
    """Show the curve of the edge that was clicked."""
    points = st.session_state["chart-graph"]["selection"]["points"]
    if points and points[0].get("customdata") is not None:
        data = points[0]["customdata"]
        st.session_state["edge"] = pairs[int(data[0] if isinstance(data, list | tuple) else data)]


def barrier_text(barrier: float, limit: float) -> str:
    """The barrier between the chosen nodes, and whether the graph has an edge there."""
    if not everything and pair_nodes(dataset, pair) not in step_pairs(dataset, dataset.sizes["node"] - 1):
        return f"{number(barrier)} nats; these nodes are not neighbours on the walk, so no step joins them"
    sign, what = ("≤", "an edge") if barrier <= limit else (">", "no edge")
    return f"{number(barrier)} nats {sign} λ = {number(limit)} nats: {what}"


graph, curve = walk_graph(*view, q, n, everything), edge_curve_data(*view, pair, TRAIN)
edges = permutation_graph_data(*view, q, n, everything)
with first_view():
    left, right = show.panels(2)
    with left:
        show.chart(
            permutation_graph(*view, q, n, everything, pair),
            "graph",
            said.graph_text(edges),
            lambda: edges,
            on_select=choose,
            selection_mode="points",
        )
    with right:
        st.header(f"Between nodes {edge.replace(' – ', ' and ')}")
        if graph.number_of_edges():
            told = barrier_text(float(pair_barriers(*view)[pair]), graph.graph["threshold"])
            st.markdown(f"On the training batch, b̂ = {told}.")
        show.chart(
            edge_curve(*view, pair, TRAIN, greatest_on(edges)),
            "edge",
            said.interpolation_text(interpolation_barriers(curve)),
            lambda: curve,
        )
        if interpolation_barriers(curve)["dip"].any():
            st.markdown(wording.DIP)
if graph.number_of_edges():
    nodes, present = graph.number_of_nodes(), sum(edge["present"] for *_, edge in graph.edges(data=True))
    what = part_of(present, graph.number_of_edges(), "node pair" if everything else "step")
    st.markdown(
        f"Edges at λ = {number(graph.graph['threshold'])} nats: {what}. "
        f"A walk of {counted(nodes, 'node')} has {counted(nodes - 1, 'barrier')} to measure, all pairs have "
        f"{math.comb(nodes, 2)}; for {counted(n, 'step')}, that is {n:,} instead of {math.comb(n + 1, 2):,}."
    )
    bad = [node for node, degree in graph.nodes(data="degree") if degree == 0]
    if bad and nodes > 2:
        st.markdown(
            f"{'Nodes' if len(bad) > 1 else 'Node'} without an edge: {', '.join(map(str, bad))}. Among all pairs, one "
            f"such node removes {nodes - 1} of the {math.comb(nodes, 2)} possible edges; on the walk it removes at "
            "most two."
        )
from_first = library.chosen().study.walk.start == "first"
show.definition(
    (r"\theta_{i+1} = P(\theta, \pi_i)" if from_first else r"\theta_{i+1} = P(\theta_i, \pi_i)")
    + r", \qquad i \text{ and } i + 1 \text{ connected} \iff \hat b_i \le \lambda,"
    r" \qquad e_\text{upper} = n \text{ instead of } \binom{n + 1}{2}",
    "section 3.2, Algorithm 1, A.2.1",
    "Each step swaps ⌈log₂ l⌉ pairs of the l units, drawn with replacement. "
    + (FROM_FIRST if from_first else FROM_CURRENT)
    + " The layout preserves distances in parameter space as well as a plane can (classical multidimensional scaling); "
    "nodes that would overlap are pushed apart.",
)
