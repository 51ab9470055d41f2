"""What a lesson is made of: prose, a guess, a control, a figure, an exercise, and the way to its neighbours.

In the speaker's view, for a projector, the prose is left out and what remains is larger.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import plotly.graph_objects as go
import streamlit as st

from landscape.figures.export.tables import drawn
from landscape.figures.lessons import enlarged
from pages.shared import show
from pages.shared.controls import GUESS, checked
from pages.shared.controls import LESSONS as CONTROLS
from pages.shared.widgets import Guess


class Lesson(NamedTuple):
    """A lesson in the list: its file in `pages/learn`, its name in the navigation, and its question."""

    name: str
    label: str
    question: str


LESSONS = (
    Lesson("copies", "Permuted copies", "Can different numbers be the same network?"),
    Lesson("line", "The line between", "What lies between two copies of one network?"),
    Lesson("walk", "The walk", "How many copies are connected?"),
    Lesson("threshold", "The threshold λ", "Which barriers are low?"),
    Lesson("widening", "Widening", "Why does M₀ grow with the width?"),
    Lesson("training", "Training", "What happens while the candidates train?"),
    Lesson("seeds", "Two seeds", "Do two trainings end in the same place?"),
)


NARROWEST = 130  # pixels, of a fifth of the page: words have two
NEXT = "pages/explore/study.py"  # after the last lesson


def screen() -> tuple[Any, Any]:
    """A place for the words of a lesson and one for its picture; the picture is above where both would be narrow."""
    with st.sidebar:
        speaker = checked("speaker", CONTROLS["speaker"])
    if speaker:
        picture, words = st.columns([7, 3], gap="large")
    else:
        fifths = st.grid(5, min_column_width=NARROWEST, gap=("small", "medium"))
        picture, words = fifths.cell(column_span=3), fifths.cell(column_span=2)
    return words, picture


def prose(text: str) -> None:
    """A few plain sentences. The speaker says them, so that his view does without."""
    if not _speaking():
        st.markdown(text)


def control(name: str) -> Any:
    """Draw a control of the lessons, and return its value."""
    return checked(name, CONTROLS[name])


def guess(name: str, question: str, options: Sequence[str], answer: str, because: str) -> bool:
    """Ask for a guess; once there is one, say what happens, and return True. `name` is its name in the link."""
    guessed = checked(f"{GUESS}{name}", Guess(f"**Guess:** {question}", options))
    if guessed is None:
        return False
    verdict = ":material/check_circle: **You guessed right.**" if guessed == answer else f"**No: {answer}.**"
    (st.subheader if _speaking() else st.markdown)(verdict if _speaking() else f"{verdict} {because}")
    return True


def picture(figure: go.Figure, name: str, alt: str) -> None:
    """Show the figure of a lesson. `alt` says what it shows to those who do not see it."""
    shown = show.legible(enlarged(figure) if _speaking() else figure)
    st.plotly_chart(shown, key=f"chart-{name}", config=show.CONFIG | {"displayModeBar": False}, alt=alt)
    if not _speaking():
        show.files(figure, name, lambda: drawn(figure))


def ending(name: str, question: str, answer: str) -> None:
    """An exercise with its answer folded away, and links to the lesson before and the one after."""
    names = [lesson.name for lesson in LESSONS]
    place = names.index(name)
    left, right = st.columns([2, 3], gap="large")
    if not _speaking():
        left.markdown(f"**Exercise.** {question}")
        right.expander("Answer").markdown(answer)
    with right.container(horizontal=True, horizontal_alignment="right"):
        if place:
            _link(LESSONS[place - 1], ":material/arrow_back:")
        if place + 1 < len(LESSONS):
            _link(LESSONS[place + 1], ":material/arrow_forward:")
        else:
            st.page_link(NEXT, label="What real studies say", icon=":material/arrow_forward:")


def _link(lesson: Lesson, icon: str) -> None:
    st.page_link(f"pages/learn/{lesson.name}.py", label=lesson.label, icon=icon)


def _speaking() -> bool:
    return bool(st.session_state.get("speaker"))
