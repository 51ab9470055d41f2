"""Computing on the page Study: what a study costs, the button that starts it, and where a result comes from."""

from __future__ import annotations

import streamlit as st

from landscape.analysis import cost
from landscape.analysis.wording import counted, duration, enumeration
from landscape.store.results import Store
from landscape.store.sealed import DamagedEntry
from landscape.study import Study
from pages.shared import form, library, running

FAR = 10  # a ratio of work per example beyond which a proportional estimate is rough


def offer(current: library.OpenStudy) -> None:
    """If the chosen study has no complete result, say what it would cost and offer to start it."""
    study = current.choice.study
    state = running.progress(study.key)
    if current.whole or (state and state.active):
        return
    kept = library.arrived(study)
    text = f"{library.label(study)} has not been computed here. {price(study)}"
    st.info(f"{text} An earlier attempt has left {counted(kept, 'part')} of its result." if kept else text)
    st.button("Continue" if kept else "Start", key="start", type="primary", on_click=running.choose, args=(study, True))


def own() -> None:
    """A study of one's own: its form, an error or its cost, and a button that starts it."""
    st.header("A study of your own", anchor="own")
    try:
        study = form.study()
        size = growth(study)
    except ValueError as error:
        st.error(str(error))
        return
    label, known = library.label(study), study.key in Store()
    st.markdown(f"{widenings(study)} {size} {price(study)}")
    st.button(
        f"Open {label}, which has been computed" if known else f"Start {label}",
        key="start-own",
        type="secondary" if known else "primary",
        on_click=running.choose,
        args=(study, not known),
    )


def widenings(study: Study) -> str:
    """What the form understood: how wide the base and each candidate are, in words."""
    group = study.walk.group
    base, *widths = (str(sizes[group]) for sizes in study.group_sizes())
    return f"The candidates widen {group} from {base} units to {enumeration(widths)}."


def growth(study: Study) -> str:
    """The size of the base and of the largest candidate, in words. Raises ValueError as `cost` does."""
    counts, products = cost.parameters(study), cost.multiply_adds(study)
    return (
        f"The base has {counts[0]:,} parameters and {products[0]:,} multiply-adds per image, "
        f"the largest candidate has {max(counts):,} and {max(products):,}."
    )


def price(study: Study) -> str:
    """The estimated time, and what the estimate rests on."""
    try:
        work = sum(cost.work(study))
        reference = nearest(study)
        if reference is None or reference.entry is None:
            return f"It takes {work:.1e} multiply-adds. There is no result here yet from which to estimate the time."
        seconds = float(reference.entry.record["seconds"])
        found = cost.estimate(study, library.whole(reference), seconds)
    except DamagedEntry as damage:
        return f"The time cannot be estimated: {damage}."
    except ValueError as error:
        return f"The time cannot be estimated: {error}."
    text = (
        f"This would take about {duration(found.seconds)}, estimated from the multiply-adds of {reference.label}, "
        f"which took {duration(seconds)} on {reference.entry.record['device']}."
    )
    far = max(found.distance, 1 / found.distance) > FAR or reference.study.model.kind != study.model.kind
    return f"{text} Its networks differ much in size or kind, so this is only an order of magnitude." if far else text


def nearest(study: Study) -> library.Choice | None:
    """The computed study that this one resembles most. Raises ValueError as `cost` does."""
    choices = library.choices()[0].values()
    stored = {choice.study.key: choice for choice in choices if choice.entry and choice.entry.timed_here}
    found = cost.nearest(study, (choice.study for choice in stored.values()))
    return stored[found.key] if found else None


def record() -> None:
    """Say where, when and with which versions the result was computed."""
    choice = library.chosen()
    if choice.entry is None:
        return
    known = choice.entry.record
    when, seconds = known["computed"][:16].replace("T", " "), duration(float(known["seconds"]))
    versions = known.get("versions", {})
    used = ", ".join(f"{name} {versions[name]}" for name in ("jax", "flax", "numpy") if name in versions)
    st.caption(f"Computed on {known['device']}, {when} UTC, in {seconds}, with {used}. Key {choice.entry.key}.")
