"""What this is, and where to begin: a picture that moves, three ways on, and the studies with their answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import streamlit as st

from landscape.analysis.performance import usual_measure
from landscape.analysis.ranking.decision import RULE, decide, sentence
from landscape.analysis.summary import Q
from landscape.analysis.walks import steps_reached
from landscape.figures import journey
from landscape.store.sealed import DamagedEntry
from pages.shared import frame, library, show

WAYS = (
    ("learn", ":material/school:", "Learn it in ten minutes"),
    ("explore", ":material/science:", "See an answer"),
    ("own", ":material/tune:", "Try my own network"),
)
A_ROW = 2  # cards, so that the names of studies fit on a projector


@st.cache_data(max_entries=64, show_spinner=False)
def _answer(path: str, checksum: str, _choice: library.Choice) -> str:
    dataset = library.whole(_choice)
    measure = usual_measure(dataset)
    return show.escaped(sentence(decide(dataset, Q, steps_reached(dataset), measure), measure))


def answers(choices: Iterable[library.Choice]) -> Iterator[tuple[str, str]]:
    """The label of each stored study and what it says about expanding, one by one as they are read.

    A damaged one brings up a warning and is left out.
    """
    for choice in choices:
        if choice.entry:
            try:
                yield choice.label, _answer(*library.identity(choice.entry), choice)
            except DamagedEntry as damage:
                st.warning(show.plain(f"{damage}. It is not shown; computing the study again replaces it."))


def moving(choice: library.Choice | None) -> None:
    """The picture that moves, of a study that can be read."""
    dataset = library.open_study(choice).dataset if choice else None
    if dataset is None:
        st.info("No study has been computed here, and none is shipped with this installation. Try your own.")
        return
    st.plotly_chart(
        show.legible(journey(dataset)),
        key="chart-journey",
        config=show.CONFIG | {"displayModeBar": False},
        alt="The loss on the line from a network to a permuted copy of itself: equal at both ends, higher between them",
    )


def card(choice: library.Choice, answer: str) -> None:
    """A finished study: its title, its size and its answer."""
    with st.container(border=True, height="stretch"):
        st.markdown(f"**{show.plain(choice.study.title or choice.label)}**")
        st.markdown(answer)
        st.caption(show.plain(f"{frame.sizes(choice.study)}. {frame.origin(choice)}"))
        link(choice, choice.label, ":material/arrow_forward:")


def link(choice: library.Choice, text: str, icon: str | None = None) -> None:
    """A link to the page of a study."""
    st.page_link(frame.first("explore"), label=show.plain(text), icon=icon, query_params={"study": choice.label})


found, asked = library.listed(), library.chosen().label
wanted = {library.FIRST, asked}  # by what is seen first, which does not wait for the others
answered = answers(sorted(found.values(), key=lambda choice: choice.label not in wanted))
said = dict(islice(answered, len(wanted)))
left, right = st.columns([3, 2], gap="medium")
with left:
    moving(found[next(iter(said))] if said else None)
with right:
    st.markdown(
        "Both ends compute **the same function**: one is the other with its units in another order. An expansion is "
        "promising if it leaves few barriers between such copies."
    )
    for folder, icon, label in WAYS:
        st.page_link(frame.first(folder), label=f"**{label}**", icon=icon)
    shown = asked if asked in said else next(iter(said), None)
    if shown:
        st.caption(f"**{show.plain(shown)}**: {said[shown]}")
said |= answered
if said:
    st.header("What finished studies say", anchor="studies")
    st.caption(f"Should the network be expanded? {RULE}")
labels = [label for label in found if label in said]
for row in range(0, len(labels), A_ROW):
    for column, label in zip(st.columns(A_ROW), labels[row : row + A_ROW], strict=False):
        with column:
            card(found[label], said[label])
others = [choice for choice in found.values() if not choice.entry]
with st.expander(f"Not computed yet ({len(others)})", icon=":material/hourglass_empty:"):
    for choice in others:
        link(choice, f"{choice.label}: {choice.study.title or choice.label}")
