"""What this is, and where to begin: a picture that moves, three ways on, and the studies with their answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from landscape.analysis.performance import usual_measure
from landscape.analysis.ranking.decision import RULE, decide, sentence
from landscape.analysis.summary import Q
from landscape.analysis.walks import steps_reached
from landscape.figures import journey, journey_data
from landscape.figures.export.alternatives import journey_text
from landscape.store.sealed import DamagedEntry
from pages.shared import frame, library, show

NETWORK = "pages/own/network.py"
A_ROW = 2  # cards, so that the names of studies fit on a projector

Answer = tuple[float, str]  # how sure a study is, 0 where it decides nothing; and what it says, in Markdown


@st.cache_data(max_entries=64, show_spinner=False)
def _answer(path: str, checksum: str, _choice: library.Choice) -> Answer:
    dataset = library.whole(_choice)
    measure = usual_measure(dataset)
    found = decide(dataset, Q, steps_reached(dataset), measure)
    return found.sureness, show.escaped(sentence(found, measure))


def answers(choices: Iterable[library.Choice]) -> Iterator[tuple[str, Answer]]:
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
        st.info(
            "No study has been computed here, and none is shipped with this installation. Start one on "
            "the page *Try my own*."
        )
        return
    st.plotly_chart(
        show.legible(journey(dataset)),
        key="chart-journey",
        config=show.CONFIG | {"displayModeBar": False},
        alt=journey_text(journey_data(dataset)),
    )


def three_ways() -> tuple[DeltaGenerator, DeltaGenerator]:
    """Where to go from here; the places of the link to an answer, and of that answer."""
    st.page_link(frame.first("learn"), label="**Learn it in ten minutes**", icon=":material/school:")
    way = st.empty()
    st.page_link(NETWORK, label="**Try my own network**", icon=":material/upload_file:")
    return way, st.empty()


def lead_to(choice: library.Choice, answer: str, places: tuple[DeltaGenerator, DeltaGenerator]) -> None:
    """Fill in the way to an answer."""
    with places[0]:
        link(choice, "**See an answer**", ":material/science:")
    places[1].caption(f"**{show.plain(choice.label)}**: {answer}")


def card(choice: library.Choice, answer: str) -> None:
    """A finished study: its title, its size and its answer."""
    with st.container(border=True, height="stretch"):
        st.markdown(f"**{show.plain(choice.study.title or choice.label)}**")
        st.markdown(answer)
        st.caption(show.plain(f"{frame.sizes(choice.study)}. {frame.origin(choice)}"))
        link(choice, show.plain(choice.label), ":material/arrow_forward:")


def link(choice: library.Choice, text: str, icon: str | None = None) -> None:
    """A link to the page of a study; text is Markdown."""
    st.page_link(frame.first("explore"), label=text, icon=icon, query_params={"study": choice.label})


found, asked = library.listed(), library.chosen().label
wanted = {library.FIRST, asked}  # by what is seen first, which does not wait for the others
answered = answers(sorted(found.values(), key=lambda choice: choice.label not in wanted))
said = dict(islice(answered, len(wanted)))
left, right = st.columns([3, 2], gap="medium")
with left:
    moving(found[next(iter(said))] if said else None)
with right:
    st.markdown(
        "Both ends compute **the same function**: one is the other with its units in a different order. An expansion "
        "is promising if few such copies have a barrier between them."
    )
    places = three_ways()
first = asked if asked in said else next(iter(said), None)
if first:  # which the surest replaces, unless somebody has asked for another
    lead_to(found[first], said[first][1], places)
said |= answered
labels = sorted((label for label in found if label in said), key=lambda label: -said[label][0])
if labels and first in (library.FIRST, None):
    lead_to(found[labels[0]], said[labels[0]][1], places)
if said:
    st.header("What the finished studies say, the surest first", anchor="studies")
    st.caption(f"Should the network be expanded? {RULE}")
for row in range(0, len(labels), A_ROW):
    for column, label in zip(st.columns(A_ROW), labels[row : row + A_ROW], strict=False):
        with column:
            card(found[label], said[label][1])
others = [choice for choice in found.values() if not choice.entry]
with st.expander(f"Not computed yet ({len(others)})", icon=":material/hourglass_empty:"):
    for choice in others:
        link(choice, show.plain(f"{choice.label}: {choice.study.title or choice.label}"))
