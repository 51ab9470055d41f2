"""How high the barriers are: their histograms, and λ."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from landscape.analysis.clones.connected import sentences
from landscape.analysis.wording import minus
from landscape.figures import barrier_histogram, barrier_histogram_data, manifold_sizes_data
from landscape.figures.export import alternatives as said
from landscape.study.schema import BASE
from pages.shared import caveats, library, show
from pages.shared.controls import chosen, first_view

COLUMNS = {
    "threshold": st.column_config.NumberColumn("λ (nats)", format="%.4g"),
    "size": st.column_config.NumberColumn("m (1)", format="%.3f"),
    "low": st.column_config.NumberColumn("95 % interval from", format="%.3f"),
    "high": st.column_config.NumberColumn("to", format="%.3f"),
    "metric": st.column_config.NumberColumn("M (%)", format="%.1f"),
}


def sentence(sizes: pd.DataFrame) -> str:
    """How much of the base and of the candidate with the greatest M is at most λ; `sizes` is what the page lists."""
    means = sizes.groupby("model")[["size", "metric"]].mean()
    base, candidates = means.loc[BASE], means.drop(index=BASE)
    told = f"Of the steps of the base, **{100 * base['size']:.1f} %** have a barrier of at most λ"
    if candidates.empty:
        return f"{told}."
    best = candidates["metric"].idxmax()
    m, metric = 100 * candidates.loc[best, "size"], candidates.loc[best, "metric"]
    more = f"; of all candidates, {show.bold(best)} has most, **{m:.1f} %**, so that M = {metric:+z.1f} %."
    return minus(told + more)


dataset = library.dataset()
q, n, seed, epochs, scale = chosen("q", "n", "pool", "checkpoint", "scale")
checkpoint = int(epochs)
view = (dataset, None if seed == "all" else int(seed), checkpoint, q, n)
sizes = manifold_sizes_data(*view)
with first_view():
    if not sizes.empty:
        st.markdown(sentence(sizes))
    show.chart(
        barrier_histogram(*view, log=scale == "log"),
        "barriers",
        said.histogram_text(sizes),
        lambda: barrier_histogram_data(*view, log=scale == "log"),
    )
with st.expander("Manifold sizes, seed by seed"):
    show.grid(sizes, COLUMNS)
    show.table("sizes", lambda: sizes)
for caveat in sentences(dataset, q, n) if checkpoint == 0 else ():
    st.caption(show.escaped(caveat))
caveats.beside(dataset, q, n, checkpoint)
show.definition(
    r"\hat b_i = \left|\mathcal L\left(\tfrac12\theta_i + \tfrac12\theta_{i+1}\right) - \tfrac12"
    r"\left(\mathcal L(\theta_i) + \mathcal L(\theta_{i+1})\right)\right|, \qquad \lambda = B^*_q, \qquad"
    r" m = \frac{\#\{i \le n : \hat b_i \le \lambda\}}{n}",
    "equation 1 at α = ½, sections 3.2 and 3.3, Algorithm 1",
    "B* are the barriers of the base with the same seed, in nats, on one batch of training data. λ and n are the same "
    "for all candidates of that base. The interval of m is that of Clopper and Pearson.",
)
