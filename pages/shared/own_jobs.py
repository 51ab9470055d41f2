"""The studies that the engine was asked for: each with how far it is, and the buttons that stop it or let it go on."""

from __future__ import annotations

from functools import partial

import streamlit as st

from landscape.jobs.progress import Progress, State
from landscape.study import Study
from pages.shared import estimates, library, own_actions, running
from pages.shared.show import plain

ORDER: tuple[State, ...] = ("running", "waiting", "failed", "paused", "cancelled", "done")
STOPPED: tuple[State, ...] = ("failed", "paused", "cancelled")
NOTHING = (
    "Nothing is being computed by the app. Start a study on the page *Try my own*; those that were begun and "
    "not finished are on *My studies*. What a command computes in a terminal shows its progress there."
)
RULE = (
    "A study with less work goes before one with more, whose running tasks step aside at their next epoch or at their "
    "next barriers and go on afterwards. *Pause* and *Cancel* act then too. Both keep every task that is finished."
)


@st.fragment(run_every=running.PERIOD)
def watch_all() -> None:
    """Draw every study that the engine knows; what runs comes first. It is drawn anew every second."""
    found = running.known()
    if not found:
        st.info(NOTHING)
        return
    studies = {choice.study.key: choice.study for choice in library.choices()[0].values()}
    for key in sorted(found, key=lambda key: ORDER.index(found[key].state)):
        with st.container(border=True):
            _draw(key, studies.get(key), found[key])
    st.caption(RULE)


def _draw(key: str, study: Study | None, progress: Progress) -> None:
    st.markdown(f"**{plain(library.label(study) if study else key)}** · {progress.state} {_details(progress)}")
    if progress.active:
        bar, pause, cancel = st.columns([5, 1, 1], vertical_alignment="center")
        bar.progress(min(1.0, progress.fraction), f"{plain(progress.activity)}. {running.left(progress)}")
        for column, name, stop in ((pause, "Pause", running.here().pause), (cancel, "Cancel", running.here().cancel)):
            column.button(name, key=f"{name}-{key}", on_click=running.asked, args=(stop, key), width="stretch")
    for reason in progress.refused.values():
        st.caption(f"A worker is passed over: {plain(reason)}")
    if progress.error:
        st.error(plain(progress.error))
    if progress.lines:
        with st.expander("The last lines"):
            st.code(progress.lines, language=None)
    if study and progress.state in STOPPED:
        act = partial(own_actions.attempt, partial(_go_on, study))
        st.button("Continue", key=f"continue-{key}", on_click=act, icon=":material/play_arrow:")


def _details(progress: Progress) -> str:
    """How far it is, on what, and how much had been computed before."""
    known = (f"{progress.fraction:.0%}", progress.device, progress.found_in_words)
    return "".join(f" · {plain(each)}" for each in known if each)


def _go_on(study: Study) -> str:
    """Have the engine go on with a study."""
    running.here().submit(study, estimates.seconds(study))
    return f"{library.label(study)} goes on."
