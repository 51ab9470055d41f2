"""What this is, and where to begin: a picture that moves, three ways on, and the studies with their answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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
A_ROW = 3  # cards


@st.cache_data(max_entries=64, show_spinner=False)
def _answer(path: str, checksum: str, _choice: library.Choice) -> str:
    dataset = library.whole(_choice)
    measure = usual_measure(dataset)
    return show.escaped(sentence(decide(dataset, Q, steps_reached(dataset), measure), measure))


def answers(choices: Iterable[library.Choice]) -> dict[str, str]:
    """What each stored study says about expanding, by its label. A damaged one brings up a warning and is left out."""
    found = {}
    for choice in choices:
        if choice.entry:
            try:
                found[choice.label] = _answer(*library.identity(choice.entry), choice)
            except DamagedEntry as damage:
                st.warning(show.plain(f"{damage}. It is not shown; computing the study again replaces it."))
    return found


def moving(choices: Sequence[library.Choice]) -> None:
    """The picture that moves, of the first study that can be read."""
    dataset = next(filter(None, (library.open_study(choice).dataset for choice in choices)), None)
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
        link(choice, f"Open {choice.label}")


def link(choice: library.Choice, text: str) -> None:
    """A link to the page of a study."""
    st.page_link(frame.first("explore"), label=show.plain(text), query_params={"study": choice.label})


found = library.listed()
said = answers(found.values())
left, right = st.columns([3, 2], vertical_alignment="center", gap="medium")
with left:
    moving([found[label] for label in said])
with right:
    st.markdown(
        "Both ends compute **the same function**: one is the other with its units in another order. An expansion is "
        "promising if it leaves few barriers between such copies."
    )
    for folder, icon, label in WAYS:
        st.page_link(frame.first(folder), label=f"**{label}**", icon=icon)
    asked = library.chosen().label if library.chosen().label in said else next(iter(said), None)
    if asked:
        st.caption(f"**{show.plain(asked)}**: {said[asked]}")
if said:
    st.header("What finished studies say", anchor="studies")
    st.caption(f"Should the network be expanded? {RULE}")
labels = list(said)
for row in range(0, len(labels), A_ROW):
    for column, label in zip(st.columns(A_ROW), labels[row : row + A_ROW], strict=False):
        with column:
            card(found[label], said[label])
others = [choice for choice in found.values() if not choice.entry]
with st.expander(f"Not computed yet ({len(others)})", icon=":material/hourglass_empty:"):
    for choice in others:
        link(choice, f"{choice.label}: {choice.study.title or choice.label}")
