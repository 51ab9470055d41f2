"""Lesson 7: two seeds, before and after matching."""

from __future__ import annotations

import streamlit as st

from landscape.analysis.curves import greatest_barrier
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
        "These two networks started from different random weights, called seeds. On the line between them the loss "
        "rises. But the order of their units is a matter of chance: matching (re-basin) permutes the second network so "
        "that its units resemble those of the first; its function stays the same."
    )
    units, seed = int(lesson.control("width")), lesson.control("second")
    first, second = trained(units, 0), trained(units, seed)
    matched = take(second, matching(first, second))
    losses = {
        name: losses_along(first, each, ALPHAS, moons()) for name, each in (("as trained", second), ("", matched))
    }
    apart, closer = (float(greatest_barrier(each, ALPHAS)[0]) for each in losses.values())
    seen = lesson.guess(
        "seeds",
        "What does matching do to the barrier?",
        ("it falls", "it stays", "it rises"),
        "it falls" if closer < apart else "it rises",
        "Mostly it falls, but not always, and seldom to 0 in so small a network: weight matching does not look at the "
        "loss. Entezari et al. (2021) conjecture that wide trained networks differ only by a permutation.",
    )
    match = seen and lesson.control("match")
    if seen:
        st.markdown(f"b as trained **{apart:.2f}** nats, matched **{closer:.2f}** nats.")
with picture:
    lesson.picture(
        lessons.line(
            first, matched if match else second, moons(), whole=seen, other=losses["as trained"] if match else None
        ),
        "seeds",
        f"Between two trained networks the loss rises by {apart:.2f} nats"
        + (f", and by {closer:.2f} nats after matching." if seen else "."),
    )
lesson.ending(
    "seeds",
    "Why does the manifold metric not compare two seeds?",
    "It asks how one network is connected with its own copies, which need no second training. Between seeds, a barrier "
    "also shows how different the two solutions are, and how good the matching is.",
)
