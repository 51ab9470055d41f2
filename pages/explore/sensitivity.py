"""How much the choice of q and n matters: the rank correlation for each pair of them."""

from __future__ import annotations

import streamlit as st
import xarray as xr

from landscape.analysis.intervals import over_seeds
from landscape.analysis.mechanism.batches import batch_metric, best_known_batches, variances
from landscape.analysis.metric import metric_grid
from landscape.analysis.performance import best_gain
from landscape.analysis.ranking.correlation import RANGE, sensitivity
from landscape.analysis.ranking.unranked import why_unranked
from landscape.analysis.walks import steps_reached
from landscape.analysis.wording import counted, minus, number, of_split
from landscape.figures import fine_grid, paper_grid, sensitivity_data, sensitivity_map
from landscape.figures.export import alternatives as said
from landscape.figures.mechanism import batch_metrics, batch_metrics_data, batch_variances_data
from pages.shared import caveats, library, show
from pages.shared.controls import chosen, first_view
from pages.shared.ranking import doubt

dataset = library.dataset()
q, n, measure, rank, grid, also = chosen("q", "n", "measure", "rank", "grid", "also")


def sentence(dataset: xr.Dataset, n: int) -> str:
    """The correlation at the current q and n, in words."""
    here = over_seeds(sensitivity(dataset, [q], [n], measure, rank).squeeze(("q", "n")), within=RANGE)
    if (count := int(here["count"])) == 0:
        return why_unranked(metric_grid(dataset, [q], [n]), best_gain(dataset, measure))
    known = here["low"].notnull()
    interval = f" (95 % interval {float(here['low']):.2f} to {float(here['high']):.2f})" if known else ""
    mean, seeds = float(here["mean"]), f"{'the mean of' if count > 1 else 'from'} {counted(count, 'seed')}"
    told = f"At q = {q:g} and n = {n}, the correlation is **{mean:.2f}**, {seeds}{interval}."
    return minus(told) + doubt(dataset, measure)


def draw(label: str, dataset: xr.Dataset, first: bool) -> None:
    """Draw the map of one study. On that of the chosen study, a click selects q and n."""
    qs, ns = (fine_grid if grid == "fine" else paper_grid)(dataset)
    whole = min(n, steps_reached(dataset))
    st.markdown(sentence(dataset, whole))
    show.chart(
        sensitivity_map(dataset, qs, ns, measure, rank, (q, whole)),
        "sensitivity" if first else f"sensitivity-{label}",
        said.sensitivity_text(sensitivity_data(dataset, qs, ns, measure, rank)),
        lambda: sensitivity_data(dataset, qs, ns, measure, rank),
        **({"on_select": choose, "selection_mode": "points"} if first else {}),
    )


def of_the_batch(batches: xr.DataArray) -> str:
    """How much of what is uncertain in M₀ the batch makes, where it was measured most often."""
    place = best_known_batches(batches)
    if place is None:
        return "Of no size there are two batches, so how much the batch matters is not known."
    split, size = place
    found = variances(batches.sel(split=split, batch_size=size)).mean("candidate")
    seed, batch, both = (number(float(found[name]) ** 0.5, 2) for name in ("seed", "batch", "both"))
    return (
        f"Batches of {size:,} {of_split(split)} examples move M₀ in all seeds alike by a standard deviation of "
        f"**{batch} %**; seeds move it by **{seed} %**, and what depends on both by {both} %. Of the variance of a "
        f"mean over seeds on one batch, **{100 * float(found['share']):.0f} %** is owed to the batch and missing in "
        "the interval."
    )


def choose() -> None:
    """Select the q and n of the cell that was clicked."""
    points = st.session_state["chart-sensitivity"]["selection"]["points"]
    if points and points[0].get("customdata"):
        q, n = list(points[0]["customdata"])[:2]
        st.session_state["q"], st.session_state["n"] = round(float(q), 4), int(n)


studies = library.beside(also or [])
with first_view():
    places = show.panels(len(studies)) if len(studies) > 1 else [st.container()]
    for i, (label, each) in enumerate(studies.items()):
        with places[i]:
            if len(studies) > 1:
                st.header(label)
            draw(label, each, i == 0)
caveats.beside(dataset, q, n)
st.header("How much does the batch matter?")
whole = min(n, steps_reached(dataset))
batches = batch_metric(dataset, q, whole)
if not batches.size or batches.isnull().all():
    st.info(
        "This study measured M₀ on one batch, so its intervals do not include what another batch would change. "
        "The preset [digits-mechanism](sensitivity?study=digits-mechanism) measures it on many, as does any study with "
        "`walk.batches`."
    )
else:
    st.markdown(of_the_batch(batches))
    show.chart(
        batch_metrics(dataset, q, whole),
        "batches",
        of_the_batch(batches).replace("*", ""),
        lambda: batch_metrics_data(dataset, q, whole),
    )
    show.table("variances", lambda: batch_variances_data(dataset, q, whole))
    st.caption(
        "Each point is M₀ on one of several disjoint batches, the mean over seeds. All seeds are measured on the same "
        "batches; base and candidate too, so that λ is that of the batch."
    )
show.definition(
    r"\tau\left(M_0(q, n), G^*_T\right), \qquad \lambda = B^*_q[1 : n]",
    "section 4.5, A.2.2, figure 6",
    "The values for a smaller n come from the first n steps of the same walk. The paper's grid has q ∈ {0.05, 0.1, "
    "0.2, 0.4} and n ∈ {50, 100, 250, 500, 1000}. Ties, such as those at the ceiling 1 − q, lower Kendall's $\\tau_b$.",
)
