"""Whether M is small where the loss is sharp, as the paper explains that M falls."""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st

from landscape.analysis.ranking.correlation import LETTERS, Kind
from landscape.analysis.wording import counted, interval, minus, together
from landscape.figures import metric_trajectories, metric_trajectories_data
from landscape.figures.mechanism import (
    sharpness_correlations_data,
    sharpness_trajectories,
    sharpness_trajectories_data,
)
from pages.shared import library, show
from pages.shared.controls import chosen, first_view


def sentence(frame: pd.DataFrame, which: str, kind: Kind) -> str:
    """Whether M_t is smaller where the loss is sharper, by the interval over seeds."""
    row = next((row for row in frame.to_dict("records") if row["candidate"] == "all"), None)
    if row is None:
        return "Too few checkpoints have both M and the sharpness to say whether they go together."
    named = f"the {which} of the Hessian"
    told = minus(interval(row["mean"], row["low"], row["high"], 2))
    if row["high"] < 0:
        found = f"Yes: Mₜ is smaller where {named} is greater"
    elif row["low"] > 0:
        found = f"No, on the contrary: Mₜ is greater where {named} is greater"
    else:
        found = f"Not decided: Mₜ and {named} may not go together"
    return (
        f"{found}. Over the checkpoints of a candidate, their rank correlation is "
        f"{LETTERS[kind]}{together(' = ')}**{told}**, the mean over candidates and {counted(row['count'], 'seed')}."
    )


dataset = library.dataset()
if not dataset["sharpness"].notnull().any():
    st.info(
        "The Hessian was not measured in this study, since that takes about a hundred gradients at every checkpoint. "
        "The preset [digits-mechanism](sharpness?study=digits-mechanism) asks for it, as does any study with "
        "`walk.sharpness`."
    )
else:
    q, n, which, rank, axis = chosen("q", "n", "hessian", "rank", "epochs_axis")
    log, table = axis == "log", sharpness_correlations_data(dataset, q, n, which, rank)
    with first_view():
        st.markdown(sentence(table, which, rank))
        left, right = show.panels(2)
        with left:
            st.header("Sharpness")
            data = partial(sharpness_trajectories_data, dataset, which)
            show.lines(sharpness_trajectories(dataset, which, log), "sharpness", f"Sharpness ({which})", data)
        with right:
            st.header("Manifold metric")
            data = partial(metric_trajectories_data, dataset, q, n)
            show.lines(metric_trajectories(dataset, q, n, log), "metric-beside-sharpness", "Manifold metric", data)
    with st.expander("The correlation of each candidate"):
        numbers = {name: st.column_config.NumberColumn(format="%.2f") for name in ("mean", "std", "low", "high")}
        show.grid(table, numbers)
        show.table("sharpness-correlations", lambda: table)
show.definition(
    r"H = \nabla^2_\theta L(\theta^{(t)}), \qquad \lambda_{\max}(H), \qquad"
    r" \operatorname{tr} H = \mathbb E\left[v^\top H v\right],\ v_i = \pm 1, \qquad"
    r" \tau\left(\lambda_{\max}, M_t\right) \text{ over } t",
    "section 4.3; Cohen et al., 2021; Hutchinson, 1989",
    "L is the mean cross-entropy on the batch of training data on which barriers are measured. The largest "
    "eigenvalue of H is found by Lanczos iteration (ARPACK), and the trace from 64 random vectors; its standard error "
    "is a column of the CSV. "
    "The correlation is over the checkpoints of one candidate and seed, and its interval over seeds. Both quantities "
    "follow the same training, so that they may go together without one causing the other. Widening rescales outgoing "
    "weights without changing the function, which changes H: compare a candidate with itself over t.",
)
