"""What lies between two minima: the loss along the line between them."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from landscape.analysis import wording
from landscape.analysis.wording import number, of_split
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


def sentence(barriers: pd.DataFrame) -> str:
    """How high the barriers of the first split are, in words; `barriers` is from `interpolation_barriers`."""
    split = barriers["split"].iloc[0]
    rows, on = barriers[barriers["split"] == split].sort_values("barrier"), f"on {of_split(split)} data"
    low, high = rows.iloc[0], rows.iloc[-1]
    least, greatest = (f"**{number(each['barrier'])}**" for each in (low, high))
    if not high["barrier"]:
        return f"The loss rises nowhere above the chord {on}."
    if least == greatest:
        return f"The loss rises by {greatest} nats above the chord {on}."
    return f"The loss rises above the chord by {least} ({low['curve']}) to {greatest} nats ({high['curve']}) {on}."


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
barriers = interpolation_barriers(data)
with first_view():
    if not barriers.empty:
        st.markdown(sentence(barriers))
    show.chart(figure, "interpolation", said.interpolation_text(barriers), lambda: data)
if not barriers.empty:
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
    "trained and aligned: the second one's units are permuted to resemble the first one's (weight matching, Ainsworth "
    "et al., 2022); BatchNorm's running statistics move along with their units and have no say.",
)
