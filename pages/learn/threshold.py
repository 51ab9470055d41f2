"""Lesson 4: where λ comes from."""

from __future__ import annotations

import numpy as np
import streamlit as st

from landscape.analysis.metric import manifold_size, threshold
from landscape.analysis.wording import minus, number
from landscape.figures import lessons
from landscape.lessons.barriers import steps, walk_barriers
from landscape.lessons.training import moons, trained
from landscape.lessons.widening import widened
from pages.shared import lesson

UNITS, SEED, OTHER, N = 8, 2, 3, 400


@st.cache_data
def barriers_of(units: int, seed: int = SEED) -> np.ndarray:
    """The barriers of the base, or of the base widened to so many units."""
    network = widened(trained(UNITS, seed), units)
    return walk_barriers(network, steps("⌈log₂ l⌉ swaps", N, units), moons())


words, picture = lesson.screen()
with words:
    lesson.prose(
        "That depends on the network, so the trained base φ* sets the scale itself: λ is the q-quantile of B*, the "
        "barriers of its own walk. Move q, and λ moves through the histogram. By construction, a fraction q of the "
        "base's barriers lies below λ. A candidate θ is the base with more units; it computes the same function."
    )
    q, units = lesson.control("q"), int(lesson.control("candidate"))
    base, candidate = barriers_of(UNITS), barriers_of(units)
    limit = float(threshold(base, q))
    of_base, of_candidate = float(manifold_size(base, limit)), float(manifold_size(candidate, limit))
    seen = lesson.guess(
        "threshold",
        "How many of the candidate's barriers lie below the same λ?",
        ("fewer than for the base", "as many", "more than for the base"),
        "more than for the base",
        "The difference is the manifold metric, M = m(θ) − m(φ*). Since m is at most 1, M is at most 1 − q.",
    )
    if seen:
        st.markdown(
            f"M = {100 * of_candidate:.0f} % − {100 * of_base:.0f} % = "
            f"**{minus(f'{100 * (of_candidate - of_base):+z.0f}')} %**, at most 1 − q = {100 * (1 - q):.0f} %."
        )
with picture:
    below = f", and {100 * of_candidate:.0f} percent of those of the candidate with {units} units" if seen else ""
    lesson.picture(
        lessons.threshold_histograms(base, candidate, limit, whole=seen),
        "threshold",
        f"Histograms of barriers. λ = {number(limit)} nats: {100 * of_base:.0f} percent of the barriers of the base "
        f"are at most that{below}.",
    )
other = float(threshold(barriers_of(UNITS, OTHER), q))
lesson.ending(
    "threshold",
    "Why is λ not simply 0.3 nats for every network?",
    f"The same network trained from another start has λ = {number(other)} nats at this q, and this one "
    f"{number(limit)}: barriers of different networks have different scales. With λ from the base, every base starts "
    "from m = q. The price: if units of the base are dead, its barriers are near 0, and so is λ.",
)
