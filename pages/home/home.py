"""What this is, and where to begin: a picture that moves, three ways on, and the studies with their answers."""

from __future__ import annotations

import streamlit as st

from landscape.analysis.performance import usual_measure
from landscape.analysis.ranking.decision import decide, sentence
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
A_ROW = 3  # cards


@st.cache_data(max_entries=64, show_spinner=False)
def _answer(path: str, checksum: str, _choice: library.Choice) -> str:
    dataset = library.whole(_choice)
    measure = usual_measure(dataset)
    return show.escaped(sentence(decide(dataset, Q, steps_reached(dataset), measure), measure))


def answer(choice: library.Choice) -> str:
    """What a stored study says about expanding, in a sentence."""
    assert choice.entry is not None
    return _answer(*library.identity(choice.entry), choice)


def card(choice: library.Choice) -> None:
    """A finished study: its title, its size and its answer."""
    with st.container(border=True, height="stretch"):
        st.markdown(f"**{choice.study.title or choice.label}**")
        st.markdown(answer(choice))
        st.caption(f"{frame.sizes(choice.study)}. {frame.origin(choice)}")
        st.page_link(frame.first("explore"), label=f"Open {choice.label}", query_params={"study": choice.label})


found = library.listed()
finished = [choice for choice in found.values() if choice.entry]
asked = library.chosen() if library.chosen().entry else finished[0]
left, right = st.columns([3, 2], vertical_alignment="center", gap="medium")
with left:
    st.plotly_chart(
        show.legible(journey(library.whole(finished[0]))),
        key="chart-journey",
        config=show.CONFIG | {"displayModeBar": False},
        alt="The loss on the line from a network to a permuted copy of itself: equal at both ends, higher between them",
    )
with right:
    st.markdown(
        "Both ends compute **the same function**: one is the other with its units in another order. An expansion is "
        "promising if it leaves few barriers between such copies."
    )
    for folder, icon, label in WAYS:
        st.page_link(frame.first(folder), label=f"**{label}**", icon=icon)
    st.caption(f"**{asked.label}**: {answer(asked)}")
st.header("What finished studies say", anchor="studies")
st.caption("Should the network be expanded? A verdict needs a control, and an interval over seeds that leaves out 0.")
for row in range(0, len(finished), A_ROW):
    for column, choice in zip(st.columns(A_ROW), finished[row : row + A_ROW], strict=False):
        with column:
            try:
                card(choice)
            except DamagedEntry as damage:
                st.warning(f"{damage}.")
others = [choice for choice in found.values() if not choice.entry]
with st.expander(f"Not computed yet: {len(others)} studies", icon=":material/hourglass_empty:"):
    for choice in others:
        title = show.escaped(choice.study.title or choice.label)
        st.page_link(frame.first("explore"), label=f"{choice.label}: {title}", query_params={"study": choice.label})
