"""Fields of a specification as controls: a field that a specification gains has one at once, by its type and bounds.

The text of a value is what links hold and what a text field shows; `read` turns it back. What cannot be read stays
text, and the specification says what is wrong with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import streamlit as st
from pydantic.fields import FieldInfo

GREATEST = 2**53 - 1  # the greatest whole number that a browser keeps
MOST_CHARACTERS = 1000  # of a value in a text field
WHOLE = re.compile(r"-?\d{1,18}")

Scalar = type | None


def plain(annotation: Any) -> tuple[Any, bool, list[Any]]:
    """The type of a field without what is wrapped around it, whether it may be left empty, and its bounds."""
    if get_origin(annotation) is Annotated:
        inner, *metadata = get_args(annotation)
        kind, optional, bounds = plain(inner)
        own = [each for data in metadata for each in (data.metadata if isinstance(data, FieldInfo) else [data])]
        return kind, optional, [*bounds, *own]
    if get_origin(annotation) in (Union, UnionType):
        (inner,) = (each for each in get_args(annotation) if each is not type(None))
        kind, _, bounds = plain(inner)
        return kind, True, bounds
    return annotation, False, []


def label_of(name: str, field: FieldInfo) -> str:
    """What the control of a field is called."""
    return field.title or name.replace("_", " ").capitalize()


def text_of(value: Any) -> str:
    """The text of a value."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ", ".join(map(text_of, value))
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def read(field: FieldInfo, text: str) -> Any:
    """The value that a text stands for; the text itself where it stands for none."""
    kind, optional, _ = plain(field.annotation)
    if optional and not text:
        return None
    if kind is bool:
        return {"true": True, "false": False}.get(text.lower(), text)
    if kind is int:
        return int(text) if WHOLE.fullmatch(text) else text
    if kind is float:
        return _number(text)
    if get_origin(kind) is Literal:
        return next((option for option in get_args(kind) if text_of(option) == text), text)
    if get_origin(kind) is tuple:
        parts = filter(None, re.split(r"[,;\s]+", text.strip()))
        return [int(part) if WHOLE.fullmatch(part) else part for part in parts]
    return text


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def draw(
    key: str, field: FieldInfo, value: Any, on_change: Callable[[str], None], options: Sequence[str] | None = None
) -> None:
    """Draw the control of a field that shows `value`; a new value stands in the session's state when `on_change` runs.

    `options` are what a field of text may be. A value that the control of its type cannot show is shown as text.
    """
    kind, optional, bounds = plain(field.annotation)
    common: dict[str, Any] = {"key": key, "help": field.description, "on_change": on_change, "args": (key,)}
    label, options = label_of(key.split(".")[-1], field), options or _options(kind)
    if kind is bool and isinstance(value, bool):
        st.session_state[key] = value
        st.toggle(label, **common)
    elif options is not None and value in options:
        st.session_state[key] = value
        st.selectbox(label, options, **common)
    elif kind is int and (isinstance(value, int) or (optional and value is None)):
        low, high = _bounds([*field.metadata, *bounds], value)
        st.session_state[key] = value
        st.number_input(label, low, high, value=None, step=1, placeholder="all", **common)
    else:
        st.session_state[key] = text_of(value)
        st.text_input(label, max_chars=MOST_CHARACTERS, **common)


def _options(kind: Any) -> Sequence[Any] | None:
    return get_args(kind) if get_origin(kind) is Literal else None


def _bounds(metadata: Sequence[Any], value: int | None) -> tuple[int, int]:
    """The least and the greatest whole number that a field allows; beyond them only where the value is there."""
    limits = {
        kind: int(getattr(bound, kind))
        for bound in metadata
        for kind in ("ge", "gt", "le", "lt")
        if getattr(bound, kind, None) is not None
    }
    low = limits.get("ge", limits.get("gt", -GREATEST - 1) + 1)
    high = min(GREATEST, limits.get("le", limits.get("lt", GREATEST + 1) - 1))
    inside = value is None or low <= value <= high
    return (low, high) if inside else (-GREATEST, GREATEST)
