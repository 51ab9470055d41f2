"""Lesson 5: widening."""

from __future__ import annotations

import numpy as np
import streamlit as st
from scipy.stats import kendalltau, pearsonr, spearmanr

from landscape.analysis.metric import manifold_size, threshold
from landscape.analysis.wording import number
from landscape.figures import lessons
from landscape.lessons.barriers import steps, swap_barriers, walk_barriers
from landscape.lessons.network import Tiny, loss
from landscape.lessons.training import moons, trained
from landscape.lessons.widening import Shares, parents, widened
from pages.shared import lesson

UNITS, SEED, N, Q = 8, 2, 200, 0.4
WIDTHS = tuple(range(UNITS, 33, 2))
NOISE = {"none": 0.0, "5 %": 0.05, "20 %": 0.2}


@st.cache_data(show_spinner="Walking through copies of every width …")
def metric_by_width(shares: Shares, noise: float) -> list[float]:
    """M₀ in percent for each width."""
    sizes = [widened(trained(UNITS, SEED), width, shares, noise) for width in WIDTHS]
    limit = threshold(walked(sizes[0]), Q)
    return [100 * float(manifold_size(walked(each), limit) - manifold_size(walked(sizes[0]), limit)) for each in sizes]


def walked(network: Tiny) -> np.ndarray:
    """The barriers of a walk of N steps."""
    return walk_barriers(network, steps("⌈log₂ l⌉ swaps", N, network.units), moons())


base = trained(UNITS, SEED)
words, picture = lesson.screen()
with words:
    lesson.prose(
        f"To widen a trained base of {UNITS} units, Net2Net copies some of them: a copy (2′) has the incoming weights "
        "of its unit (2), and the two share its outgoing weights, so that the function stays the same. The map shows "
        "b̂ for every swap of two units: white means no barrier, and each frame holds the copies of one unit. Drag the "
        "width."
    )
    units = lesson.control("units")
    with st.container(horizontal=True, gap="medium"):
        shares, noise = lesson.control("shares"), lesson.control("noise")
    wide = widened(base, units, shares, NOISE[noise])
    between = swap_barriers(wide, moons())
    metric = metric_by_width(shares, NOISE[noise])
    tau, rho, r = (float(each(WIDTHS, metric).statistic) for each in (kendalltau, spearmanr, pearsonr))
    change = float(loss(wide, moons()) - loss(base, moons()))
    seen = lesson.guess(
        "widening",
        "What does M₀ do as units are copied, before any training?",
        ("it stays at 0", "it grows", "it falls"),
        "it grows",
        "Copies are connected by construction, so more copies mean more edges. The parameter count grows too, and "
        f"costs nothing: over these widths, its rank correlation with M₀ (Kendall's τ) is {tau:.2f}.",
    )
    if seen:
        st.markdown(
            f"M₀ = **{metric[WIDTHS.index(units)]:.0f} %**; the loss changes by {number(round(change, 3))} nats. "
            f"Spearman's ρ is {rho:.2f}, Pearson's r {r:.2f}."
        )
with picture:
    lesson.picture(
        lessons.widening(between, parents(UNITS, units), WIDTHS, metric, Q, whole=seen),
        "widening",
        f"Barriers of all swaps of two of {units} units. Between copies of one unit there is "
        f"{'none' if not NOISE[noise] else 'hardly any'}; M₀ grows with the width, from 0 to {metric[-1]:.0f} percent.",
    )
lesson.ending(
    "widening",
    "Copies that are exactly equal get equal gradients. How do they ever become different?",
    "With equal shares they never would, so Net2Net adds a little noise, which changes the function a little. Random "
    "shares keep the function exactly, and the copies get different gradients all the same.",
)
