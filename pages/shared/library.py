"""The studies that can be shown and the one that is: shipped, computed here, running, or presets."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import NamedTuple

import streamlit as st
import xarray as xr

from landscape.store.derived import Kept
from landscape.store.results import Entry, Store
from landscape.store.sealed import DamagedEntry, folders
from landscape.study import Study
from landscape.study.presets import label as label_of
from landscape.study.presets import means, preset_keys, presets
from pages.shared.show import plain

FIRST = "digits-mlp"  # shown first: it has ten seeds and needs no download


class Choice(NamedTuple):
    """A study in the list. `label` is its name there and in links: that of a preset as it is, others with a key."""

    label: str
    study: Study
    entry: Entry | None


_LISTED: ContextVar[dict[str, Choice] | None] = ContextVar("listed", default=None)  # in the thread of a run


class OpenStudy(NamedTuple):
    """A study with its result: the dataset is None if there is nothing yet, and incomplete unless `whole`."""

    choice: Choice
    dataset: xr.Dataset | None
    whole: bool


def choices() -> tuple[dict[str, Choice], list[DamagedEntry]]:
    """Every study by its label, and the damaged results."""
    store = Store()
    listing = store.entries()
    entries = {entry.key: entry for entry in reversed(listing.entries)}  # one computed here replaces a shipped one
    stored = sorted(entries.values(), key=lambda entry: (not entry.shipped, entry.name != FIRST, entry.name))
    studies = {entry.key: _study_of(entry) for entry in stored}
    for study in (*asked_for().values(), *store.begun()):
        studies.setdefault(study.key, study)
    for name, key in preset_keys().items():
        studies.setdefault(key, presets()[name])
    found = (Choice(label_of(study.name, key), study, entries.get(key)) for key, study in studies.items())
    return {choice.label: choice for choice in found}, listing.damaged


def _study_of(entry: Entry) -> Study:
    """The study of an entry. A shipped one takes its texts from today's preset, since they are not part of the key."""
    if entry.shipped and preset_keys().get(entry.name) == entry.key:
        return presets()[entry.name]
    return entry.study


def label(study: Study) -> str:
    """The name of a study in lists and links, which is the same on every server at all times."""
    return label_of(study.name, study.key)


@st.cache_resource(show_spinner=False)
def asked_for() -> dict[str, Study]:
    """The studies that somebody has started on this server, by key."""
    return {}


def listed() -> dict[str, Choice]:
    """The choices as they were when this run of the page began, if the frame has listed them."""
    return _LISTED.get() or choices()[0]


def list_choices() -> tuple[dict[str, Choice], list[DamagedEntry]]:
    """List the choices anew, for the rest of this run."""
    found, damaged = choices()
    _LISTED.set(found)
    return found, damaged


def meant(text: str, found: Mapping[str, Choice]) -> list[str]:
    """The labels of the studies that a text in a link means: a label, or else a name or the first digits of a key."""
    if text in found:
        return [text]
    named = [label for label, choice in found.items() if choice.study.name == text]
    return named or [label for label, (_, study, _) in found.items() if means(text, study.name, study.key)]


def chosen() -> Choice:
    """The study that is selected in the sidebar."""
    return listed()[st.session_state["study"]]


def open_study(choice: Choice) -> OpenStudy:
    """A study with as much of its result as there is. A damaged result brings up a warning and counts as missing."""
    try:
        if choice.entry:
            return OpenStudy(choice, whole(choice), True)
    except DamagedEntry as damage:
        st.warning(plain(f"{damage}. It was set aside, and you can compute the study again."))
    count = arrived(choice.study)
    return OpenStudy(choice, _partial(choice.study.key, count, choice.study) if count else None, False)


def dataset() -> xr.Dataset:
    """The result to show; the frame runs a page only if there is one."""
    found = open_study(chosen()).dataset
    assert found is not None
    return found


def beside(labels: list[str]) -> dict[str, xr.Dataset]:
    """The result to show and those of further studies, by label; damaged ones bring up a warning and are left out."""
    return {chosen().label: dataset()} | opened(labels)


def opened(labels: list[str]) -> dict[str, xr.Dataset]:
    """Results by their label; damaged ones bring up a warning and are left out."""
    found = listed()
    results = {label: open_study(found[label]).dataset for label in labels}
    return {label: each for label, each in results.items() if each is not None}


def measured() -> list[str]:
    """The labels of the studies that have a result, be it a part of one."""
    return [label for label, choice in listed().items() if choice.entry or arrived(choice.study)]


def first() -> xr.Dataset | None:
    """The result of the study that is shown first; None where it is not here. A damaged one brings up a warning."""
    return open_study(listed()[FIRST]).dataset


def shipped() -> list[Choice]:
    """The studies whose shipped result can be chosen, in the order of their labels."""
    entries = (entry for entry in Store().entries().entries if entry.shipped)
    found = ((_study_of(entry), entry) for entry in entries)
    return sorted((Choice(label(study), study, entry) for study, entry in found), key=lambda choice: choice.label)


def identity(entry: Entry) -> tuple[str, str]:
    """Path and checksum of a stored result, by which caches know it."""
    return str(entry.path), entry.record["sha256"][entry.path.name]


@st.cache_resource(show_spinner=False)
def kept() -> Kept:
    """What pages have computed from the results that are open, for all sessions of this server."""
    return Kept()


def arrived(study: Study) -> int:
    """How many parts of an unfinished result have been kept."""
    return len(folders(Store().parts(study).folder))


def is_stored(study: Study) -> bool:
    """Whether a study has been computed here or is shipped."""
    return study.key in Store()


def whole(choice: Choice) -> xr.Dataset:
    """The result of a study that has a stored one, shared by all sessions. Raises DamagedEntry."""
    assert choice.entry is not None
    return _whole(*identity(choice.entry), choice.study.key)


@st.cache_resource(max_entries=24, show_spinner=False)  # room for all shipped results, which Scorecard reads
def _whole(path: str, checksum: str, key: str) -> xr.Dataset:
    """A stored result, verified as it is read. A new path or checksum makes it a new entry of this cache."""
    return Store().read(key)


@st.cache_resource(max_entries=2, show_spinner=False)
def _partial(key: str, count: int, _study: Study) -> xr.Dataset:
    """The result so far, from the tasks that have finished."""
    return Store().partial(_study)
