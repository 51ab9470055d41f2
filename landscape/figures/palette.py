"""Colours, markers and dashes, each with one meaning on every page.

Candidates have eight colours of their own; quantiles, the heights of barriers and studies that are compared have a
scale each. All stand out on light and dark grounds alike (contrast of at least 3). Candidates next to each other differ
for every kind of colour vision and in grey, and each has its own marker and dash as well, so that nothing depends on
colour alone; `tests/test_style.py` measures it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr
from plotly.colors import sample_colorscale, unlabel_rgb

from landscape.study.schema import BASE, CONTROL, study_of

# Found by a search for the greatest least distance in CIELAB under normal, protan, deutan and tritan vision.
CANDIDATES = ("#b15232", "#3e8cfc", "#7a518f", "#69a310", "#cc2c68", "#a88b3d", "#067455", "#d964d7")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "star-triangle-down", "pentagon", "x", "hexagram")
DASHES = ("solid", "dash", "dashdot", "longdash", "longdashdot")

# Lightness rises along each of these, so that grey keeps their order.
QUANTILES = ("#077052", "#077b7a", "#0a869e", "#108fc9", "#5890ff")
BARRIERS = ("#0566a6", "#7759cf", "#cf3fa4", "#f2446b", "#eb6e34")
STUDIES = ("#815d13", "#926c24", "#a47c33", "#b68c43")
PATTERNS = ("", "/", "x", ".")  # of the bars of studies, in the order of their colours

NEUTRAL = "#868b94"  # the base, chords, thresholds, and what stands for no single thing
ACCENT = "#2f7ea0"  # M₀ among other predictors
CLASSES = ("#0566a6", "#eb6e34")  # of the points in the lessons: dark and light, so that grey tells them apart


class Mark(NamedTuple):
    """How one thing looks in every figure."""

    colour: str
    symbol: str
    dash: str


def marks(dataset: xr.Dataset) -> dict[str, Mark]:
    """The look of the base, of each candidate by its place in the study, and of the control.

    Colours repeat after eight candidates, markers after nine and dashes after five, so that no two of 360 look the
    same.
    """
    labels = study_of(dataset).labels
    return {BASE: Mark(NEUTRAL, "circle-open", "dot"), CONTROL: Mark("#6a6f78", "circle-cross-open", "dash")} | {
        label: _mark(CANDIDATES, i) for i, label in enumerate(labels)
    }


def quantile_marks(count: int) -> list[Mark]:
    """The look of `count` quantiles q from the smallest to the greatest."""
    return _spread(QUANTILES, count)


def study_marks(count: int) -> list[Mark]:
    """The look of `count` studies that are compared."""
    return _spread(STUDIES, count)


def barrier_colours(heights: Sequence[float], greatest: float) -> list[str]:
    """The colours of barriers on the scale from 0 to the greatest."""
    return sample_colorscale(list(BARRIERS), np.clip(np.asarray(heights) / greatest, 0, 1).tolist())


def inks(colours: Sequence[str]) -> list[str]:
    """Black or white for a text on each colour, given as rgb(r, g, b): whichever has the greater contrast (WCAG 2)."""
    encoded = np.array([unlabel_rgb(colour) for colour in colours]) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    luminance = linear @ (0.2126, 0.7152, 0.0722)
    return np.where((luminance + 0.05) ** 2 > 0.05 * 1.05, "black", "white").tolist()


def translucent(colour: str, opacity: float) -> str:
    """A colour, given as #rrggbb or rgb(r, g, b), with an opacity."""
    if colour.startswith("#"):
        colour = f"rgb({int(colour[1:3], 16)}, {int(colour[3:5], 16)}, {int(colour[5:7], 16)})"
    return colour.replace("rgb(", "rgba(").replace(")", f", {opacity})")


def _mark(colours: Sequence[str], i: int) -> Mark:
    return Mark(colours[i % len(colours)], SYMBOLS[i % len(SYMBOLS)], DASHES[i % len(DASHES)])


def _spread(scale: Sequence[str], count: int) -> list[Mark]:
    """`count` places evenly spread over a scale, or its middle."""
    places = np.linspace(0, 1, count) if count > 1 else [0.5]
    colours = sample_colorscale(list(scale), list(places))
    return [_mark(colours, i) for i in range(count)]
