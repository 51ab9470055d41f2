"""The first visit to a server that has just started."""

from __future__ import annotations

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner import get_script_run_ctx

RELOAD = """<style>[role=dialog] { visibility: hidden }</style>
<script>location.replace(performance.getEntriesByType("navigation")[0].name)</script>"""


def reload_once() -> None:
    """If the first request to this server was a link, have the browser load it once more, and draw nothing until then.

    Until an app has called `st.navigation` once, Streamlit takes a folder `pages` for its older kind of pages. It does
    not find the one that the link names, opens the default page, and says so in a dialog that Python cannot close.
    This runs before anything slow, so that the dialog disappears at once.
    """
    if not PagesManager.uses_pages_directory:
        return
    PagesManager.uses_pages_directory = False
    context = get_script_run_ctx()
    if context and context.pages_manager.intended_page_name:
        st.html(RELOAD, unsafe_allow_javascript=True)
        st.stop()
