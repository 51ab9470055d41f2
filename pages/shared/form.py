"""A study of one's own as a template and what differs from it. The address bar holds both, so that a link is a study.

The content is that of a study's file. Its leaves have the names of their places there, such as `training.epochs`, as
have their controls and the values in links. The candidates are one leaf, in the notation of their labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import streamlit as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from landscape.study import Study
from landscape.study.examples import TEXTS, DataSpec, TextSpec
from landscape.study.kinds import KINDS, ModelSpec
from landscape.study.presets import presets
from landscape.study.writing.notation import candidates_from, written
from landscape.study.writing.visible import visible
from pages.shared import adapting, address, fields, library

TEMPLATE, CANDIDATES, EMPTY = "from", "candidates", "none"
HELD = "held by the form"  # its place in the session's state
WHOLE = ("seeds", "control")  # the leaves that stand in no table
TABLES = ("data", "model", "expansion", "training", "walk")
LONGEST = 2000  # characters of one value in a link

Content = dict[str, Any]


@dataclass
class Held:
    """What a session's form holds, and the links that it has written, which are no news when they come back."""

    template: str
    content: Content
    written: set[str] = field(default_factory=set)


def held() -> Held:
    """The form of this session: that of the link if somebody came by one, or else what the controls have made of it."""
    found: Held | None = st.session_state.get(HELD)
    link = _link()
    if found is None or address.is_return() or (link and str(link) not in found.written):
        found = Held(*from_link(link), found.written if found else set())
        st.session_state[HELD] = found
    _write(found, link)
    return found


def _link() -> dict[str, str]:
    """What the address bar says of the form."""
    return {name: st.query_params[name] for name in st.query_params if is_ours(name)}


def is_ours(name: str) -> bool:
    """Whether a value in a link belongs to the form."""
    return name in (TEMPLATE, CANDIDATES, *WHOLE) or (name.split(".")[0] in TABLES and "." in name)


def _write(form: Held, before: Mapping[str, str]) -> None:
    """Bring the address bar up to date."""
    link = link_of(form)
    form.written.add(str(link))
    if link != before:
        texts = {name: st.query_params.get_all(name) for name in st.query_params if not is_ours(name)}
        texts |= {name: [text] for name, text in link.items()}
        st.query_params.from_dict(texts)  # at once, since each change is an entry of the browser's history


def link_of(form: Held) -> dict[str, str]:
    """The values in the link of a form: its template, if it is not the first one, and all leaves that differ."""
    before, now = template_leaves(form.template), leaves(form.content)
    changed = {name: text or EMPTY for name, text in now.items() if text != _kept(before, now).get(name)}
    return ({} if form.template == library.FIRST else {TEMPLATE: form.template}) | changed


def template_leaves(template: str) -> dict[str, str]:
    """The text of every leaf of a preset."""
    return leaves(presets()[template].model_dump(mode="json"))


def from_link(link: Mapping[str, str]) -> tuple[str, Content]:
    """The template and the content that a link stands for; a warning names what in it is unknown."""
    template = link.get(TEMPLATE, library.FIRST)
    if template not in presets():
        st.warning(f"The link starts from {show(template)}, which is no preset. {library.FIRST} is used instead.")
        template = library.FIRST
    content = presets()[template].model_dump(mode="json")
    given = {name: "" if text == EMPTY else text[:LONGEST] for name, text in link.items() if name != TEMPLATE}
    before = leaves(content)
    kept = _kept(before, before | given)
    for table in ("data", "model"):
        content[table] = {name: value for name, value in content[table].items() if f"{table}.{name}" in kept}
    for name in sorted(given, key=lambda name: name not in ("data.name", "model.kind")):
        if name != CANDIDATES and field_of(name, content) is None:
            st.warning(f"The link gives {show(name)}, which this form does not know. It is left out.")
        else:
            set_leaf(content, name, given[name])
    return template, content


def _kept(before: Mapping[str, str], now: Mapping[str, str]) -> dict[str, str]:
    """The leaves of a template that another choice of model, or of text instead of images, leaves in place."""
    lost = [] if before["model.kind"] == now["model.kind"] else ["model"]
    lost += [] if _data(before["data.name"]) is _data(now["data.name"]) else ["data"]
    return {name: text for name, text in before.items() if name.split(".")[0] not in lost}


def show(text: str) -> str:
    """A value of a link in a sentence, which no Markdown in it can change."""
    return "`" + visible(text[:100]).replace("`", "ˋ").replace("\n", " ") + "`"


def leaves(content: Content) -> dict[str, str]:
    """The text of every leaf of a content that has a control."""
    names = [f"{table}.{name}" for table in TABLES for name in content[table]]
    found = {name: fields.text_of(leaf(content, name)) for name in names if field_of(name, content)}
    return found | {name: fields.text_of(content[name]) for name in WHOLE} | {CANDIDATES: candidates_text(content)}


def candidates_text(content: Content, between: str = "; ") -> str:
    """The candidates in the notation of their labels, or what somebody has written in their place."""
    found = content[CANDIDATES]
    return found if isinstance(found, str) else written(found, between)


def leaf(content: Content, name: str) -> Any:
    """A value by its name; None where there is none."""
    *table, key = name.split(".")
    return content[table[0]].get(key) if table else content.get(key)


def set_leaf(content: Content, name: str, text: str) -> None:
    """Set a value from its text."""
    if name == CANDIDATES:
        try:
            content[CANDIDATES] = candidates_from(text)
        except ValueError:
            content[CANDIDATES] = text
        return
    found = field_of(name, content)
    value = text if found is None else fields.read(found, text)
    *table, key = name.split(".")
    (content[table[0]] if table else content)[key] = value


def field_of(name: str, content: Content) -> FieldInfo | None:
    """The field of a specification that a name stands for; None where there is none."""
    table, _, key = name.rpartition(".")
    return (_spec(table, content).model_fields if table else Study.model_fields).get(key)


def _spec(table: str, content: Content) -> type[BaseModel]:
    """The specification that describes a table."""
    if table == "data":
        return _data(content["data"].get("name", ""))
    if table == "model":
        return KINDS.get(content["model"].get("kind", ""), ModelSpec)
    return cast(type[BaseModel], Study.model_fields[table].annotation)


def _data(name: str) -> type[DataSpec]:
    return TextSpec if name in TEXTS else DataSpec


def put(name: str, text: str) -> None:
    """Set a value from its text, and whatever else no longer fits: another model brings candidates of its own."""
    form: Held = st.session_state[HELD]
    set_leaf(form.content, name, text)
    adapting.adapt(form.content, name)


def changed(name: str) -> None:
    """Take over the value that a control has now. Made for `on_change`, which runs before the page."""
    put(name, fields.text_of(st.session_state[name]))


def start_from(template: str) -> None:
    """Take a preset as it is."""
    form: Held = st.session_state[HELD]
    form.template, form.content = template, presets()[template].model_dump(mode="json")
