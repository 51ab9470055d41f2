"""Lesson 1: two networks, one function."""

from __future__ import annotations

import numpy as np
import streamlit as st

from landscape.analysis.wording import number
from landscape.figures import lessons
from landscape.lessons.network import probability, take, vector
from landscape.lessons.training import moons, trained
from pages.shared import lesson

UNITS, SEED = 8, 2

network, points = trained(UNITS, SEED), moons()
words, picture = lesson.screen()
with words:
    lesson.prose(
        "This network tells two half moons apart. Its parameters θ are all the numbers on its connections: a wider "
        "line is a larger weight, and a dotted one is negative. Choose two hidden units and press ▶: they change "
        "places, and each takes all its connections along. That is a permutation π, and P(θ, π) is the result."
    )
    first, second = (int(lesson.control(name)) - 1 for name in ("unit_a", "unit_b"))
    order = np.arange(UNITS)
    order[[first, second]] = order[[second, first]]
    copy = take(network, order)
    apart = np.linalg.norm(vector(copy) - vector(network))
    change = np.abs(probability(copy, points.inputs) - probability(network, points.inputs)).max()
    seen = lesson.guess(
        "copies",
        "What happens to the outputs?",
        ("they change a lot", "they change a little", "they do not change"),
        "they do not change",
        "The output is a sum over units, and a sum does not depend on the order. The map stays the same, but the "
        "network jumps to its mirror image in parameter space.",
    )
    if seen:
        st.markdown(
            f"Moved by ‖θ − P(θ, π)‖ = **{apart:.2f}**; greatest change of an output on {len(points.targets)} points: "
            f"**{number(change, 1)}**."
        )
with picture:
    lesson.picture(
        lessons.copies(network, points, first, second),
        "copies",
        f"Units {first + 1} and {second + 1} of a network with {UNITS} hidden units change places. The network moves "
        f"by {apart:.2f} in parameter space, and what it computes stays the same.",
    )
lesson.ending(
    "copies",
    f"In how many orders can the {UNITS} units be arranged?",
    "8! = 8 · 7 · … · 1 = 40,320. So this one function has 40,320 copies in parameter space, if no two units are "
    "equal. A layer of l units has l! of them.",
)
