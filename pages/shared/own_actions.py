"""What can be done with the studies of this computer: open, rename, delete, download, upload, clean up."""

from __future__ import annotations

import time
from collections.abc import Callable

import streamlit as st

from landscape.analysis.wording import counted
from landscape.store.exchange import MOST_BYTES, add_upload
from landscape.store.results import Store
from landscape.store.sealed import Unwritable
from landscape.study.limits import MOST_LINE
from pages.shared import library, own_studies, running
from pages.shared.own_studies import Row
from pages.shared.show import plain

TOLD, UPLOAD = "told by an action", "uploaded result"


def attempt(action: Callable[[], str]) -> None:
    """Do something that a button asks for, and keep what is to be said about it. Made for `on_click`."""
    try:
        st.session_state[TOLD] = (st.success, action())
    except (ValueError, Unwritable, OSError, RuntimeError) as error:
        st.session_state[TOLD] = (st.error, f"That was not possible: {error}.")


def rename(row: Row) -> str:
    """Give the study the title that was typed in."""
    Store().retitle(row.study.key, st.session_state["new title"])
    return f"{row.label} has another title."


def delete(row: Row) -> str:
    """Remove what there is of the study."""
    own_studies.delete(row)
    return f"{row.label} was deleted."


def upload() -> str:
    """Take over the file that was uploaded."""
    file = st.session_state[UPLOAD]
    if file is None:
        return "There is no file any more."
    entry = add_upload(Store(), file.getvalue())
    return f"{library.label(entry.study)} was uploaded."


def clean_up() -> str:
    """Remove what is of no use."""
    removed = own_studies.clean_up()
    return f"{counted(removed, 'folder')} {'was' if removed == 1 else 'were'} removed.".capitalize()


def tell() -> None:
    """Say what the last action has done, or why it was not possible."""
    if TOLD in st.session_state:
        say, told = st.session_state.pop(TOLD)
        say(plain(told))


def bring() -> None:
    """A field for the file of a result."""
    st.file_uploader(
        "A NetCDF file that this program exported",
        "nc",
        key=UPLOAD,
        max_upload_size=MOST_BYTES // 2**20,
        on_change=attempt,
        args=(upload,),
        help="It is checked first: its schema, the key of its study, and whether its numbers are possible.",
    )


def manage(row: Row) -> None:
    """What can be done with the study that is chosen."""
    st.markdown(f"**{plain(row.study.title or row.label)}** ({row.state})")
    if row.active and row.progress:
        running.watch(row.study.key, row.progress.parts, drawn=time.monotonic())
    elif row.progress and row.progress.error:
        st.error(plain(row.progress.error))
    with st.container(horizontal=True, vertical_alignment="center"):
        running.way_to(row.study)
        if row.entry is None and not row.active and st.button("Continue", key="continue", icon=":material/play_arrow:"):
            running.move_on(row.study)
        if row.entry:
            st.download_button(
                "NetCDF", row.entry.path.read_bytes, f"{row.label}.nc", "application/x-netcdf",
                key="netcdf", icon=":material/download:", on_click="ignore",
            )  # fmt: skip
        if row.own and not row.active:
            with st.popover("Delete", icon=":material/delete:"):
                st.markdown(f"Delete {plain(row.label)} for good? What was not kept for other studies is lost.")
                st.button("Delete it", key="delete", on_click=attempt, args=(lambda: delete(row),))
            if row.entry:
                with st.popover("Rename", icon=":material/edit:"):
                    st.text_input("Title", row.study.title, MOST_LINE, key="new title")
                    st.button("Rename it", key="rename", on_click=attempt, args=(lambda: rename(row),))
