"""Colours: told apart by every kind of colour vision and in grey, and legible on light and dark grounds."""

from __future__ import annotations

import re
import tomllib
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest
from plotly.colors import sample_colorscale, unlabel_rgb
from streamlit.elements.lib.streamlit_plotly_theme import GRAY_90
from synthetic import small_study, synthetic

from landscape import figures
from landscape.figures import palette
from landscape.figures.sensitivity import DIVERGING
from landscape.study import validated
from pages.shared import show

# Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB; grey keeps the luminance.
PROTAN = [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
DEUTAN = [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
TRITAN = [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
VISIONS = {"normal": np.eye(3), "protan": PROTAN, "deutan": DEUTAN, "tritan": TRITAN, "grey": np.tile(XYZ[1], (3, 1))}
SCALES = {"quantiles": palette.QUANTILES, "barriers": palette.BARRIERS, "studies": palette.STUDIES}
HEX = {"black": "#000000", "white": "#ffffff"}
ROOT = Path(__file__).parents[1]
CONFIG = tomllib.loads((ROOT / ".streamlit/config.toml").read_text())
THEMES = {name: CONFIG["theme"][name] for name in ("light", "dark")}
GROUNDS = [theme["backgroundColor"] for theme in THEMES.values()]


def linear(colour: str) -> np.ndarray:
    """Linear RGB of #rrggbb."""
    s = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(s <= 0.04045, s / 12.92, ((s + 0.055) / 1.055) ** 2.4)


def lab(colour: str, vision: str = "normal") -> np.ndarray:
    seen = np.clip(np.array(VISIONS[vision]) @ linear(colour), 0, 1)
    x = XYZ @ seen / XYZ.sum(1)
    f = np.where(x > 216 / 24389, np.cbrt(x), (24389 / 27 * x + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast(one: str, other: str) -> float:
    """The ratio of WCAG 2."""
    low, high = sorted(float(XYZ[1] @ linear(each)) for each in (one, other))
    return (high + 0.05) / (low + 0.05)


def blended(colour: str, ground: str, opacity: float) -> str:
    parts = [[int(each[i : i + 2], 16) for i in (1, 3, 5)] for each in (colour, ground)]
    return "#" + "".join(f"{round(opacity * a + (1 - opacity) * b):02x}" for a, b in zip(*parts, strict=True))


def test_the_intervals_of_grey_bars_stand_out_from_them_on_paper_and_in_either_theme():
    figure = figures.predictor_ranks({"one": synthetic(small_study(), np.random.default_rng(0))}, 0.4, 50, "accuracy")
    before = figure.data[0].error_y.color
    assert {bars.error_y.color for bars in show.legible(figure).data} == {GRAY_90}, "which the browser replaces"
    assert figure.data[0].error_y.color == before, "a figure that is kept is left as it is"
    for ink, ground in (
        (before, "#ffffff"),
        *((theme["textColor"], theme["backgroundColor"]) for theme in THEMES.values()),
    ):
        for bar in (palette.NEUTRAL, palette.ACCENT):
            assert contrast(ink, blended(bar, ground, 0.8)) >= 3


def apart(colours: tuple[str, ...], vision: str) -> float:
    """The least distance in CIELAB of two neighbours."""
    seen = [lab(colour, vision) for colour in colours]
    return min(float(np.linalg.norm(a - b)) for a, b in pairwise(seen))


@pytest.mark.parametrize("vision", VISIONS)
def test_candidates_next_to_each_other_are_told_apart(vision):
    assert apart(palette.CANDIDATES, vision) > (12 if vision == "grey" else 30)


@pytest.mark.parametrize("vision", ["normal", "protan", "deutan", "tritan"])
def test_no_two_candidates_look_the_same(vision):
    """A just noticeable difference is about 2.3."""
    seen = [lab(colour, vision) for colour in palette.CANDIDATES]
    assert min(np.linalg.norm(a - b) for i, a in enumerate(seen) for b in seen[:i]) > 10


@pytest.mark.parametrize(("scale", "vision"), [*product(SCALES, VISIONS)])
def test_neighbours_on_a_scale_are_told_apart(scale, vision):
    assert apart(SCALES[scale], vision) > 4.5


@pytest.mark.parametrize("scale", SCALES)
def test_lightness_orders_a_scale(scale):
    lightness = [lab(colour)[0] for colour in SCALES[scale]]
    assert lightness == sorted(lightness)


COLOURS = {
    *palette.CANDIDATES,
    *palette.QUANTILES,
    *palette.BARRIERS,
    *palette.STUDIES,
    palette.NEUTRAL,
    palette.ACCENT,
}


@pytest.mark.parametrize("ground", GROUNDS)
def test_every_colour_stands_out(ground):
    assert {colour: contrast(colour, ground) for colour in COLOURS if contrast(colour, ground) < 3} == {}


@pytest.mark.parametrize("theme", THEMES)
def test_text_is_legible(theme):
    """Text, captions, which have 60 % of its colour, and what is chosen, on a tenth of its own colour."""
    chosen = THEMES[theme]
    for ground in (chosen["backgroundColor"], chosen["secondaryBackgroundColor"]):
        assert contrast(chosen["textColor"], ground) >= 4.5
        assert contrast(blended(chosen["textColor"], ground, 0.6), ground) >= 4.5
    for tint in (0, 0.1):  # the value of a slider, and the option that is chosen
        ground = blended(chosen["primaryColor"], chosen["backgroundColor"], tint)
        assert contrast(chosen["primaryColor"], ground) >= 4.5
    assert contrast("#ffffff", chosen["primaryColor"]) >= 3  # the mark of a switch or a box


def test_no_button_has_white_text_on_the_primary_colour():
    """It would be illegible in the dark, where that colour is light enough to be a text."""
    assert [path.name for path in ROOT.glob("pages/**/*.py") if 'type="primary"' in path.read_text()] == []


def test_no_popover_has_the_text_that_is_darkened_while_it_is_open():
    """Of a tertiary one, Streamlit darkens the primary colour, which leaves a contrast of 2.1 in the dark."""
    source = "".join(path.read_text() for path in ROOT.glob("pages/**/*.py"))
    assert re.findall(r"popover\([^\n]*tertiary", source) == []


def test_showing_a_figure_leaves_it_as_it_is_for_others():
    """One that is kept may be sent to another visitor at the same time."""
    kept = figures.initial_metrics(synthetic(small_study(), np.random.default_rng(0)), 0.4, 50)
    before = kept.to_json()
    shown = show.legible(kept)
    assert kept.to_json() == before
    assert shown.layout.dragmode is False
    assert {shown.layout.xaxis.title.font.color, shown.layout.yaxis.tickfont.color} == {GRAY_90}
    assert shown.layout.xaxis.title.text == kept.layout.xaxis.title.text
    assert shown.layout.xaxis.tickfont.size == kept.layout.xaxis.tickfont.size


def test_a_candidate_looks_the_same_in_every_figure_of_its_study():
    """By its place in the study, however wide it is; base and control look like no candidate."""
    content = small_study().model_dump(mode="json")
    content["candidates"] = [content["candidates"][i] for i in (2, 0, 1)]
    study = validated(content)
    looks = palette.marks(synthetic(study, np.random.default_rng(0)))
    assert [looks[label].colour for label in study.labels] == list(palette.CANDIDATES[:3])
    assert len(set(looks.values())) == len(study.labels) + 2
    assert not {looks["base"].colour, looks["control"].colour} & set(palette.CANDIDATES)


def test_many_candidates_still_look_different():
    looks = [palette._mark(palette.CANDIDATES, i) for i in range(360)]
    assert len(set(looks)) == 360


def test_colours_of_different_meaning_are_different():
    groups = [palette.CANDIDATES, palette.QUANTILES, palette.BARRIERS, palette.STUDIES]
    assert len({colour for group in groups for colour in group}) == sum(map(len, groups))


@pytest.mark.parametrize("correlation", np.linspace(-1, 1, 9))
def test_a_number_in_a_heat_map_is_legible_on_its_cell(correlation):
    """Also between white and the darkest colours, where a grey would be faint."""
    dataset = synthetic(small_study(), np.random.default_rng(0))
    drawn = figures.sensitivity_map(dataset, *figures.paper_grid(dataset), "accuracy")
    cells, numbers = drawn.data[0], next(each for each in drawn.data if each.type == "scatter" and each.mode == "text")
    assert len(numbers.text) == np.isfinite(np.array(cells.z)).sum()
    assert not cells.text, "or each number would be written twice"
    for ink, x, y in zip(numbers.textfont.color, numbers.x, numbers.y, strict=True):
        assert contrast(HEX[ink], rgb_as_hex(sample_colorscale(DIVERGING, [(cells.z[y][x] + 1) / 2])[0])) >= 4.5
    ground = sample_colorscale(DIVERGING, [(correlation + 1) / 2])
    assert contrast(HEX[palette.inks(ground)[0]], rgb_as_hex(ground[0])) >= 4.5


def rgb_as_hex(colour: str) -> str:
    """#rrggbb of rgb(r, g, b)."""
    return "#" + "".join(f"{round(part):02x}" for part in unlabel_rgb(colour))
