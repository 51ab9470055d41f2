"""What predicts the gain: the rank correlation of each predictor with it, and the cost of each."""

from __future__ import annotations

import pandas as pd
import streamlit as st
import xarray as xr

from landscape.analysis.metric import initial_metric
from landscape.analysis.performance import best_gain
from landscape.analysis.ranking.correlation import LETTERS
from landscape.analysis.ranking.unranked import why_unranked
from landscape.analysis.wording import PARTIAL, REGRET, SAME_RANKS, enumeration, number
from landscape.figures import (
    predictor_cost_data,
    predictor_ranks,
    predictor_ranks_data,
    predictor_scores,
    predictor_scores_data,
)
from landscape.figures.export import alternatives as said
from landscape.study.predictors import METRIC, PREDICTORS, SOTL_E, predictor_named
from pages.shared import caveats, library, ranking, show
from pages.shared.controls import chosen, first_view

dataset = library.dataset()
q, n, measure, rank, also = chosen("q", "n", "measure", "rank", "also")
studies = library.beside(also or [])
ranks = predictor_ranks_data(studies, q, n, measure, [rank])
costs = predictor_cost_data(dataset)


def answer(dataset: xr.Dataset, rows: pd.DataFrame) -> str:
    """How well M₀ and the others rank the candidates, or why M₀ has no rank."""
    if ranked(rows):
        return f"{ranking.answer(rows, rank)}{ranking.doubt(dataset, measure)}"
    scores = initial_metric(dataset, q, int(rows["n"].iloc[0]))
    return why_unranked(scores, best_gain(dataset, measure))


def ranked(rows: pd.DataFrame) -> bool:
    """Whether M₀ ranks the candidates of a study in any seed."""
    return bool(rows.set_index("predictor").loc[METRIC, "count"])


def speed(costs: pd.DataFrame) -> str:
    """The paper's claim about speed, compared with what was measured."""
    seconds = costs.set_index("predictor")["seconds"].dropna()
    proxies = seconds.drop([METRIC, SOTL_E], errors="ignore")
    if METRIC not in seconds.index or proxies.empty:
        return "No times have been measured yet."
    faster = [predictor_named(name).name for name in proxies.index if proxies[name] < seconds[METRIC]]
    least, most = number(proxies.min(), 2), number(proxies.max(), 2)
    times = f"The walk took {number(seconds[METRIC])} s, the proxies {least} to {most} s."
    if not faster:
        return f"{times} M₀ is the fastest here, as the paper says (A.2.3)."
    names = f"{enumeration(faster)} {'are' if len(faster) > 1 else 'is'}"
    return f"{times} The paper says that M₀ is faster than every baseline (A.2.3); here {names} faster."


with first_view():
    for label, each in studies.items():
        st.markdown((f"**{label}**: " if len(studies) > 1 else "") + answer(each, ranks[ranks["study"] == label]))
    show.chart(
        predictor_ranks(studies, q, n, measure, rank),
        "predictors",
        said.predictors_text(ranks),
        lambda: predictor_ranks_data(studies, q, n, measure),
    )
for label, rows in ranks.groupby("study", sort=False):
    if len(studies) > 1:
        st.markdown(show.bold(str(label)))
    if ranked(rows):
        st.markdown(" ".join(filter(None, (ranking.beyond_size(rows, rank), ranking.regret(rows, measure)))))
    st.table(ranking.table(rows, rank, measure), hide_index=True, border="horizontal")
st.caption(f"{PARTIAL.replace('τ', LETTERS[rank])} {REGRET}")
caveats.beside(dataset, q, n)
if missing := caveats.undefined(dataset):
    st.caption(missing)
st.header("What each predicts, and what happened")
show.chart(
    predictor_scores(dataset, q, n, measure),
    "scores",
    said.scores_text(predictor_scores_data(dataset, q, n, measure)),
    lambda: predictor_scores_data(dataset, q, n, measure),
)
st.header("What each costs")
entry = library.chosen().entry
device = f" on {entry.record['device']}" if entry else ""
st.markdown(f"{speed(costs)} Times are for the largest candidate, {show.escaped(costs['candidate'].iloc[0])}{device}.")
show.grid(
    costs.drop(columns=["predictor", "candidate"]),
    {
        "name": "predictor",
        "forward_passes": "forward passes",
        "backward_passes": "backward passes",
        "gradients_of": "gradients of",
        "needs_data": "data",
        "needs_training": "training",
        "seconds": st.column_config.NumberColumn("time (s)", format="%.3g"),
        "compile_seconds": st.column_config.NumberColumn("compilation, once (s)", format="%.2g"),
    },
)
show.table("costs", lambda: costs)
with st.expander("Definitions of the predictors (A.2.3)"):
    for predictor in map(predictor_named, dict.fromkeys([*PREDICTORS, *dataset["predictor"].values.tolist()])):
        st.markdown(f"**{predictor.name}** ({predictor.reference}). {predictor.note}")
        st.latex(predictor.definition)
show.definition(
    r"\begin{gathered}"
    r"\tau\left(\text{predictor}(\theta^{(0)}),\; G^*_T\right) \text{ over the candidates of one base}\\"
    r"\tau_{xy \cdot z} = \frac{\tau_{xy} - \tau_{xz} \tau_{yz}}{\sqrt{(1 - \tau_{xz}^2)(1 - \tau_{yz}^2)}}\\"
    r"\max_i G^*_i - \operatorname{mean}_{i \in P} G^*_i\end{gathered}",
    "section 4.1, figures 2 and 7, table 4; Kendall 1942; ours",
    "Bars are means over seeds with 95 % Student's t intervals, cut off at −1 and 1. τ is Kendall's $\\tau_b$: ties, "
    "such as candidates at the ceiling of M₀ or scores that exact widening does not change, count neither for nor "
    "against. Partial τ has x for the predictor, y for G* and z for the parameter count; where all counts are equal, "
    "it is τ itself. Regret (ours) has P for the candidates that share the predictor's highest score. In the table of "
    "costs, n is the number of permutations and s the number of training steps per epoch. "
    f"{SAME_RANKS}",
)
