"""What lies between two minima: the loss along the line between them."""

from __future__ import annotations

import streamlit as st

from landscape.analysis import wording
from landscape.figures import (
    interpolation,
    interpolation_barriers,
    interpolation_data,
    seed_interpolation,
    seed_interpolation_data,
    start_pairs,
    step_pairs,
)
from landscape.figures.export import alternatives as said
from landscape.study.schema import SPLITS
from pages.shared import library, show
from pages.shared.controls import COPIES, SEEDS, chosen, first_view, moment_of

COLUMNS = {
    "split": "data",
    "barrier": st.column_config.NumberColumn("barrier b (nats)", format="%.4g"),
    "alpha": st.column_config.NumberColumn("at α (1)", format="%.3f"),
    "midpoint_barrier": st.column_config.NumberColumn("midpoint barrier b̂ (nats)", format="%.4g"),
}

dataset = library.dataset()
between, model, words, split = chosen("between", "model", "moment", "split")
moment, splits = moment_of(words), SPLITS if split == "both" else (split,)
if between == SEEDS:
    pair = int(chosen("pair")[0].split()[0])
    data = seed_interpolation_data(dataset, model, moment, pair, splits)
    figure = seed_interpolation(dataset, model, moment, pair, splits)
else:
    seed, count = chosen("seed", "curves")
    pairs = (start_pairs if between == COPIES else step_pairs)(dataset, count)
    data = interpolation_data(dataset, int(seed), model, moment, pairs, splits)
    figure = interpolation(dataset, int(seed), model, moment, pairs, splits)
with first_view():
    show.chart(figure, "interpolation", said.interpolation_text(interpolation_barriers(data)), lambda: data)
if not data.empty:
    barriers = interpolation_barriers(data)
    show.grid(barriers.drop(columns="dip"), COLUMNS)
    if barriers["dip"].any():
        st.markdown(wording.DIP)
    show.table("interpolation-barriers", lambda: barriers)
show.definition(
    r"b(\theta_1, \theta_2) = \sup_{\alpha \in [0, 1]} \mathcal L(\alpha\theta_1 + (1 - \alpha)\theta_2)"
    r" - \left[\alpha\mathcal L(\theta_1) + (1 - \alpha)\mathcal L(\theta_2)\right]",
    "Definition 1, equation 1",
    "In the figures, α = 0 is the first network, which is θ₂ in this formula; b is the same either way. The loss is "
    "measured in nats at 25 values of α, on a batch of training data and a batch of validation data. Permuted copies "
    "compute the same function, so both ends of a curve are equally high. Separately trained seeds are shown as "
    "trained, and after the second one's units have been matched to the first one's parameters (Ainsworth et al., "
    "2022); BatchNorm's running statistics move along with their units and have no say.",
)
