"""The address of a page in the browser, which says all that is chosen, from page to page.

A widget that somebody moves replaces the address. What the server changes in it becomes an entry of the browser's
history, and each takes one press more to go back. So nothing is changed that reads the same as it is, and nothing that
was chosen has to be put back: the navigation takes the whole address along.

What the server names in the address remains an entry of its own, since it can add entries but not replace one: an
uploaded file, a study that is chosen on a page of no study, and the start from the form, which changes the study before
it goes to its page. An argument of `st.query_params` and `st.switch_page` for replacing would do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qsl

import streamlit as st
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.state.query_params import QueryParams

BEFORE = "address before"  # in the session: the page that was shown last, and the query in its address


@contextmanager
def _of_this_run() -> Iterator[QueryParams]:
    context = get_script_run_ctx()
    assert context is not None
    with context.session_state.query_params() as found:
        yield found


def read_as(name: str, text: str | None) -> None:
    """For the rest of this run, take the value of a control in the address for another text, or for none."""
    with _of_this_run() as found:
        found.discard_param_no_forward_msg(name)
        if text is not None:
            found.set_with_no_forward_msg(name, text)
        found.set_initial_query_params_from_current()


def arrive() -> bool:
    """Begin a run, before its navigation: whether somebody has come from another page by a link with values of its own.

    What comes by any other way, as by the navigation, shows what the address has said so far, also of other pages:
    Streamlit takes along only the values of the controls that are drawn. Told what the browser's address says anyway,
    the browser makes no entry for it, and adds it to the page that it goes to.

    The page is remembered at once: on a busy machine the visitor may go back to the page before while this run goes on,
    and would seem to have never left that one.
    """
    context = get_script_run_ctx()
    if context is None:
        return False
    page, before = st.session_state.get(BEFORE, (None, ""))
    elsewhere = page not in (None, context.page_script_hash) and not is_return()
    given, had = (set(parse_qsl(text, keep_blank_values=True)) for text in (context.query_string, before))
    kept = elsewhere and given <= had
    if kept:
        with _of_this_run() as found:
            found.populate_from_query_string(before)
            found.set_initial_query_params_from_current()
        context.query_string = before
    remember()
    if kept:
        message = ForwardMsg()
        message.page_info_changed.query_string = before
        context.enqueue(message)
    return elsewhere and not kept


def remember() -> None:
    """Keep the page and its address for the next run. One that was stopped remembers nothing."""
    context = get_script_run_ctx()
    if context is not None:
        st.session_state[BEFORE] = context.page_script_hash, context.query_string


def is_return() -> bool:
    """Whether the visitor came to this address by going back or forward in the browser."""
    context = get_script_run_ctx()
    return context is not None and context.is_history_navigation


def let_go(name: str) -> None:
    """Leave in the address what a control has put there, once it is drawn, whatever becomes of its page.

    As long as Streamlit binds it, it removes it from the address when a run ends, or a page is left, without having
    drawn the control. Let go, it gives a control that comes back its value.
    """
    with _of_this_run() as found:
        if binding := found.get_binding_for_param(name):
            found.unbind_widget(binding.widget_id)
