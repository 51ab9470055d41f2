"""Lesson 7: two seeds, as trained and aligned."""

from __future__ import annotations

import streamlit as st

from landscape.analysis.curves import greatest_barrier
from landscape.analysis.wording import number
from landscape.figures import lessons
from landscape.figures.lessons.line import ALPHAS
from landscape.lessons.barriers import losses_along
from landscape.lessons.matching import matching
from landscape.lessons.network import take
from landscape.lessons.training import moons, trained
from pages.shared import lesson

words, picture = lesson.screen()
with words:
    lesson.prose(
        "These two networks have different seeds: they started from different random weights. On the line between "
        "them, the loss rises. But the order of the units is a matter of chance. So permute the second network until "
        "its units resemble those of the first: it is then aligned (re-basin), and computes the same function."
    )
    units, seed = int(lesson.control("width")), lesson.control("second")
    first, second = trained(units, 0), trained(units, seed)
    aligned = take(second, matching(first, second))
    losses = {
        name: losses_along(first, each, ALPHAS, moons())
        for name, each in (("as trained", second), ("aligned", aligned))
    }
    apart, closer = (float(greatest_barrier(each, ALPHAS)[0]) for each in losses.values())
    seen = lesson.guess(
        "seeds",
        "What does aligning do to the barrier?",
        ("it falls", "it stays", "it rises"),
        "it falls" if closer < apart else "it rises",
        "Mostly it falls, but not always, and seldom to 0 in so small a network: aligning compares weights and does "
        "not look at the loss. Entezari et al. (2021) conjecture that wide trained networks differ only by a "
        "permutation.",
    )
    match = seen and lesson.control("match")
    if seen:
        st.markdown(f"b as trained **{number(apart)}** nats, aligned **{number(closer)}** nats.")
with picture:
    lesson.picture(
        lessons.line(
            first, aligned if match else second, moons(), whole=seen, other=losses["as trained"] if match else None
        ),
        "seeds",
        f"Between two trained networks the loss rises by {apart:.2f} nats"
        + (f", and by {closer:.2f} nats once they are aligned." if seen else "."),
    )
lesson.ending(
    "seeds",
    "Why does the manifold metric not compare two seeds?",
    "It asks how one network is connected with its own copies, which need no second training. Between seeds, a barrier "
    "also shows how different the two solutions are, and how well they are aligned.",
)
