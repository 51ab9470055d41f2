"""The controls of the form: the choices that matter most, and all others in expanders, made from the specification."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from landscape.analysis.wording import counted
from landscape.data import available
from landscape.study.kinds import KINDS
from landscape.study.presets import presets
from landscape.study.writing.notation import MOST_CHARACTERS, NOTATION
from pages.shared import adapting, fields, form, show
from pages.shared.form import CANDIDATES, Content, Held

AS_WRITTEN = "listed below"
TABLES = {  # what the expanders are called, and the leaves that are drawn elsewhere or not at all
    "model": "Base model",
    "data": "Data",
    "training": "Training",
    "expansion": "Expansion",
    "walk": "Walk",
}
ELSEWHERE = ("data.name", "model.kind")
COLUMNS = 3


def essentials(held: Held) -> None:
    """The four choices that matter most, side by side."""
    content = held.content
    name, data = content["data"]["name"], presets()[held.template].data.name
    start, images, base, expand = st.columns(4)
    with start:
        picked("Start from", list(presets()), held.template, form.start_from, "A preset; what differs is marked.")
    with images:
        options = list(dict.fromkeys([name, data, *sets()]))
        picked("Data set", options, name, lambda chosen: form.put("data.name", chosen))
        mark(held, "data.name")
    with base:
        now, models = base_models(content)
        picked("Base model", list(models), now, lambda chosen: choose_model(held, models[chosen]))
        mark(held, "model.kind")
    with expand:
        found = adapting.ways_of(content)
        way = next((name for name, each in found.items() if each == content[CANDIDATES]), AS_WRITTEN)
        options = [*found, *([] if way in found else [way])]
        picked("Expand", options, way, lambda chosen: choose_way(held, chosen), "Others can be written below.")
        mark(held, CANDIDATES)


@st.cache_data(ttl=60)
def sets() -> list[str]:
    """The data sets that can be used here."""
    return available()


def picked(
    label: str, options: Sequence[str], now: str, choose: Callable[[str], None], help: str | None = None
) -> None:
    """A list in which `now` is chosen; `choose` is called with another choice before the page runs again."""
    key = f"form-{label}"
    st.session_state[key] = now
    st.selectbox(label, options, key=key, help=help, on_change=lambda: choose(st.session_state[key]))


def base_models(content: Content) -> tuple[str, dict[str, Content]]:
    """The name of the base model in its list, and the list: every kind that reads the data, under published names."""
    models, model = adapting.named_models(adapting.modality(content)), content["model"]
    same = [name for name, each in models.items() if each["kind"] == model.get("kind")]
    exact = next((name for name in same if models[name] == model), None)
    if exact or len(same) == 1:
        return exact or same[0], models
    kind = KINDS.get(model.get("kind", ""))
    name = kind.model_config.get("title") if kind else None
    return name or form.show(str(model.get("kind"))), models | {name or form.show(str(model.get("kind"))): model}


def choose_model(held: Held, model: Content) -> None:
    """Take another base model; candidates and permuted group follow where they do not fit it."""
    held.content["model"] = model
    adapting.adapt(held.content, "model.kind")


def choose_way(held: Held, way: str) -> None:
    """Take a ready-made set of candidates."""
    found = adapting.ways_of(held.content)
    if way in found:
        held.content[CANDIDATES] = found[way]
        adapting.walk_what_widens(held.content)


def candidates(held: Held) -> None:
    """The candidates as text, one a line."""
    key = CANDIDATES
    st.session_state[key] = form.candidates_text(held.content, "\n")
    st.text_area(
        "Candidates, one a line",
        key=key,
        height="content",
        max_chars=MOST_CHARACTERS,
        help=f"Write {NOTATION}; & stands between several steps in a row.",
        on_change=form.changed,
        args=(key,),
    )


def tables(held: Held) -> None:
    """Every other setting, in an expander for each table of a study's file."""
    with st.expander(titled(held, "Repetition", form.WHOLE), key="form-repetition"):
        grid(held, list(form.WHOLE))
    for table, title in TABLES.items():
        names = [name for name in form.leaves(held.content) if name.startswith(f"{table}.") and name not in ELSEWHERE]
        if names:
            with st.expander(titled(held, title, names), key=f"form-{table}"):
                grid(held, names)


def titled(held: Held, title: str, names: Sequence[str]) -> str:
    """The title of an expander, with how many of its values differ from the template."""
    count = len({*names} & differing(held))
    return f"{title}: {counted(count, 'change')}" if count else title


def grid(held: Held, names: Sequence[str]) -> None:
    """The controls of some leaves, in rows."""
    for start in range(0, len(names), COLUMNS):
        for column, name in zip(st.columns(COLUMNS), names[start : start + COLUMNS], strict=False):
            with column:
                found = form.field_of(name, held.content)
                assert found is not None
                options = adapting.groups_to_walk(held.content) if name == "walk.group" else None
                fields.draw(name, found, form.leaf(held.content, name), form.changed, options)
                mark(held, name)


def differing(held: Held) -> set[str]:
    """The leaves that differ from the template."""
    before, now = form.template_leaves(held.template), form.leaves(held.content)
    return {name for name, text in now.items() if before.get(name) != text}


def mark(held: Held, name: str) -> None:
    """Say below a control what the template has in place of its value, where it has another one."""
    if name in differing(held):
        before = form.template_leaves(held.template).get(name)
        text = "not" if before is None else show.plain(before or form.EMPTY)
        st.caption(f":material/edit: {text} in {held.template}")
