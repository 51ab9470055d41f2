"""Should this network be widened: M₀ of each expansion of a trained network that was uploaded."""

from __future__ import annotations

import streamlit as st
import xarray as xr

from landscape.analysis.performance import usual_measure
from landscape.analysis.ranking.decision import decide, sentence
from landscape.study import Study
from pages.shared import caveats, compute, controls, library, own_network, own_uploads, running, show
from pages.shared.answer import metric_chart

FORM = "pages/own/new.py"
NEXT = (
    "M₀ is a prediction; whether widening pays, only training shows. `python -m landscape run PRESET --weights FILE` "
    "trains the candidates of a preset from your network, beside a control."
)
HOW = (
    "M₀ says by how much the share of low barriers between permuted copies is larger after the expansion than in the "
    "network itself. Bars are 95 % intervals over repetitions or, with a single repetition, over permutations."
)


def metrics(dataset: xr.Dataset, verdict: bool = True) -> None:
    """The verdict by M₀ if asked to, its picture, and the two numbers that it depends on."""
    controls.draw(dataset, HOW, (("q", "n"),))
    q, n = controls.chosen("q", "n")
    measure = usual_measure(dataset)
    with controls.first_view():
        if verdict:
            st.markdown(show.bold(sentence(decide(dataset, q, n, measure), measure)))
        metric_chart(dataset, q, n)
    caveats.beside(dataset, q, n)


def answer(study: Study) -> None:
    """What is known of a study so far: its result, how far it is, or what it would cost."""
    running.show(study)
    label = library.label(study)
    current = library.open_study(library.choices()[0].get(label) or library.Choice(label, study, None))
    if current.dataset is not None and current.dataset["base_validation_loss"].notnull().any():
        st.markdown(own_network.reading_in_words(current.dataset))
        if current.dataset["barrier"].notnull().any():
            metrics(current.dataset)
        else:
            st.caption("The barriers of the network itself are measured first; M₀ of its expansions will stand here.")
    state = running.progress(study.key)
    if current.whole:
        st.caption(NEXT)
        running.way_to(study, "Open it on the other pages")
    elif not (state and state.active):
        st.markdown(f"{own_network.found_in_words(study)} {compute.price(study)}")
        st.button("Measure M₀", icon=":material/play_arrow:", on_click=running.choose, args=(study,))


picture, settings = st.columns([2, 1], gap="large")
study, fault = None, ""
with settings:
    try:
        study = own_network.asked()
    except ValueError as error:
        fault = str(error)
    st.page_link(FORM, label="No such file? Train one here", icon=":material/add_circle:")
    st.markdown(own_uploads.COMMAND_LINE)
with picture:
    if study:
        answer(study)
    elif fault:
        st.error(show.plain(fault), icon=":material/error:")
    elif (example := library.first()) is None:
        st.info("Upload a network of your own, and its M₀ will stand here.")
    else:
        st.caption(f"An example, until you upload a network of your own: the shipped study {library.FIRST}.")
        metrics(example, verdict=False)
