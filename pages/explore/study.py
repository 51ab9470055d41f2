"""Which expansion pays off: the answer of the chosen study."""

from __future__ import annotations

import streamlit as st

from landscape.analysis.ranking.decision import RULE, decide, sentence
from landscape.analysis.wording import SAME_RANKS
from landscape.figures import (
    COSTS,
    cost_gain,
    cost_gain_data,
    overview,
    overview_data,
    predictor_ranks_data,
    rank_comparison,
    rank_comparison_data,
)
from landscape.figures.export import alternatives
from pages.shared import answer, caveats, compute, library, ranking, show
from pages.shared.controls import chosen, first_view

dataset = library.dataset()
q, n, measure, rank, cost = chosen("q", "n", "measure", "rank", "cost")
frame = overview_data(dataset, q, n, measure)
ranks = rank_comparison_data(dataset, q, n, measure, rank)
costs = cost_gain_data(dataset, measure)
axis = dict(zip(("parameters", "multiply-adds", "time"), COSTS, strict=True))[cost]
trained = bool(frame["best_gain"].notna().any())
with first_view():
    st.markdown(show.bold(sentence(decide(dataset, q, n, measure), measure)), help=RULE)
    if trained:
        show.chart(overview(dataset, q, n, measure), "overview", alternatives.overview_text(frame), lambda: frame)
    else:
        answer.metric_chart(dataset, q, n)
shown = answer.table(frame, costs, ranks, measure)
show.grid(shown, answer.columns_of(shown, frame, measure), answer.intervals(frame, measure))
predictors = predictor_ranks_data({"": dataset}, q, n, measure, [rank])
beyond = (ranking.beyond_size(predictors, rank), answer.picked(dataset, q, n), ranking.regret(predictors, measure))
said = [*answer.sentences(dataset, q, n, measure, rank), *beyond]
st.markdown("\n".join(f"- {each}" for each in said if each))
caveats.beside(dataset, q, n)
left, *right = show.panels(1 + trained)
with left:
    show.chart(
        rank_comparison(dataset, q, n, measure, rank),
        "ranks",
        alternatives.ranks_text(ranks),
        lambda: ranks,
    )
for place in right:
    with place:
        show.chart(cost_gain(dataset, measure, axis), "costs", alternatives.cost_gain_text(costs, axis), lambda: costs)
show.definition(
    r"M_0 = m(\theta^{(0)}, \lambda, n) - m(\phi^*, \lambda, n), \qquad \lambda = B^*_q, \qquad"
    r" G^*_T = \max_{t \le T} A(\theta^{(t)}) - A(\phi^*)",
    "equation 2 and section 4.1",
    "m is the fraction of the n steps of a permutation walk whose midpoint barrier is at most λ (Algorithm 1). φ* is "
    "the base, θ⁽ᵗ⁾ the candidate t epochs after its expansion, and A the performance on validation data. The control "
    "(ours) is the base trained on for as many epochs with a fresh optimiser and without expansion; G* − control is "
    "the gain beyond its own G*, seed by seed. "
    f"{SAME_RANKS}",
)
with st.expander("What these numbers do not say"):
    st.markdown("\n".join(f"- {sentence}" for sentence in caveats.limits(dataset)))
compute.cite(q, n)
compute.record()
