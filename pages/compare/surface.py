"""How wide the valleys are: the loss on the plane through three permuted minima, for each model."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from landscape.analysis.wording import number, part_of
from landscape.figures import (
    surface_barriers_data,
    surface_contours,
    surface_data,
    surface_models,
    surface_relief,
)
from landscape.figures.export.alternatives import surface_text
from landscape.study.schema import BASE
from pages.shared import library, show
from pages.shared.controls import chosen, first_view, moment_of

MEASURED = ("digits-mlp", "mlp-cifar10")  # shipped studies with a surface
COLUMNS = {
    "from": st.column_config.NumberColumn("from node"),
    "to": st.column_config.NumberColumn("to node"),
    "distance": st.column_config.NumberColumn("distance (1)", format="%.3g"),
    "barrier": st.column_config.NumberColumn("barrier b (nats)", format="%.3g"),
}


def sentence(highest: pd.Series) -> str:
    """In how many candidates the valley is wider than in the base, from the highest barrier by model in nats."""
    lowest = highest.idxmin()
    least = f"It rises least between the copies of {show.bold(lowest)}, by at most {number(highest[lowest])} nats."
    if BASE not in highest:
        return least.replace("It", "The loss", 1)
    of_base, others = highest[BASE], highest.drop(BASE)
    lower = int((others < of_base).sum())
    found = (
        f"Between the copies of the **base**, the loss rises by at most {number(of_base)} nats, and by less in "
        f"{part_of(lower, len(others), 'candidate')}: {_said(lower, len(others))}."
    )
    return found if lowest == BASE else f"{found} {least}"


def _said(lower: int, candidates: int) -> str:
    if lower == candidates:
        return "their valleys are wider"
    return "no valley is wider than that of the base" if lower == 0 else "not every valley is wider"


dataset = library.dataset()
words, scale, form = chosen("moment", "loss_scale", "form")
moment, log = moment_of(words), scale == "log"
models = surface_models(dataset, moment)
draw = surface_relief if form == "relief" else surface_contours
if not models:
    st.info(
        "This study has no surface, which is measured for the first seed where `walk.surface` is not 0. "
        f"{' and '.join(f'[{each}](surface?study={each})' for each in MEASURED)} have one."
    )
else:
    barriers = surface_barriers_data(dataset, moment)
    highest = barriers.groupby("model", sort=False)["barrier"].max()
    with first_view():
        st.markdown(sentence(highest))
        for place, model in zip(show.panels(len(models)), models, strict=True):
            with place:
                st.markdown(f"{show.bold(model)}: barriers up to {number(highest[model])} nats")
                figure = draw(dataset, model, moment, log)
                show.chart(figure, f"surface-{model}", surface_text(barriers[barriers["model"] == model]))
    show.table("surface", lambda: surface_data(dataset, moment))
    with st.expander("Barriers along the sides of the triangle"):
        show.grid(barriers, COLUMNS)
        show.table("surface-barriers", lambda: barriers)
show.definition(
    r"\mathcal L\left(\theta_1 + x\,e_1 + y\,e_2\right), \qquad e_1 = \frac{\theta_2 - \theta_1}"
    r"{\lVert\theta_2 - \theta_1\rVert}, \qquad e_2 \propto (\theta_3 - \theta_1) - "
    r"\left\langle\theta_3 - \theta_1, e_1\right\rangle e_1",
    "figure 1; Garipov et al., 2018",
    "θ₁ is the network itself; θ₂ and θ₃ are the next two distinct nodes of its permutation walk. x and y are "
    "distances in parameter space. The loss is the mean cross-entropy of the first seed on the batch of training data "
    "on which barriers are measured. The barrier along a side is the greatest height above the chord at 25 points.",
)
