"""What the Study page says of computing: the cost of a study, the button that starts it, where a result comes from."""

from __future__ import annotations

import streamlit as st

from landscape.analysis import cost
from landscape.analysis.wording import duration
from landscape.store.results import Store
from landscape.store.sealed import DamagedEntry
from landscape.study import Study
from pages.shared import form, library, running

FAR = 10  # times the work per example, from where a proportion says little


def offer(opened: library.OpenStudy) -> None:
    """Where the chosen study has no whole result: what that would cost, and a button."""
    study = opened.choice.study
    state = running.progress(study.key)
    if opened.whole or (state and state.active):
        return
    kept = library.arrived(study)
    told = f"{library.label(study)} has not been computed here. {price(study)}"
    st.info(f"{told} {kept} parts of it are kept from an earlier attempt." if kept else told)
    st.button("Go on" if kept else "Start", key="start", type="primary", on_click=running.choose, args=(study, True))


def own() -> None:
    """A study of one's own: its form, what is wrong with it, its cost, and a button."""
    st.header("A study of your own", anchor="own")
    try:
        study = form.study()
        size = growth(study)
    except ValueError as error:
        st.error(str(error))
        return
    label, known = library.label(study), study.key in Store()
    st.markdown(f"{size} {price(study)}")
    st.button(
        f"Open {label}, which is computed" if known else f"Start {label}",
        key="start-own",
        type="secondary" if known else "primary",
        on_click=running.choose,
        args=(study, not known),
    )


def growth(study: Study) -> str:
    """Parameters and multiply-adds of base and candidates, in words. Raises ValueError as `cost` does."""
    counts, products = cost.parameters(study), cost.multiply_adds(study)
    return (
        f"The base has {counts[0]:,} parameters and {products[0]:,} multiply-adds an image, "
        f"the largest candidate {max(counts):,} and {max(products):,}."
    )


def price(study: Study) -> str:
    """The estimated time, and what the estimate rests on."""
    try:
        work = sum(cost.work(study))
        reference = nearest(study)
        if reference is None or reference.entry is None:
            return f"{work:.1e} multiply-adds; nothing was computed here yet that would tell how long that takes."
        seconds = float(reference.entry.record["seconds"])
        found = cost.estimate(study, library.whole(reference), seconds)
    except DamagedEntry as damage:
        return f"No estimate of the time: {damage}."
    except ValueError as error:
        return f"No estimate of the time: {error}."
    told = (
        f"Estimated time: about {duration(found.seconds)}. It rests on {reference.label}, which took "
        f"{duration(seconds)} on {reference.entry.record['device']}, and on the multiply-adds of both."
    )
    far = max(found.distance, 1 / found.distance) > FAR or reference.study.model.kind != study.model.kind
    return f"{told} Its networks are far from these in size or kind: expect the order of magnitude." if far else told


def nearest(study: Study) -> library.Choice | None:
    """The computed study that tells most of what this one costs. Raises ValueError as `cost` does."""
    stored = {choice.study.key: choice for choice in library.choices()[0].values() if choice.entry}
    found = cost.nearest(study, (choice.study for choice in stored.values()))
    return stored[found.key] if found else None


def record() -> None:
    """Where, when and by what the result was computed."""
    choice = library.chosen()
    if choice.entry is None:
        return
    told = choice.entry.record
    when, seconds = told["computed"][:16].replace("T", " "), duration(float(told["seconds"]))
    versions = told.get("versions", {})
    by = ", ".join(f"{name} {versions[name]}" for name in ("jax", "flax", "numpy") if name in versions)
    st.caption(f"Computed on {told['device']}, {when} UTC, in {seconds}, by {by}. Key {choice.entry.key}.")
