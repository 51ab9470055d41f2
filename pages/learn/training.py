"""Lesson 6: training the candidates."""

from __future__ import annotations

import streamlit as st

from landscape.analysis.control import control_gain
from landscape.analysis.metric import manifold_metric
from landscape.analysis.performance import Measure, best_gain
from landscape.analysis.wording import minus
from landscape.figures import lessons, predictor_ranks_data
from landscape.study.predictors import METRIC, PARAMETERS
from pages.shared import lesson, library

Q = 0.4
MEASURE: Measure = "accuracy"

dataset = library.first()
if dataset is None:
    st.info(f"This lesson shows the study {library.FIRST}, which is not here. The next lesson does without it.")
    st.stop()
n, last = dataset.sizes["permutation"], int(dataset["checkpoint"][-1])
of_all = manifold_metric(dataset, Q, n).mean(("seed", "candidate"))
before, after = float(of_all.sel(checkpoint=0)), float(of_all.sel(checkpoint=last))
what = "it falls" if after < before else "it grows"
words, picture = lesson.screen()
with words:
    lesson.prose(
        "A real study: the base φ* reads digits with 6 hidden units, and candidates have 7 to 18. Each is trained for "
        f"T = {dataset.sizes['epoch'] - 1} epochs. At epoch t, the gain is Gₜ = A(θ⁽ᵗ⁾) − A(φ*), where A is the "
        "accuracy on validation data; G* is its greatest value. Mₜ is the manifold metric at that epoch. The control "
        "is the base trained on for as long without expansion: its gain is what training alone brings."
    )
    seen = lesson.guess(
        "training",
        "What does Mₜ do while the candidates train?",
        ("it grows", "it stays", "it falls"),
        what,
        f"Averaged over candidates, it goes from {before:.0f} % to {after:.0f} %; it can be at most 1 − q = "
        f"{100 * (1 - Q):.0f} %. At first the copies of a unit are equal; training makes them different, and barriers "
        "rise between them.",
    )
    if seen:
        ranks = predictor_ranks_data({"": dataset}, Q, n, MEASURE, ["kendall"]).set_index("predictor")
        gain = float(best_gain(dataset, MEASURE).mean("seed").max())
        told = (
            f"Best mean G* **{gain:.1f}** points, control {float(control_gain(dataset, MEASURE).mean()):.1f}. M₀ ranks "
            f"the candidates by G* with τ = **{ranks.loc[METRIC, 'mean']:.2f}**, the parameter count with "
            f"{ranks.loc[PARAMETERS, 'mean']:.2f}. Training only the candidate that M₀ picks loses "
            f"{ranks.loc[METRIC, 'regret_mean']:.2f} points compared with the best one: the regret."
        )
        st.markdown(minus(told))
with picture:
    lesson.picture(
        lessons.training(dataset, Q, n, MEASURE, whole=seen),
        "training",
        f"Gain and manifold metric over {last} epochs: the gains rise, and the metric goes from {before:.0f} to "
        f"{after:.0f} percent on average.",
    )
lesson.ending(
    "training",
    "M₀ and Mₜ can differ a lot. Which of the two should predict the gain, and why?",
    "M₀: it is known before anything is trained, and a prediction after the fact saves no training. What it must beat "
    "is the parameter count, which is known before as well and costs nothing.",
)
