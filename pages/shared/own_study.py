"""From the form to a study: what is wrong with it in the words of the controls, its start, a TOML text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import get_args

import streamlit as st
from pydantic import ValidationError

from landscape.analysis.wording import size_in_words
from landscape.data import status
from landscape.data.shapes import examples_of
from landscape.jobs.guard.fits import excesses, lack_of_disk, lack_of_memory
from landscape.store.results import Store
from landscape.study import Study
from landscape.study.examples import OWN, Modality
from landscape.study.faults import Fault, faults_of
from landscape.study.files import MOST_CHARACTERS
from landscape.study.kinds import OwnSpec
from landscape.study.presets import presets
from landscape.study.writing.notation import candidates_from
from landscape.study.writing.toml_text import content_of
from pages.shared import adapting, fields, form, library, running, show
from pages.shared.form import CANDIDATES, TABLES, Content, Held

MODALITIES: tuple[Modality, ...] = get_args(Modality)
PLACE = re.compile(rf"\b({'|'.join(TABLES)})\.(\w+)")


def checked(held: Held) -> tuple[Study | None, list[str]]:
    """The study that the form describes; or None, and a sentence for each thing that is wrong."""
    content = held.content
    if isinstance(content[CANDIDATES], str):
        return None, [_unreadable(content[CANDIDATES])]
    try:
        study = Study.model_validate(content | {"name": "mine", "title": "", "description": "", "reproduces": ""})
    except ValidationError as error:
        return None, [in_words(fault, content) for fault in faults_of(error)]
    if study.refusal:
        return None, [f"The app does not compute this study: {study.refusal}."]
    preset = presets()[held.template]
    return preset if preset.key == study.key else study.model_copy(update=_texts(study)), []


def _unreadable(text: str) -> str:
    try:
        candidates_from(text)
    except ValueError as error:
        return f"Candidates: {error}."
    return "Candidates: give at least one."


def _texts(study: Study) -> dict[str, str]:
    """What lists call a study of one's own."""
    kind = type(study.model).model_config.get("title") or study.model.kind
    labels = "; ".join(study.labels)
    short = labels if len(labels) <= 80 else f"{labels[:79]}…"
    return {
        "name": f"{study.data.name.replace('/', '-')}-{study.model.kind}",
        "title": f"{study.data.name}, {kind}, {short}",
    }


def in_words(fault: Fault, content: Content) -> str:
    """A fault as a sentence, in which values have the names of their controls."""
    message = PLACE.sub(lambda found: f"“{label(f'{found[1]}.{found[2]}', content)}”", fault.message)
    place = _place(fault, content)
    given = f"; it is {fault.given}" if place and fault.given not in ("", "[]") else ""
    return f"{place}{message}{given}".rstrip(".") + "."


def _place(fault: Fault, content: Content) -> str:
    match fault.place:
        case ("candidates", int(number), *_):
            return f"Candidate {number + 1}: "
        case ("candidates",):
            return "Candidates: "
        case (str(table), str(name), int(number)):
            return f"{label(f'{table}.{name}', content)}, entry {number + 1}: "
        case (str(table), str(name), *_):
            return f"{label(f'{table}.{name}', content)}: "
        case (str(name),) if name not in TABLES:
            return f"{label(name, content)}: "
    return ""


def label(name: str, content: Content) -> str:
    """What the control of a leaf is called."""
    found, key = form.field_of(name, content), name.split(".")[-1]
    return fields.label_of(key, found) if found else key.replace("_", " ").capitalize()


def obstacles(study: Study | None) -> list[str]:
    """Why a study cannot be computed here, and what to change, a sentence each."""
    if study is None:
        return []
    found = status(study.data.name)
    if not found.present:
        return [f"{found.text}."]
    try:
        examples_of(study.data)
    except ValueError as error:
        return [f"{error}."]
    return [*_excesses(study), *_lacks(study)]


def _excesses(study: Study) -> Iterator[str]:
    """What asks for more examples than there are."""
    content = study.model_dump(mode="json")
    train, validation = (f"“{label(f'data.{name}', content)}”" for name in ("train_size", "validation_size"))
    for setting, asked, there in excesses(study):
        if setting == "data":
            yield (
                f"{train} and {validation} ask for {asked:,} together, and {study.data.name} has {there:,}: lower one "
                "of them."
            )
        else:
            name = label(setting, content)
            yield f"“{name}” is {asked:,}, more than the {there:,} training examples: lower it, or raise {train}."


def _lacks(study: Study) -> Iterator[str]:
    """What this computer has too little of."""
    content = study.model_dump(mode="json")
    train, seeds, walks = (f"“{label(name, content)}”" for name in ("data.train_size", "seeds", "walk.checkpoints"))
    if memory := lack_of_memory(study):
        yield (
            f"It needs at least {size_in_words(memory.needed)} of memory, and this computer has "
            f"{size_in_words(memory.there)}: lower the sizes of the candidates, or {train}."
        )
    if disk := lack_of_disk(study, Store()):
        yield (
            f"Its checkpoints need {size_in_words(disk.needed)} of disk space, and there is room for "
            f"{size_in_words(disk.there)}: lower {seeds} or {walks}, or free some space."
        )


def start_button(study: Study) -> None:
    """A button that starts the study and moves on to it, or a way to it where it has been computed."""
    if library.is_stored(study):
        running.way_to(study, "Already computed: open it")
    elif st.button("Start computing", key="start-own", icon=":material/play_arrow:"):
        running.move_on(study)


def paste(held: Held) -> None:
    """A field for a TOML text, which takes the place of all that the form holds."""
    st.text_area(
        "Or paste a study's TOML here",
        key="pasted",
        max_chars=MOST_CHARACTERS,
        height=120,
        placeholder='extends = "digits-mlp"\nseeds = 3',
    )
    st.button("Use this TOML", key="use-pasted", on_click=_take, args=(held,))
    for fault in st.session_state.pop("faults of pasted", []):
        st.error(show.plain(fault))


def _take(held: Held) -> None:
    """Take over what was pasted, if it is a study; else keep what is wrong with it, to be shown."""
    try:
        held.content = _allowed(content_of(st.session_state.get("pasted", "")))
    except ValidationError as error:
        st.session_state["faults of pasted"] = [str(fault) for fault in faults_of(error)]
    except ValueError as error:
        st.session_state["faults of pasted"] = [str(error)]


def _allowed(content: Content) -> Content:
    """The content with all defaults. Raises ValueError for what is no study, and for one that names files."""
    model, data = ({} if not isinstance(table := content.get(name), dict) else table for name in ("model", "data"))
    if model.get("kind") == "own":
        raise ValueError(f"The app does not compute this study: {OwnSpec.model_validate(model).refusal}")
    kinds = {each["kind"] for modality in MODALITIES for each in adapting.named_models(modality).values()}
    if "kind" in model and not (isinstance(model["kind"], str) and model["kind"] in kinds):
        raise ValueError(f"model.kind: here it must be one of {', '.join(sorted(kinds))} (given {model['kind']!r:.80})")
    if own := sorted(OWN.keys() & data.keys()):
        raise ValueError(f"data.{own[0]}: files are read by the command line only: python -m landscape run FILE.toml")
    if "weights" in content or "tokens" in data:
        raise ValueError("weights, data.tokens: a trained network of your own is uploaded on a page of its own")
    return Study.model_validate({"name": "mine"} | content).model_dump(mode="json")
