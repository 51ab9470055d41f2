"""The lessons as a visitor meets them: a guess before the reveal, and every symbol of the Study page met once."""

from __future__ import annotations

import json
import re
from pathlib import Path

import plotly.graph_objects as go
import pytest
from streamlit.testing.v1 import AppTest

from landscape.analysis.glossary import TERMS, term
from landscape.figures.lessons import enlarged
from landscape.figures.style import finish
from landscape.study.schema import ALIGNMENTS
from pages.shared.lesson import LESSONS

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_scan")]

ROOT = Path(__file__).parents[1]
GREEK = {r"\theta": "θ", r"\phi": "φ", r"\lambda": "λ", r"\hat b": "b̂", r"\alpha": "α", r"\pi": "π"}
SYMBOL = re.compile(r"(?<![\w\\'’])([a-zA-Zα-ω]\u0302?[*₀ₜ]?)(?![\w\u0302'’])")
OTHERS = {"a", "I", "s"}  # letters that are words or units


@pytest.fixture(scope="module")
def app() -> AppTest:
    return AppTest.from_file(str(ROOT / "app.py"), default_timeout=300).run()


def opened(app: AppTest, name: str) -> AppTest:
    app.switch_page(f"pages/learn/{name}.py").run()
    assert not app.exception, app.exception
    return app


def texts(app: AppTest) -> str:
    """All that a page says, apart from its side bar."""
    said = [each.value for kind in ("title", "subheader", "markdown", "caption") for each in app.main.get(kind)]
    said += [each.label for kind in ("slider", "radio", "button_group") for each in app.main.get(kind)]
    return "\n".join(said)


def named(symbol: str, text: str) -> bool:
    """Whether a symbol stands by itself in a text, or its word with an ending."""
    end = r"(?![\w\u0302])" if len(symbol.rstrip("\u0302*₀ₜ")) == 1 else ""
    return bool(re.search(rf"(?<!\w){re.escape(symbol)}{end}", text))


def charts(app: AppTest) -> list[dict]:
    return [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]


def axes_of_traces(chart: dict) -> set[str]:
    """The axes that a chart draws on, each of which its layout must place."""
    return {f"{a}axis{trace.get(f'{a}axis', a)[1:]}" for trace in chart["data"] for a in "xy"}


@pytest.mark.parametrize("name", [lesson.name for lesson in LESSONS])
def test_a_lesson_is_one_question_one_figure_and_a_guess_before_the_reveal(app, name):
    before = texts(opened(app, name))
    assert app.title[0].value.endswith("?")
    (chart,), (guess,) = app.get("plotly_chart"), app.radio
    assert chart.proto.alt.endswith(".") and guess.value is None
    axes, layout = axes_of_traces(*charts(app)), charts(app)[0]["layout"]
    assert axes <= layout.keys()
    lowest = min(layout[axis].get("domain", [0, 1])[0] for axis in axes if axis.startswith("y"))
    assert lowest < 0.2, "what stands before the guess leaves no room below it"
    assert name == "copies" or all(layout[axis]["title"]["text"] for axis in axes if axis.startswith("y"))
    assert re.search(r"%{\w+}", chart.proto.spec) is None, "Plotly fills in as many digits as it has"
    assert [button.label.split(":")[0] for button in app.main.get("download_button")] == ["CSV", "HTML"]
    assert [expander.label for expander in app.main.expander] == ["Answer"]
    guess.set_value(guess.options[0]).run()
    assert not app.exception
    after = texts(app)
    assert len(after) > len(before) and ("You guessed right" in after or "**No: " in after)
    assert [each.symbol for each in TERMS if each.lesson == name and not named(each.symbol, after)] == []


@pytest.mark.parametrize("larger", [False, True])
def test_the_label_below_the_map_of_swaps_stays_above_the_metric(larger):
    """Its two lines of text, the ticks and the label, fit into the space between the two plots."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=300).run()
    opened(app, "widening").radio[0].set_value("it grows").run()
    app.sidebar.toggle(key="speaker").set_value(larger).run()
    layout = charts(app)[0]["layout"]
    label = next(each for each in layout["annotations"] if each["text"] == "unit that changes places")
    taken = layout["margin"]["t"] + layout["margin"]["b"] + 2 * layout["font"]["size"]  # the axis at the bottom too
    space = (layout["height"] - taken) * (layout["yaxis2"]["domain"][0] - layout["yaxis"]["domain"][1])
    assert -label["yshift"] + 1.4 * label["font"]["size"] < space


def test_one_barrier_has_one_number_of_digits_in_a_lesson(app):
    """The figure and the text of a lesson write it alike."""
    opened(app, "line").radio[0].set_value("higher").run()
    names = {trace.get("name") for trace in charts(app)[0]["data"]}
    found = re.findall(r"(b̂?) = \*\*([\d.]+)\*\* nats", texts(app))
    assert len(found) == 2 and {f"{symbol} = {value} nats" for symbol, value in found} <= names


def test_the_lesson_on_two_seeds_says_what_results_and_figures_say(app):
    """One word for one meaning: curves between seeds are those of networks as trained, and aligned."""
    opened(app, "seeds").radio[0].set_value("it falls").run()
    (figure,) = charts(app)
    curves = {trace["name"] for trace in figure["data"] if trace.get("name", "").startswith("loss, ")}
    assert curves == {f"loss, {each}" for each in ALIGNMENTS}
    assert all(each in texts(app) for each in ALIGNMENTS) and "match" not in texts(app)


def test_a_lesson_leads_to_the_next_and_the_last_to_real_studies(app):
    ways = [[link.proto.page for link in opened(app, lesson.name).main.get("page_link")][-1] for lesson in LESSONS]
    assert ways == [*(lesson.name for lesson in LESSONS[1:]), "study"]


def test_the_speaker_sees_one_larger_figure_and_no_prose(app):
    (usual,), words = charts(opened(app, "line")), texts(app)
    app.sidebar.toggle(key="speaker").set_value(True).run()
    (larger,) = charts(app)
    assert larger["layout"]["font"]["size"] > usual["layout"]["font"]["size"]
    assert len(texts(app)) < len(words) / 2
    app.sidebar.toggle(key="speaker").set_value(False).run()


def test_a_figure_is_enlarged_as_a_copy():
    """Figures are kept for the next visitor, who may not be the speaker."""
    trace = go.Scatter(x=[0], y=[0], mode="markers+text", text=["θ"], textfont={"size": 10})
    usual = finish(go.Figure(trace), "x", "y")
    before = usual.to_json()
    larger = enlarged(usual)
    assert usual.to_json() == before and larger.data[0].textfont.size > 10


def test_more_names_than_fit_on_a_projector_are_left_out():
    for units, shown in ((8, None), (9, False)):
        names = {"ticktext": [f"{unit}" for unit in range(units)], "tickvals": list(range(units))}
        larger = enlarged(finish(go.Figure(go.Scatter(x=[0], y=[0]), {"xaxis": names}), "x", "y"))
        assert larger.layout.xaxis.showticklabels is shown and larger.layout.yaxis.showticklabels is None


def test_the_glossary_has_every_term_once(app):
    rows = opened(app, "glossary").main.markdown[-1].value
    assert all(each.definition in rows for each in TERMS)
    assert len({each.symbol for each in TERMS}) == len(TERMS)
    assert {each.lesson for each in TERMS} == {lesson.name for lesson in LESSONS}


def test_every_symbol_of_the_study_page_is_in_the_glossary(app):
    app.switch_page("pages/explore/study.py").run()
    formulas = " ".join(each.value for each in app.main.get("latex"))
    for command, letter in GREEK.items():
        formulas = formulas.replace(command, letter)
    formulas = re.sub(r"\^\{\([^}]*\)\}|_\{[^}]*\}|\^|_\w|\\[a-z]+", " ", formulas.replace("^*", "*"))
    columns = " ".join(str(name) for table in app.main.dataframe for name in table.value.columns)
    shown = texts(app).replace(r"\*", "*")  # as Markdown shows it
    found = set(SYMBOL.findall(f"{shown} {columns} {formulas}")) - OTHERS
    assert {"M₀", "G*", "λ", "q", "n", "m", "τ", "φ*", "θ"} <= found
    assert found - {each.symbol for each in TERMS} == set()
    assert not {"control", "regret", "α", "T", "b̂"} - {each.symbol for each in TERMS}


def test_an_unknown_symbol_is_refused():
    with pytest.raises(ValueError, match="the glossary has no 'Ω'; it has θ, l,"):
        term("Ω")
