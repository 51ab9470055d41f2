"""What happens when the server starts, before anybody visits it."""

from __future__ import annotations

import gc
import logging
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from threading import Thread
from typing import Any

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

from landscape.store.sealed import DamagedEntry
from pages.shared import library

NEEDED = ("landscape.figures", "landscape.figures.lessons", "pages.shared.answer", "pages.shared.form")  # by pages


@asynccontextmanager
async def lifespan(_: Any) -> AsyncIterator[None]:
    """Prepare what the first visitor would wait for, and open the browser, as `streamlit run` does for a script.

    Until a script has called `st.navigation` once, Streamlit takes a folder `pages` for its older kind of pages, in
    which it does not find the one that a link names.
    """
    PagesManager.uses_pages_directory = False
    Thread(target=prepare, daemon=True).start()
    if not st.get_option("server.headless"):
        webbrowser.open(address())
    yield


def prepare() -> None:
    """Import what pages need, and read the result that is shown first: both are kept in this process."""
    for name in NEEDED:
        import_module(name)
    spare_what_stays()
    choice = library.choices()[0][library.FIRST]
    if choice.entry:
        try:
            library.whole(choice)
        except DamagedEntry as damage:
            logging.getLogger(__name__).warning("%s", damage)


def spare_what_stays() -> None:
    """Let the garbage collector leave out what the modules hold, which stays to the end.

    There are 200,000 objects of them, and looking through them for garbage stops every twentieth move of a slider for
    an eighth of a second.
    """
    gc.collect()
    gc.freeze()


def address() -> str:
    """Where this computer finds the app."""
    host, port, base = (st.get_option(f"server.{name}") for name in ("address", "port", "baseUrlPath"))
    scheme = "https" if st.get_option("server.sslCertFile") else "http"
    return f"{scheme}://{'localhost' if host in (None, '0.0.0.0', '::') else host}:{port}/{base.strip('/')}"
