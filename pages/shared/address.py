"""The address of a page in the browser, which Streamlit is kept from changing by itself.

A widget that somebody moves replaces the address. What the server changes in it becomes an entry of the browser's
history, and each takes one press more to go back. So nothing is changed that reads the same as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.state.query_params import QueryParams


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
