"""How high the barriers are: their histograms, and λ."""

from __future__ import annotations

import streamlit as st

from landscape.analysis.clones.connected import sentences
from landscape.figures import barrier_histogram, barrier_histogram_data, manifold_sizes_data
from landscape.figures.export import alternatives as said
from pages.shared import caveats, library, show
from pages.shared.controls import chosen, first_view

COLUMNS = {
    "threshold": st.column_config.NumberColumn("λ (nats)", format="%.4g"),
    "size": st.column_config.NumberColumn("m (1)", format="%.3f"),
    "low": st.column_config.NumberColumn("95 % interval from", format="%.3f"),
    "high": st.column_config.NumberColumn("to", format="%.3f"),
    "metric": st.column_config.NumberColumn("M (%)", format="%.1f"),
}

dataset = library.dataset()
q, n, seed, epochs, scale = chosen("q", "n", "pool", "checkpoint", "scale")
checkpoint = int(epochs)
view = (dataset, None if seed == "all" else int(seed), checkpoint, q, n)
with first_view():
    show.chart(
        barrier_histogram(*view, log=scale == "log"),
        "barriers",
        said.histogram_text(manifold_sizes_data(*view)),
        lambda: barrier_histogram_data(*view, log=scale == "log"),
    )
sizes = manifold_sizes_data(*view)
with st.expander("Manifold sizes, seed by seed"):
    show.grid(sizes, COLUMNS)
    show.table("sizes", lambda: sizes)
for sentence in sentences(dataset, q, n) if checkpoint == 0 else ():
    st.caption(show.escaped(sentence))
caveats.beside(dataset, q, n, checkpoint)
show.definition(
    r"\hat b_i = \left|\mathcal L\left(\tfrac12\theta_i + \tfrac12\theta_{i+1}\right) - \tfrac12"
    r"\left(\mathcal L(\theta_i) + \mathcal L(\theta_{i+1})\right)\right|, \qquad \lambda = B^*_q, \qquad"
    r" m = \frac{\#\{i \le n : \hat b_i \le \lambda\}}{n}",
    "equation 1 at α = ½, sections 3.2 and 3.3, Algorithm 1",
    "B* are the barriers of the base with the same seed, in nats, on one batch of training data. λ and n are the same "
    "for all candidates of that base. The interval of m is that of Clopper and Pearson.",
)
