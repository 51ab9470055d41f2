"""The studies that can be looked at, and the one that is: from the gallery, the cache, those running, the presets."""

from __future__ import annotations

from typing import NamedTuple

import streamlit as st
import xarray as xr

from landscape.store.results import Entry, Store
from landscape.store.sealed import DamagedEntry, folders
from landscape.study import Study, validated
from landscape.study.presets import presets

FIRST = "digits-mlp"  # what a visitor sees first: ten seeds, computed again in a minute, without a download


class Choice(NamedTuple):
    """One study in the list. `label` is its name in the list and in links: a preset's as it is, or name-digits."""

    label: str
    study: Study
    entry: Entry | None


class Opened(NamedTuple):
    """The chosen study and what there is of it: dataset is None where nothing is, and incomplete unless `whole`."""

    choice: Choice
    dataset: xr.Dataset | None
    whole: bool


def choices() -> tuple[dict[str, Choice], list[DamagedEntry]]:
    """Every study by its label: shipped, computed here, begun, presets; and what is damaged in the store."""
    store = Store()
    listing = store.entries()
    entries = {entry.key: entry for entry in reversed(listing.entries)}  # of equal keys the one computed here
    stored = sorted(entries.values(), key=lambda entry: (not entry.shipped, entry.name != FIRST, entry.name))
    studies = {entry.key: _told(entry) for entry in stored}
    for study in (*asked_for().values(), *store.begun(), *presets().values()):
        studies.setdefault(study.key, study)
    found = (Choice(label(study), study, entries.get(key)) for key, study in studies.items())
    return {choice.label: choice for choice in found}, listing.damaged


def _told(entry: Entry) -> Study:
    """The study of an entry; that of a shipped one with the texts of its preset today, which are no part of the key."""
    preset = presets().get(entry.name) if entry.shipped else None
    return preset if preset and preset.key == entry.key else validated(entry.record["study"])


def label(study: Study) -> str:
    """The name of a study in lists and links: the same on every server and at every time."""
    preset = presets().get(study.name)
    return study.name if preset and preset.key == study.key else f"{study.name}-{study.key[:6]}"


@st.cache_resource
def asked_for() -> dict[str, Study]:
    """Studies that somebody started on this server, by key."""
    return {}


def chosen() -> Choice:
    """The study that the frame's list is at."""
    return choices()[0][st.session_state["study"]]


def opened(choice: Choice) -> Opened:
    """A study with its result, whole or as far as it is. A damaged one is reported and counts as absent."""
    try:
        if choice.entry:
            return Opened(choice, whole(choice), True)
    except DamagedEntry as damage:
        st.warning(f"{damage}. It is set aside; the study can be computed again.")
    count = arrived(choice.study)
    return Opened(choice, _partial(choice.study.key, count, choice.study) if count else None, False)


def dataset() -> xr.Dataset:
    """The result to draw: the frame runs a page only where there is one."""
    found = opened(chosen()).dataset
    assert found is not None
    return found


def beside(labels: list[str]) -> dict[str, xr.Dataset]:
    """The result to draw and those of further studies, by label; what is damaged is reported and left out."""
    found = choices()[0]
    further = {label: opened(found[label]).dataset for label in labels}
    return {chosen().label: dataset()} | {label: each for label, each in further.items() if each is not None}


def arrived(study: Study) -> int:
    """How many parts of an unfinished result are kept."""
    return len(folders(Store().parts(study).folder))


def whole(choice: Choice) -> xr.Dataset:
    """The stored result of a study that has one, shared by all sessions. Raises DamagedEntry."""
    assert choice.entry is not None
    return _whole(str(choice.entry.path), choice.entry.record["sha256"][choice.entry.path.name], choice.study.key)


@st.cache_resource(max_entries=4, show_spinner=False)
def _whole(path: str, checksum: str, key: str) -> xr.Dataset:
    """A stored result, verified when it is read; path and checksum make another file another entry."""
    return Store().read(key)


@st.cache_resource(max_entries=2, show_spinner=False)
def _partial(key: str, count: int, _study: Study) -> xr.Dataset:
    """What the tasks of a study that have finished add up to."""
    return Store().partial(_study)
