"""What surrounds every page: its place in the navigation, the choice of study, and the progress of that."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import streamlit as st
import xarray as xr
from streamlit.delta_generator import DeltaGenerator

from landscape.analysis.divergence import divergence
from landscape.analysis.walks import steps_reached
from landscape.analysis.wording import counted
from landscape.store.derived import keeping
from landscape.study import Study
from landscape.study.presets import nearest
from pages.shared import address, controls, form, library, running, show
from pages.shared.controls import checked
from pages.shared.widgets import Choices

PAPER = "https://arxiv.org/abs/2405.15895"
MENU: Any = {  # beside its "Print"; figures keep the size that they have on the screen, which no setting changes
    "About": "To print a study, download its *Report* in the side bar, which fits on paper. The figures of the pages "
    "are as wide as the window, and paper cuts them off."
}
TURN = Lock()
PATIENCE = 1.0  # seconds after which a page is drawn although another still is: that one may wait for something else
MOST_NAMED = 5  # unknown settings of a link, or studies that it may mean, that are named
READ = "read studies"  # in the session: the studies in the address when it was last read
NAME = "Loss-landscape explorer"
ICON = Path(__file__).with_name("icon.svg")  # a symbol of Streamlit's would be fetched from outside


class View(NamedTuple):
    """A page as the frame sees it: its file, its question, how to read the answer, and its controls by rows.

    `above` and `below` draw the parts of the page that need no result. A page that is not `of_one_study`, such as a
    lesson, has no choice of study beside it, and is run whether or not there is a result.
    """

    name: str
    icon: str
    question: str
    text: str
    controls: tuple[tuple[str, ...], ...]
    title: str = ""
    above: Callable[[library.OpenStudy], None] | None = None
    below: Callable[[], None] | None = None
    of_one_study: bool = True
    variable: str = ""

    @property
    def label(self) -> str:
        """The name of the page in the navigation."""
        return self.title or self.name.capitalize()


class Doubt(NamedTuple):
    """A study that a link asks for and that is not one: its text, the studies that it may mean, and those like it."""

    asked: str
    meant: list[str]
    near: list[str]

    @property
    def in_words(self) -> str:
        """What is said of it, as Markdown."""
        asked = f"The link asks for the study {form.show(self.asked)}"
        if self.meant:
            return f"{asked}, and {len(self.meant)} studies here are called that."
        like = "Those below are called much like it; the" if self.near else "The"
        return f"{asked}, and no study here is called that. {like} list in the side bar has all that there are."


def remember_first(pages: Mapping[str, Iterable[st.Page]]) -> None:
    """Keep the first page of each section, for pages that lead to it."""
    st.session_state["first"] = {folder: next(iter(found)) for folder, found in pages.items() if found}


def first(folder: str) -> st.Page:
    """The first page of a section."""
    return st.session_state["first"][folder]


@contextmanager
def visit() -> Iterator[None]:
    """A run of the app, whose navigation is within the block."""
    if address.arrive():
        controls.forget()
    try:
        yield
    finally:
        address.remember()


@contextmanager
def in_turn() -> Iterator[None]:
    """Within the block, no other page is drawn, unless this one takes long.

    Python runs one thread at a time. Pages that are drawn together therefore all end late; one after another, each but
    the last ends sooner.
    """
    mine = TURN.acquire(timeout=PATIENCE)
    try:
        yield
    finally:
        if mine:
            TURN.release()


def around(page: st.Page, view: View) -> None:
    """Draw the frame and the page in it."""
    with in_turn(), keeping(library.kept()):
        _around(page, view)


def _around(page: st.Page, view: View) -> None:
    running.arrive()
    chosen, doubt, files = _sidebar(view.of_one_study)
    st.set_page_config(f"{view.label} · {f'{chosen.label} · ' if view.of_one_study else ''}{NAME}")
    st.title(view.question)
    if view.of_one_study:
        st.caption(f"**{show.plain(chosen.label)}**: {show.plain(titled(chosen.study))}")
    else:
        st.markdown(view.text)
    if doubt:
        _say(doubt, chosen)
    if unknown := [name for name in st.query_params if not (controls.is_known(name) or form.is_ours(name))]:
        st.info(unknown_in_words(unknown))
    running.start_asked()
    if view.of_one_study:
        running.show(chosen.study)
        _of(chosen, page, view, files)
    else:
        page.run()


def _of(chosen: library.Choice, page: st.Page, view: View, files: DeltaGenerator) -> None:
    """Draw the page of the chosen study, as far as there is a result, and among its files the report."""
    current = library.open_study(chosen)
    if view.above:
        view.above(current)
    elif current.dataset is None:
        st.info(show.plain(f"{chosen.label} has not been computed yet. You can start it on the page Study."))
    if current.dataset is not None:
        if not current.whole:
            st.caption(so_far(current.dataset))
        if lost := divergence(current.dataset):
            st.warning(lost)
        shown = not view.variable or bool(current.dataset[view.variable].notnull().any())
        controls.draw(current.dataset, view.text, view.controls if shown else ())
        if chosen.entry and current.whole:
            with files:
                _offer_report(chosen, *controls.held(current.dataset, "q", "n"))
        page.run()
    if view.below:
        view.below()


def unknown_in_words(names: Sequence[str]) -> str:
    """What is said of the settings in a link that no page has, all of them in one sentence."""
    shown = ", ".join(form.show(name) for name in names[:MOST_NAMED])
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    which, they = ("settings", "They are") if len(names) > 1 else ("a setting", "It is")
    return f"The link has {which} that this app does not know: {shown}{more}. {they} left out."


def _sidebar(of_one_study: bool) -> tuple[library.Choice, Doubt | None, DeltaGenerator]:
    """Draw the choice of study, and what is known of it.

    Return the chosen one, what is unclear of it, and a place for its files that follow from the controls below.
    """
    found, damaged = library.list_choices()
    labels = list(found)
    doubt = _read_study(found)
    with st.sidebar:
        choice = Choices("Study", labels, labels[0], "Shipped or computed results, running studies, and presets.")
        if of_one_study:
            checked("study", choice)
        else:
            _unbound(choice)
        chosen = found[st.session_state["study"]]
        if of_one_study:
            _show_study(chosen)
        files = st.container()
        for damage in damaged:
            st.warning(show.plain(f"{damage}. It is not shown; computing the study again replaces it."))
        st.link_button("The paper", PAPER, icon=":material/article:", type="tertiary")
    return chosen, doubt, files


def _unbound(choice: Choices) -> None:
    """Draw the choice of study on a page that leads to studies.

    Streamlit would add what is bound to the address of a link there, which has a study of its own.
    """
    asked = st.query_params.get("study", choice.default)
    st.session_state["study"] = asked if asked in choice.options else choice.default
    st.selectbox(choice.label, choice.options, key="study", help=choice.help, on_change=_choose_selected)


def _choose_selected() -> None:
    _choose(st.session_state["study"])


def _read_study(found: Mapping[str, library.Choice]) -> Doubt | None:
    """Choose the study that the address asks for, by any of its names; or return what is unclear.

    A link on a page adds its study to the address of the page, so the last one counts, and counts more than what is
    selected, which the browser sends along. When it is read again, the selection is newer.
    """
    asked = st.query_params.get_all("study")
    news = asked != st.session_state.get(READ)
    st.session_state[READ] = asked
    if not asked:
        return None
    labels = library.meant(asked[-1], found)
    one = labels[0] if len(labels) == 1 else None
    address.read_as("study", one)
    if one and news and one != st.session_state.get("study", one):
        st.session_state["study"] = one
    return None if one else Doubt(asked[-1], labels, nearest(asked[-1], found))


def _say(doubt: Doubt, chosen: library.Choice) -> None:
    """Say which study the link asks for, and offer those that it may mean."""
    st.warning(f"{doubt.in_words} {show.plain(chosen.label)} is shown instead.")
    with st.container(horizontal=True):
        for label in (doubt.meant or doubt.near)[:MOST_NAMED]:
            st.button(show.plain(label), key=f"meant-{label}", on_click=_choose, args=(label,))


def _choose(label: str) -> None:
    """Show a study in place of the one that the link asks for. Made for `on_click`."""
    st.session_state["study"] = st.query_params["study"] = label


def so_far(dataset: xr.Dataset) -> str:
    """How much there is of an unfinished result, in words."""
    models = int(dataset["barrier"].notnull().any(("checkpoint", "permutation")).sum())
    whole, steps = dataset.sizes["seed"] * dataset.sizes["candidate"], dataset.sizes["permutation"]
    begun = f"So far, {models or 'none'} of {whole} candidates (counting each seed separately)"
    if not models:
        return f"{begun} has been walked."
    return (
        f"{begun} {'has' if models == 1 else 'have'} been walked, each for at least "
        f"{steps_reached(dataset)} of {steps} steps. Their barriers are final, but means change with further seeds, "
        "and a link without n uses all the steps available when it is opened."
    )


def _show_study(chosen: library.Choice) -> None:
    study = chosen.study
    st.caption(show.plain(study.description or titled(study)))
    st.caption(f"{sizes(study)}. {origin(chosen)}")
    if chosen.entry:
        st.download_button(
            "NetCDF",
            chosen.entry.path.read_bytes,
            f"{chosen.label}.nc",
            "application/x-netcdf",
            icon=":material/download:",
            on_click="ignore",
            help="The whole result, as a file for xarray.open_dataset.",
        )


def _offer_report(chosen: library.Choice, q: float, n: int) -> None:
    show.report(chosen.label, lambda: library.whole(chosen).assign_attrs(title=titled(chosen.study)), q, n)


def titled(study: Study) -> str:
    """The title of a study as it is now, which its result may not know: somebody may have changed it."""
    return study.title or study.name


def sizes(study: Study) -> str:
    """How large a study is, in words."""
    counts = {
        "seed": study.seeds,
        "candidate": len(study.candidates),
        "epoch": study.training.epochs,
        "permutation": study.walk.permutations,
    }
    words = ", ".join(counted(count, noun) for noun, count in counts.items())
    return words[0].upper() + words[1:]


def origin(chosen: library.Choice) -> str:
    """Where a result comes from, in words."""
    entry = chosen.entry
    if entry is None:
        return "Started but not finished." if library.arrived(chosen.study) else "Not computed yet."
    computed = f"computed {entry.record['computed'][:10]} on {entry.record['device']}"
    return f"Shipped, {computed}." if entry.shipped else computed[0].upper() + computed[1:] + "."
