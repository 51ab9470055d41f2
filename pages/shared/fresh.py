"""The first visit to a server that has just started."""

from __future__ import annotations

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager


def reload_once() -> None:
    """Have the browser load the page again where a link to it was the first request to this server.

    Until an app has called `st.navigation` once, Streamlit takes a folder `pages` for its older kind of pages, does
    not find the one that the link names, and says so in a dialog that nothing in Python can close.
    """
    if PagesManager.uses_pages_directory:
        st.html("<script>if (location.pathname.length > 1) location.reload()</script>", unsafe_allow_javascript=True)
