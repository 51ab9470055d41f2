"""Computing on the page Study: what a study costs, the button that starts it, and where a result comes from."""

from __future__ import annotations

import streamlit as st

from landscape.analysis import cost
from landscape.analysis.wording import counted, duration, origin, size_in_words
from landscape.jobs.footprint import footprint
from landscape.jobs.processes.capacity import PROCESS
from landscape.study import Study
from pages.shared import estimates, library, running, show

PAPER = (
    "Malviya, P., Fournier, Q., Huang, J., Chandar, S. Predicting the Impact of Model Expansion through the Minima "
    "Manifold: A Loss Landscape Perspective. arXiv:2405.15895, 2024."
)
SMALL = 1e7  # bytes of disk space that nobody needs to hear of


def offer(current: library.OpenStudy) -> None:
    """If the chosen study has no complete result, say what it would cost and offer to start it."""
    study = current.choice.study
    state = running.progress(study.key)
    if current.whole or (state and state.active):
        return
    if study.refusal:
        st.info(f"{library.label(study)} has not been computed to its end. The app does not go on: {study.refusal}.")
        return
    kept = library.arrived(study)
    text = f"{library.label(study)} has not been computed here. {price(study)}"
    st.info(f"{text} An earlier attempt has left {counted(kept, 'part')} of its result." if kept else text)
    st.button(
        "Continue" if kept else "Start",
        key="start",
        icon=":material/play_arrow:",
        on_click=running.choose,
        args=(study,),
    )


def growth(study: Study) -> str:
    """The size of the base and of the largest candidate, in words. Raises ValueError as `cost` does."""
    counts, products = cost.parameters(study), cost.multiply_adds(study)
    return (
        f"The base has {counts[0]:,} parameters and {products[0]:,} multiply-adds per example, "
        f"the largest candidate has {max(counts):,} and {max(products):,}."
    )


def price(study: Study) -> str:
    """The estimated time, memory and disk space, and what the estimate of the time rests on."""
    time = _time(study)
    try:
        need = footprint(study)
    except ValueError:
        return time
    disk = f", and {size_in_words(need.disk)} of disk space until it is finished" if need.disk > SMALL else ""
    return f"{time} It needs about {size_in_words(need.memory + PROCESS)} of memory{disk}."


def _time(study: Study) -> str:
    """The estimated time, and what the estimate rests on."""
    try:
        found = estimates.of(study)
    except ValueError as error:
        return f"The time cannot be estimated: {show.plain(str(error))}."
    text = f"This would take about {duration(found.seconds)}"
    if found.reference is None:
        return f"{text} on two cores of an AMD EPYC; how fast this computer is shows after its first study."
    reference, spent = library.label(found.reference.study), duration(float(found.reference.record["seconds"]))
    return f"{text}, at the pace at which {reference} took {spent} here."


def cite(q: float, n: int) -> None:
    """Say how to quote the numbers of the chosen study, as a text to copy."""
    label, study, entry = library.chosen()
    if entry is None:
        return
    with st.expander("Cite these numbers"):
        versions = entry.record.get("versions", {})
        used = ", ".join(f"{name} {versions[name]}" for name in ("landscape", "jax") if name in versions)
        made = f"key {study.key}, computed {entry.record['computed'][:10]}{f' with {used}' if used else ''}"
        st.code(
            f"Loss-landscape explorer, study {label} ({made}), {counted(study.seeds, 'seed')}, q = {q:g}, n = {n}.\n"
            f"Metric: {PAPER}",
            language=None,
            wrap_lines=True,
        )
        st.caption(
            "Please cite the paper for the metric, and the repository of this explorer by its commit for numbers. The "
            "address of this page opens the same view, and *Report* and the CSV files hold every setting."
        )


def record() -> None:
    """Say where, when and with which versions the result was computed."""
    choice = library.chosen()
    if choice.entry is None:
        return
    st.caption(f"{origin(choice.entry.record)} Key {choice.entry.key}.")
