"""Lesson 2: the line between two copies."""

from __future__ import annotations

import streamlit as st

from landscape.analysis.curves import greatest_barrier, midpoint_barrier
from landscape.analysis.wording import number
from landscape.figures import lessons
from landscape.figures.lessons.line import ALPHAS
from landscape.lessons.barriers import losses_along, steps
from landscape.lessons.network import take
from landscape.lessons.training import moons, trained
from pages.shared import lesson

UNITS, SEED = 8, 2

network, points = trained(UNITS, SEED), moons()
words, picture = lesson.screen()
with words:
    lesson.prose(
        "θ₁ is a trained network and θ₂ a copy of it with some units in other places. Both make the same map and have "
        "the same loss L, which says how surprised the network is by the right answers. Now mix their numbers: at α, "
        "every weight is 1\u00a0−\u00a0α times that of θ₁ plus α times that of θ₂. Press ▶, or drag α."
    )
    which = lesson.control("copy")
    copy = take(network, steps("⌈log₂ l⌉ swaps", which, UNITS)[-1])
    losses = losses_along(network, copy, ALPHAS, points)
    barrier, at = greatest_barrier(losses, ALPHAS)
    middle = midpoint_barrier(losses, ALPHAS)
    seen = lesson.guess(
        "line",
        "Both ends are equally good. What is the loss in the middle?",
        ("lower", "the same", "higher"),
        "higher",
        "A mixture of two good networks need not be good. How far the loss rises above the straight line between the "
        "ends, the chord, is the barrier b; how far it does so in the middle is the midpoint barrier b̂. A single "
        "network has to be evaluated for b̂, so b̂ is what the metric counts.",
    )
    if seen:
        st.markdown(f"b = **{number(float(barrier))}** nats at α = {at:.2f}; b̂ = **{number(float(middle))}** nats.")
with picture:
    lesson.picture(
        lessons.line(network, copy, points, whole=seen),
        "line",
        f"Along the line from a network to its permuted copy, the loss goes from {losses[0]:.2f} up to "
        f"{losses.max():.2f} nats and back: a barrier of {barrier:.2f} nats.",
    )
lesson.ending(
    "line",
    "When is b̂ smaller than b, and when is b̂ not 0 although b is?",
    "b is the highest point of the curve above the chord, so b̂ is smaller whenever that is not in the middle. b̂ is "
    "an absolute value: a curve that dips below its chord has b = 0, but b̂ counts the dip.",
)
