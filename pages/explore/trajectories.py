"""What training changes: the gain, the metric and their rank correlation over epochs."""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st

from landscape.analysis.metric import PAPER_QUANTILES
from landscape.analysis.performance import Measure, is_text
from landscape.analysis.wording import number
from landscape.figures import (
    correlation_trajectories,
    correlation_trajectories_data,
    gain_trajectories,
    gain_trajectories_data,
    metric_trajectories,
    metric_trajectories_data,
    perplexity_trajectories,
    perplexity_trajectories_data,
)
from landscape.figures.export.alternatives import correlation_text
from landscape.study.schema import CONTROL
from pages.shared import answer, caveats, library, show
from pages.shared.controls import chosen, first_view


def of_metric(frame: pd.DataFrame) -> str:
    """Where Mₜ begins and ends, in words; `frame` is from `metric_trajectories_data`."""
    means = frame[frame["candidate"] != CONTROL].groupby("checkpoint")["mean"].mean().dropna()
    if frame["checkpoint"].max() == 0:
        return "Nothing was trained in this study, so there is one point for each candidate, at t = 0."
    if len(means) < 2:
        return ""
    before, after = (f"**{number(each)} %**" for each in (means.iloc[0], means.iloc[-1]))
    return (
        f"On average over the candidates, Mₜ goes from {before} at epoch {means.index[0]} to {after} at epoch "
        f"{means.index[-1]}."
    )


def of_gain(frame: pd.DataFrame, measure: Measure) -> str:
    """Which candidate gains most, and what the control gains, in words; `frame` is from `gain_trajectories_data`."""
    best = frame.groupby("candidate")["best_gain"].first().dropna()
    control, best = best.get(CONTROL), best.drop(index=CONTROL, errors="ignore")
    if best.empty:
        return ""
    unit, beside = answer.unit(measure), "" if control is None else number(control, 2)
    if best.max() <= 0:
        return f"No candidate gains anything on average{f'; the control gains {beside} {unit}' if beside else ''}."
    told = f"{show.bold(best.idxmax())} gains most: G* is **{number(best.max(), 2)}** {unit}"
    return f"{told}{f', that of the control {beside}' if beside else ''}."


dataset = library.dataset()
q, n, measure, rank, axis, against = chosen("q", "n", "measure", "rank", "epochs_axis", "against")
log, reference = axis == "log", 1 if against == "itself at epoch 1" else None
gains, metrics = gain_trajectories_data(dataset, measure), metric_trajectories_data(dataset, q, n, reference)
with first_view():
    if said := " ".join(filter(None, (of_gain(gains, measure), of_metric(metrics)))):
        st.markdown(said)
    left, right = show.panels(2)
    with left:
        st.header("Performance gain")
        show.lines(gain_trajectories(dataset, measure, log), "gain", "Gain", lambda: gains)
    with right:
        st.header("Manifold metric")
        show.lines(metric_trajectories(dataset, q, n, log, reference), "metric", "Manifold metric", lambda: metrics)
places = show.panels(2) if is_text(dataset) else [st.container()]
with places[0]:
    st.header("Rank correlation")
    show.chart(
        correlation_trajectories(dataset, q, n, measure, rank, log, PAPER_QUANTILES), "correlation",
        correlation_text(correlation_trajectories_data(dataset, q, n, measure, rank), q),
        lambda: correlation_trajectories_data(dataset, q, n, measure, rank, PAPER_QUANTILES),
    )  # fmt: skip
if is_text(dataset):
    with places[1]:
        st.header("Perplexity")
        data = partial(perplexity_trajectories_data, dataset)
        show.lines(perplexity_trajectories(dataset, log), "perplexity", "Perplexity", data)
caveats.beside(dataset, q, n)
show.definition(
    r"G_t = A(\theta^{(t)}) - A(\phi^*), \qquad M_t = M(\theta^{(t)}, \phi^*), \qquad"
    r" \tau\left(M_t, G^*_T\right) \text{ over candidates}",
    "sections 4.1 and 4.3, figure 3",
    "t counts epochs after the expansion. A star marks $G^*_T$, the mean of the seeds' greatest gains, at the mean of "
    "the epochs at which they have it. SoTL-E is the sum of an epoch's training losses; the correlation shown is "
    "that of −SoTL-E, since a small sum predicts a large gain (Ru et al., 2021), and it is undefined at t = 0. A thick "
    "line shows $M_t$ at the chosen q, thin lines at the paper's values of q. A is validation accuracy in percent or, "
    "as in the paper for language models, −log(validation loss); perplexity is exp(validation loss) over masked "
    "tokens. Relative to itself at epoch 1, a candidate's metric is m(θ⁽ᵗ⁾) − m(θ⁽¹⁾), with λ the q-quantile of its "
    "own barriers at epoch 1 (A.2.7, figure 11). The rank correlation always uses the metric relative to the base. The "
    "control (ours), where the study has one, is the base trained on without expansion; it is walked as the base is.",
)
