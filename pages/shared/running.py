"""Studies being computed beside the app: start, watch, stop. The computing itself is `landscape.jobs`."""

from __future__ import annotations

import streamlit as st

from landscape.analysis.wording import duration
from landscape.jobs.client import Jobs, connect
from landscape.jobs.installed import NotInstalled
from landscape.jobs.progress import Progress
from landscape.store.results import Store
from landscape.store.sealed import Unwritable
from landscape.study import Study
from pages.shared import library

PERIOD = 1.0  # seconds between two looks at the progress


@st.cache_resource
def jobs(root: str) -> Jobs:
    """One connection for all sessions of this server."""
    return connect(root)


def here() -> Jobs:
    """The studies being computed for this server's cache folder."""
    return jobs(str(Store().root))


def progress(key: str) -> Progress | None:
    """Where a study stands; None where nobody asked for it."""
    if not (Store().root / ".engine").exists():
        return None  # nothing was ever computed here: spare the page the import of Dask
    return here().progress(key)


def choose(study: Study, start: bool) -> None:
    """Make a study the chosen one, and start it; for a button's `on_click`, ahead of the next run."""
    library.asked_for()[study.key] = study
    st.session_state["study"] = library.label(study)
    if start:
        st.session_state["starting"] = study


def start_asked() -> None:
    """Start the study that a button asked for; what prevents it is said in words."""
    study = st.session_state.pop("starting", None)
    if study is None:
        return
    try:
        with st.spinner("Starting the engine, which computes beside this page."):
            here().submit(study)
    except (NotInstalled, Unwritable, OSError, RuntimeError) as error:
        st.error(f"{study.name} could not be started: {error}")


def show(study: Study) -> None:
    """The line above a page that says how far the chosen study is, or how it ended."""
    found = progress(study.key)
    if found is None or study.key in Store():
        return
    if found.active:
        watch(study.key, found.parts)
    elif found.state == "failed":
        st.error(f"The computation failed: {found.error}. What was finished is kept; the page Study can go on.")
    elif found.state == "cancelled":
        st.info("The computation was cancelled. What was finished is kept; the page Study can go on.")


@st.fragment(run_every=PERIOD)
def watch(key: str, parts: int) -> None:
    """A bar that renews itself; the page is drawn anew when a part of the result arrives or the study ends."""
    found = progress(key)
    if found is None or not found.active or found.parts != parts:
        st.rerun()
    bar, button = st.columns([5, 1], vertical_alignment="center")
    bar.progress(min(1.0, found.fraction), f"{found.stage[:1].upper()}{found.stage[1:]}. {left(found)}")
    button.button("Cancel", key="cancel", on_click=here().cancel, args=(key,), width="stretch")
    if parts:
        st.caption(f"{parts} parts of the result have arrived; the page shows what there is so far.")


def left(found: Progress) -> str:
    """The time left, in words."""
    return "Time left not known yet." if found.left is None else f"About {duration(found.left)} left."
