"""Studies that are being computed: start one, watch it, stop it. `landscape.jobs` does the computing."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import streamlit as st

from landscape.analysis.wording import counted, duration
from landscape.jobs.installed import NotInstalled
from landscape.jobs.progress import Progress
from landscape.store.results import Store
from landscape.store.sealed import Unwritable
from landscape.study import Study
from pages.shared import estimates, library
from pages.shared.show import plain

if TYPE_CHECKING:
    from landscape.jobs.background.client import Jobs

KEPT = "What was finished is kept; you can continue from there."
PAGE = "pages/explore/study.py"  # of a study
PERIOD = 1.0  # seconds between two updates of the progress bar
REDRAWN = 10.0  # seconds at least between two drawings of what there is so far: they take a core from the work


@st.cache_resource
def jobs(root: str) -> Jobs:
    """A connection to the engine, shared by all sessions of this server."""
    from landscape.jobs.background.client import connect  # it brings Dask, which a page on a stored result does without

    return connect(root)


def here() -> Jobs:
    """The studies that are being computed for this server's cache folder."""
    return jobs(str(Store().root))


def progress(key: str) -> Progress | None:
    """How far a study is; None if nobody has asked for it."""
    if not os.path.exists(Store().root / ".engine"):
        return None  # nothing has been computed here, so the page need not import Dask
    return here().progress(key)


def known() -> dict[str, Progress]:
    """How far each study is that the engine was asked for since it started, by key."""
    return here().known() if os.path.exists(Store().root / ".engine") else {}


def choose(study: Study) -> None:
    """Select a study and start it. Made for a button's `on_click`, which runs before the page."""
    library.asked_for()[study.key] = study
    st.session_state["study"] = library.label(study)
    st.session_state["starting"] = study


def way_to(study: Study, text: str = "Open") -> None:
    """Draw a link to the page of a study."""
    st.page_link(PAGE, label=text, icon=":material/open_in_new:", query_params={"study": library.label(study)})


def move_on(study: Study) -> None:
    """Leave this page for the study's own, and start it there."""
    st.session_state["moving on"] = study
    st.rerun()


def arrive() -> None:
    """Go where `move_on` leads, which must be before the choice of study is drawn."""
    study = st.session_state.pop("moving on", None)
    if study is not None:
        choose(study)
        kept = {name: st.query_params.get_all(name) for name in st.query_params}  # for going back
        st.switch_page(PAGE, query_params=kept | {"study": [library.label(study)]})


def start_asked() -> None:
    """Start the study that a button asked for, or say why it cannot be started."""
    study = st.session_state.pop("starting", None)
    if study is None:
        return
    try:
        with st.spinner("Starting the engine that does the computing."):
            here().submit(study, estimates.seconds(study))
    except (NotInstalled, Unwritable, OSError, RuntimeError, ValueError) as error:
        st.error(plain(f"{study.name} could not be started: {error}"))


def show(study: Study) -> None:
    """Show above a page how far the chosen study is, or how it ended."""
    found = progress(study.key)
    if found is None or study.key in Store():
        return
    if found.active:
        watch(study.key, found.parts, drawn=time.monotonic())
    elif found.state == "failed":
        st.error(plain(f"The computation failed: {found.error}. {KEPT}"))
    elif found.state in ("paused", "cancelled"):
        st.info(f"The computation was {found.state}. {KEPT}")


@st.fragment(run_every=PERIOD)
def watch(key: str, parts: int, drawn: float) -> None:
    """Draw a progress bar that updates itself. The first results, later ones now and then, and the end of the study
    redraw the page, which shows `parts` and was drawn at this time.
    """
    found = progress(key)
    if found is None or not found.active:
        st.rerun()
    if found.parts != parts and (not parts or time.monotonic() > drawn + REDRAWN):
        st.rerun()
    bar, pause, cancel = st.columns([5, 1, 1], vertical_alignment="center")
    bar.progress(min(1.0, found.fraction), f"{plain(found.activity)}. {left(found)}")
    pause.button("Pause", key="pause", on_click=asked, args=(here().pause, key), width="stretch")
    cancel.button("Cancel", key="cancel", on_click=asked, args=(here().cancel, key), width="stretch")
    if parts:
        before = f" {found.found_in_words}." if found.found else ""
        st.caption(f"This page shows what there is so far: {counted(parts, 'part')} of the result.{before}")
    wake(time.monotonic())


@st.fragment(run_every=REDRAWN)
def wake(watched: float) -> None:
    """Redraw the page where `watch`, which was called last at this time, has stopped.

    Streamlit loses a timer that asks for the next run in the moment in which the run that set it ends: another thread
    takes over then, and what the first one has not sent yet is dropped. This timer is set again by every call of
    `watch`, and so by that next run too.
    """
    if time.monotonic() > watched + REDRAWN / 2:
        st.rerun()


def asked(stop: Callable[[str], None], key: str) -> None:
    """Stop or pause a study, or say why that cannot be. Made for a button's `on_click`."""
    try:
        stop(key)
    except OSError as error:
        st.toast(plain(f"It could not be stopped: {error}"))


def left(found: Progress) -> str:
    """The time left, in words; nothing where something keeps the study from going on."""
    if found.trouble:
        return ""
    if found.left is None:
        return "The time left is not known yet."
    return f"About {duration(found.left)} left." if found.left >= 1 else "Almost done."
