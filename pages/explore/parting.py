"""Whether the copies of units part as a widened network trains."""

from __future__ import annotations

from functools import partial

import streamlit as st
import xarray as xr

from landscape.analysis.intervals import over_seeds
from landscape.analysis.wording import counted, enumeration, number
from landscape.figures.mechanism import copy_cosines, copy_cosines_data
from landscape.study.schema import study_of
from pages.shared import library, show
from pages.shared.controls import chosen, first_view

TOGETHER = 0.99  # a mean cosine above which copies count as together: 8 degrees


def sentence(dataset: xr.Dataset) -> str:
    """How far copies have parted at the end, in how many candidates, in words."""
    last = int(dataset["checkpoint"].max())
    found = over_seeds(dataset["copy_cosine"].sel(checkpoint=last), within=(-1, 1)).dropna("candidate", subset=["mean"])
    if found.sizes["candidate"] == 0:
        return "No candidate with copies has been trained yet."
    mean = found["mean"]
    low, high = (mean.isel(candidate=int(at)) for at in (mean.argmin("candidate"), mean.argmax("candidate")))
    together = [show.bold(name) for name in mean["candidate"].values[(mean > TOGETHER).values]]
    least, greatest = (f"**{number(each.item(), 4)}**" for each in (low, high))
    of_low, of_high = (show.escaped(each["candidate"].item()) for each in (low, high))
    extent = f"between {least} ({of_low}) and {greatest} ({of_high})" if least != greatest else least
    if last == 0:
        return f"Nothing was trained, so copies are as the expansion made them: their mean cosine is {extent}."
    told = f"After {counted(last, 'epoch')}, the mean cosine of copies and originals is {extent}."
    if not together:
        return f"{told} In no candidate are copies still together (above {TOGETHER:g})."
    if len(together) == mean.sizes["candidate"]:
        return f"{told} Copies are still together (above {TOGETHER:g}) in every candidate: none uses its new width."
    return f"{told} Copies are still together (above {TOGETHER:g}) in {enumeration(together)}."


def how(dataset: xr.Dataset) -> str:
    """By which optimiser and with which shares the copies of a study were trained."""
    study = study_of(dataset)
    optimizer = {"adamw": "AdamW", "adam": "Adam"}[study.training.optimizer]
    noise = f" and noise of {study.expansion.noise:g} standard deviations" if study.expansion.noise else ""
    return f"{optimizer}; copies with {study.expansion.shares} shares{noise}, unless a candidate's name says otherwise."


dataset = library.dataset()
if not dataset["copy_cosine"].notnull().any():
    st.info(
        "This result does not say how far copies have parted: it was computed before that was measured, or no unit of "
        "its candidates is a copy. The presets [digits-mechanism](parting?study=digits-mechanism) and, with equal "
        "shares and noise, [digits-shares](parting?study=digits-shares) do. A study that is computed anew does too."
    )
else:
    which, axis = chosen("of_copies", "epochs_axis")
    with first_view():
        st.markdown(sentence(dataset))
        data = partial(copy_cosines_data, dataset, which)
        show.lines(copy_cosines(dataset, which, axis == "log"), "copies", "Cosine of copies and originals", data)
        st.caption(how(dataset))
show.definition(
    r"\cos(u_j, u_{g(j)}) = \frac{\langle u_j, u_{g(j)} \rangle}{\lVert u_j \rVert \, \lVert u_{g(j)} \rVert}",
    "ours; Chen et al., 2016, section 2.3, who add noise so that copies part",
    "$u_j$ holds all parameters that make unit j: its incoming weights, its bias, and the scale and shift of a "
    "normalisation behind it; $g(j)$ is the unit of which it is a copy. The mean is over all copied units of all "
    "layers. A copy's gradient is its share of its unit's gradient as long as the two are equal. Gradient descent "
    "parts copies of unequal shares therefore; Adam divides a gradient by its scale, and so takes nearly the same step "
    "for both. "
    "Noise parts copies from the start, whatever their shares. An inserted layer and units that were drawn have no "
    "copies.",
)
