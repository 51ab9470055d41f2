"""Lesson 3: the walk over copies."""

from __future__ import annotations

import numpy as np
import streamlit as st

from landscape.analysis.intervals import size_interval
from landscape.analysis.metric import manifold_size
from landscape.figures import lessons
from landscape.lessons.barriers import STEP_SIZES, StepSize, steps, swaps, walk_barriers
from landscape.lessons.training import moons, trained
from pages.shared import lesson

UNITS, SEED, N = 8, 2, 100
LIMIT = 0.3  # nats


@st.cache_data
def barriers_of(step: StepSize) -> np.ndarray:
    """The barriers of a walk of N steps of this size."""
    return walk_barriers(trained(UNITS, SEED), steps(step, N, UNITS), moons())


words, picture = lesson.screen()
with words:
    lesson.prose(
        "Nobody can visit all 8! copies, so the paper takes a walk of n steps. Each step swaps ⌈log₂ l⌉ pairs of the l "
        f"units, here ⌈log₂ 8⌉ = {swaps('⌈log₂ l⌉ swaps', UNITS)}, and b̂ is measured between the copies before and "
        "after it. If b̂ ≤ λ, an edge joins the two. The size of the manifold is m = edges / n. Press ▶ and watch m "
        f"become more certain. (For now, λ is set to {LIMIT} nats; the next lesson says where it comes from.)"
    )
    step = lesson.control("step_size")
    walked = barriers_of(step)
    m, (low, high) = manifold_size(walked, LIMIT), size_interval(walked, LIMIT)
    middle = {each: float(np.median(barriers_of(each))) for each in STEP_SIZES}
    joined = 100 * manifold_size(barriers_of("full shuffle"), LIMIT)
    seen = lesson.guess(
        "walk",
        "How high would the barriers be if every step shuffled all units?",
        ("lower", "as high", "higher"),
        "higher",
        f"Half of the barriers lie above {middle['full shuffle']:.2f} nats: the copies are so far apart that only "
        f"{joined:.0f} % of the steps are edges. One swap is too little: half of the barriers are below "
        f"{middle['one swap']:.2f} nats, and swaps of units that hardly matter say nothing about the others. ⌈log₂ l⌉ "
        "swaps lie in between (A.2.1).",
    )
    st.markdown(
        f"After n = {N} steps: m = **{100 * m:.0f} %**, 95 % interval {100 * low:.0f} to {100 * high:.0f}\u00a0%."
    )
sizes: dict[str, np.ndarray] | None = {each: barriers_of(each) for each in STEP_SIZES} if seen else None
with picture:
    lesson.picture(
        lessons.walk(walked, LIMIT, whole=seen, sizes=sizes),
        "walk",
        f"A walk of {N} steps, {step} each: {100 * m:.0f} percent of its midpoint barriers are at most λ = {LIMIT} "
        f"nats. The 95 percent interval closes in as the walk grows, to {100 * low:.0f} to {100 * high:.0f} percent.",
    )
lesson.ending(
    "walk",
    "How many steps does it take to halve the interval of m?",
    "About four times as many: the interval shrinks with 1/√n. That is why the paper takes n = 1000, where it is about "
    "6 points wide.",
)
