"""Every page renders on the shipped study without an exception and follows its sliders."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import numpy as np
import pandas as pd
import pytest
import streamlit as st
import xarray as xr
from streamlit.testing.v1 import AppTest
from synthetic import small_study, synthetic, without

from landscape.analysis.scorecard import CLAIMS
from landscape.analysis.wording import NEGATIVE, number
from landscape.store import places
from landscape.store.results import Store, open_study
from landscape.study import SCHEMA, Study, validated
from landscape.study.presets import preset
from landscape.study.schema import study_of
from pages.shared import caveats, controls, frame, library, show

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("one_scan"),
    pytest.mark.filterwarnings("error::RuntimeWarning"),  # as of the mean of nothing
]

ROOT = Path(__file__).parents[1]
FOLDERS = ("explore", "compare")
PAGES = sorted(str(path.relative_to(ROOT)) for folder in FOLDERS for path in (ROOT / "pages" / folder).glob("*.py"))
HOME, STUDY, SCORECARD = "pages/home/home.py", "pages/explore/study.py", "pages/compare/scorecard.py"
EVERY = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("pages/*/*.py") if path.parent.name != "shared")
ASKED = ["pages/explore/parting.py", "pages/explore/sharpness.py"]  # what digits-mlp does not hold
OF_ONE_STUDY = [page for page in PAGES if page not in (SCORECARD, "pages/compare/studies.py")]
STEPS = 60  # of the made-up study


def visited(page: str = STUDY, **parameters: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=300)
    for name, value in parameters.items():
        app.query_params[name] = value
    return app.run() if page == HOME else app.switch_page(page).run()


def bound(app: AppTest) -> list[str]:
    """The controls whose values Streamlit would take out of the address when the page is left."""
    with app._session_state.query_params() as found:
        return [name for name in app._session_state.filtered_state if found.get_binding_for_param(name)]


def texts(app: AppTest) -> Iterator[str]:
    """What a page says, and what its figures say, pictures of formulas and code aside."""
    yield from (each.value for kind in (app.markdown, app.caption, app.info, app.metric) for each in kind)
    for chart in app.get("plotly_chart"):
        yield from strings(json.loads(chart.proto.spec))


def strings(content: Any) -> Iterator[str]:
    """The texts of a figure that can hold a number: labels, titles, and what is told at a point."""
    if isinstance(content, dict):
        inner = [value for key, value in content.items() if key not in ("path", "template", "updatemenus")]
    else:
        inner = content if isinstance(content, list) else []
    for value in inner:
        yield from [value] if isinstance(value, str) else strings(value)


@cache
def shown(page: str) -> AppTest:
    """A page of what is shipped, for tests that only look at it."""
    return visited(page)


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """An empty cache folder, which the app uses."""
    monkeypatch.setenv("LANDSCAPE_CACHE", str(tmp_path))
    return Store(tmp_path)


def store_synthetic(store: Store, dataset: xr.Dataset) -> str:
    """Put a made-up result in the cache; the label that the app lists it under."""
    study = study_of(dataset)
    record = {"key": study.key, "name": study.name, "title": study.title, "study": study.model_dump(mode="json")}
    made = {"schema": SCHEMA, "device": "none", "seconds": 1.0, "computed": "2000-01-01T00:00:00+00:00", "versions": {}}
    store.write(dataset, record | made)
    return label(study)


def label(study: Study) -> str:
    """What the app lists a study of one's own under."""
    return f"{study.name}-{study.key[:6]}"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Cache folders with something made up, each written once for all pages: the study `synthetic`, whole or not."""
    dataset = synthetic(small_study(), np.random.default_rng(0))
    folders = {name: tmp_path_factory.mktemp("kept") for name in ("1 seed", "4 seeds", "whole", "begun")}
    for seeds, name in ((1, "1 seed"), (4, "4 seeds")):
        study = small_study(seeds=seeds)
        every = synthetic(study, np.random.default_rng(0))
        store_synthetic(Store(folders[name]), without(every, candidate=study.labels[-1]))
    store_synthetic(Store(folders["whole"]), dataset)
    Store(folders["begun"]).parts(small_study()).write("seed0", dataset.isel(seed=[0]), {})
    return folders


def test_the_numbers_of_a_study_are_cited_with_all_that_identifies_them() -> None:
    app = visited(study="digits-mlp", q="0.2", n="500")
    (text,) = [each.value for each in app.code if "arXiv" in each.value]
    readme = (ROOT / "README.md").read_text().replace("*", "")
    assert text.splitlines()[1].removeprefix("Metric: ") in readme, "the paper, as README cites it"
    record = Store().entry(preset("digits-mlp").key).record
    for part in ("digits-mlp", record["key"], record["computed"][:10], "10 seeds", "q = 0.2", "n = 500"):
        assert part in text


@pytest.mark.parametrize("page", [page for page in PAGES if page not in ASKED])
def test_page_renders_and_says_what_it_shows(page):
    app = shown(page)
    assert not app.exception and bound(app) == []
    assert [text for text in texts(app) if NEGATIVE.search(text)] == []
    assert app.title[0].value
    assert app.get("plotly_chart")


@pytest.mark.parametrize("page", [*ASKED, "pages/explore/sensitivity.py"])
def test_what_a_study_may_ask_for_is_shown_or_a_preset_is_named_that_asks(page, own_cache):
    empty = visited(page)
    assert not empty.exception and any("study=digits-mechanism" in info.value for info in empty.info)
    content = small_study().model_dump(mode="json")
    content["walk"] |= {"sharpness": True, "batches": [64, 512]}
    dataset = synthetic(validated(content), np.random.default_rng(0))
    app = visited(page, study=store_synthetic(own_cache, dataset))
    assert not app.exception and not app.info
    charts, buttons = app.get("plotly_chart"), app.get("download_button")
    assert len(charts) > (page == "pages/explore/sensitivity.py")
    for names in ([chart.proto.alt for chart in charts], [button.proto.label for button in buttons]):
        assert all(names) and len(set(names)) == len(names)


def test_the_home_page_answers_for_every_finished_study_and_leads_on(own_cache):
    """One card a study with a sentence that the numbers decide, and a picture that moves by itself."""
    app = visited(HOME)
    assert not app.exception
    (chart,) = app.get("plotly_chart")
    figure = json.loads(chart.proto.spec)
    assert len(figure["frames"]) == 25 and figure["layout"]["updatemenus"][0]["buttons"][0]["method"] == "animate"
    answers = [text.value for text in app.markdown if text.value.startswith(("Yes", "No"))]
    assert len(answers) == sum(entry.shipped for entry in own_cache.entries().entries)
    undecided = [answer.startswith("Not decided") for answer in answers]
    assert undecided == sorted(undecided) and not undecided[0]  # what is decided stands first
    links = {link.proto.label: link.proto.query_string for link in app.get("page_link")}
    label = links["**See an answer**"].removeprefix("study=")
    assert f"**{show.plain(label)}**: {answers[0]}" in [text.value for text in app.caption]


def test_the_home_page_leads_on_before_it_has_read_every_study(own_cache, monkeypatch):
    """To an answer that is known, and to the page of what somebody has trained already."""
    read = library.whole

    def first_alone(choice: library.Choice) -> xr.Dataset:
        assert choice.label == library.FIRST, "another study"
        return read(choice)

    monkeypatch.setattr(library, "whole", first_alone)
    st.cache_data.clear()
    app = visited(HOME)
    assert "another study" in app.exception[0].value
    links = {link.proto.label: link.proto for link in app.get("page_link")}
    assert links["**See an answer**"].query_string == f"study={library.FIRST}"
    assert links["**Try my own network**"].page == "network" and "**Learn it in ten minutes**" in links


def test_a_study_without_a_surface_names_those_that_have_one(own_cache):
    app = visited("pages/compare/surface.py", study="tinybert")
    named = re.findall(r"\(surface\?study=([\w-]+)\)", app.info[0].value)
    assert not app.exception and len(named) == 2
    assert all(open_study(name)["surface"].notnull().any() for name in named)


@pytest.mark.parametrize("page", EVERY)
def test_no_page_fails_where_nothing_is_shipped(own_cache, monkeypatch, tmp_path, page):
    monkeypatch.setattr(places, "GALLERY", tmp_path / "none")
    app = visited(page, q="0.2")
    assert not app.exception and bound(app) == []
    assert page != HOME or "No study has been computed here" in app.info[0].value


@pytest.fixture(scope="module")
def damaged_gallery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three of the shipped results, of which the first that a visitor sees cannot be read."""
    gallery = tmp_path_factory.mktemp("gallery of damage")
    for name in ("digits-mlp", "digits-shares", "tinybert"):
        shutil.copytree(places.GALLERY / name, gallery / name)
    (gallery / "digits-mlp" / "result.nc").write_bytes(b"broken")
    return gallery


@pytest.mark.parametrize("page", EVERY)
def test_no_page_fails_where_the_first_result_is_damaged(own_cache, monkeypatch, damaged_gallery, page):
    monkeypatch.setattr(places, "GALLERY", damaged_gallery)
    app = visited(page)
    assert not app.exception and bound(app) == []
    if page == HOME:
        answers = [text.value for text in app.markdown if text.value.startswith(("Yes", "No"))]
        assert "damaged" in app.warning[0].value and len(answers) == len(list(damaged_gallery.iterdir())) - 1


@pytest.mark.parametrize("page", [page for page in EVERY if page.startswith("pages/own/")])
def test_code_is_not_in_captions_where_it_would_be_too_faint_to_read(own_cache, page):
    app = visited(page)
    assert not app.exception and [each.value for each in app.caption if "`" in each.value] == []


def test_a_title_on_a_card_is_not_marked_up(own_cache):
    study = small_study().model_copy(update={"title": "**x** [y](http://z)"})
    store_synthetic(own_cache, synthetic(study, np.random.default_rng(0)))
    titles = [text.value for text in visited(HOME).markdown]
    assert any("x" in title and "[y](" not in title and r"\[y" in title for title in titles)


def test_a_visitor_sees_the_study_of_the_readme_first(own_cache):
    assert visited().selectbox(key="study").value == "digits-mlp"


def test_a_shipped_study_is_described_in_the_words_of_its_preset(own_cache):
    app = visited(study="digits-mlp")
    assert any(caption.value == show.plain(preset("digits-mlp").description) for caption in app.sidebar.caption)


@pytest.mark.parametrize("page", [page for page in PAGES if page not in ASKED])
def test_what_is_drawn_or_downloaded_has_a_name_of_its_own(page):
    """For those who hear the page."""
    app = shown(page)
    alts = [chart.proto.alt for chart in app.get("plotly_chart")]
    buttons = [button.proto.label for button in app.get("download_button")]
    for names in (alts, buttons):
        assert names and all(names) and len(set(names)) == len(names)


@pytest.mark.parametrize("page", [HOME, *PAGES])
def test_headings_go_down_one_level_at_a_time(page):
    """For those who move from heading to heading."""
    levels = [int(each.tag[1]) for each in shown(page).main if each.type in ("title", "header", "subheader")]
    assert levels[0] == 1 and all(below <= above + 1 for above, below in pairwise(levels))


def drawn(app: AppTest) -> list[str]:
    """The figures of a page, with all of their data."""
    return [chart.proto.spec for chart in app.get("plotly_chart")]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(("name", "value"), [("q", 0.1), ("n", 70)])
def test_a_slider_moves_the_figures(page, name, value):
    """And moving it back brings the first ones back."""
    if not any(slider.key == name for slider in shown(page).slider):
        pytest.skip(f"this page has no {name}")
    app = visited(page)
    before, first = drawn(app), app.slider(key=name).value
    app.slider(key=name).set_value(value).run()
    assert not app.exception
    assert app.slider(key=name).value == pytest.approx(value)
    assert drawn(app) != before
    app.slider(key=name).set_value(first).run()
    assert drawn(app) == before


@pytest.mark.parametrize(("edge", "everything", "expected"), [
    ("0 – 1", "false", "edge"), ("0 – 2", "false", "no step joins them"), ("0 – 2", "true", "edge"),
])  # fmt: skip
def test_only_a_pair_that_is_drawn_is_called_an_edge(edge, everything, expected):
    app = visited("pages/explore/graph.py", edge=edge, all_pairs=everything)
    (sentence,) = [text.value for text in app.markdown if text.value.startswith("On the training batch")]
    assert expected in sentence and ("λ" in sentence) == (expected == "edge")


def test_a_walk_of_n_steps_has_one_node_more(own_cache):
    """1000 steps: 1001 nodes, 500,500 pairs."""
    app = visited("pages/explore/graph.py")
    assert any("that is 1,000 instead of 500,500." in text.value for text in app.markdown)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(("name", "seeds"), [("1 seed", 1), ("4 seeds", 4)])
def test_a_page_shows_one_seed_and_missing_candidates(page, name, seeds, kept, monkeypatch):
    monkeypatch.setenv("LANDSCAPE_CACHE", str(kept[name]))
    app = visited(page, study=label(small_study(seeds=seeds)))
    assert not app.exception
    assert app.selectbox(key="study").value.startswith("synthetic")


@pytest.mark.parametrize("page", OF_ONE_STUDY)
def test_a_study_begun_elsewhere_shows_what_is_kept_of_it(page, kept, monkeypatch):
    """As one that was interrupted on the command line: one of four seeds."""
    monkeypatch.setenv("LANDSCAPE_CACHE", str(kept["begun"]))
    app = visited(page, study=label(small_study()))
    assert not app.exception
    assert app.selectbox(key="study").value.startswith("synthetic")
    expected = (
        "So far, 3 of 12 candidates (counting each seed separately) have been walked, "
        f"each for at least {STEPS} of {STEPS} steps"
    )
    (so_far,) = [caption.value for caption in app.caption if caption.value.startswith(expected)]
    assert "means change with further seeds" in so_far and "link without n" in so_far
    assert any(caption.value.endswith("Started but not finished.") for caption in app.caption)


def test_how_much_there_is_of_a_study_is_said_from_the_first_part_on():
    study = small_study(seeds=1)
    none = dataset = synthetic(study, np.random.default_rng(0))
    for walked, label in zip(("2 of 3", "1 of 3", "none of 3"), study.labels, strict=True):
        none = without(none, candidate=label)
        has = "have" if walked[0] == "2" else "has"
        assert frame.so_far(none).startswith(f"So far, {walked} candidates (counting each seed separately) {has} been")
    assert "steps" in frame.so_far(dataset) and "steps" not in frame.so_far(none)


@pytest.mark.parametrize(
    "page", ["pages/explore/study.py", "pages/explore/sensitivity.py", "pages/compare/predictors.py"]
)
def test_equal_metrics_of_trained_candidates_are_mentioned(page, own_cache):
    dataset = synthetic(small_study(), np.random.default_rng(0))
    dataset["barrier"].values[:] = 0
    app = visited(page, study=store_synthetic(own_cache, dataset))
    assert not app.exception
    assert any("in every seed M₀ is equal for all candidates" in text.value for text in app.markdown)


@pytest.mark.parametrize("page", PAGES)
def test_a_smaller_study_takes_over_what_it_allows(page, kept, monkeypatch):
    """Going from 1000 permutations and 10 seeds to 60 and 4, with a seed and a checkpoint that only the first has."""
    monkeypatch.setenv("LANDSCAPE_CACHE", str(kept["whole"]))
    app = visited(page, seed="9", checkpoint="80", q="0.2")
    app.selectbox(key="study").set_value(label(small_study())).run()
    assert not app.exception
    assert not [warning for warning in app.warning if "link" in warning.value]


@pytest.mark.parametrize(("name", "value"), [("q", "7"), ("n", "100000"), ("study", "no-such"), ("n", "many")])
def test_a_hand_edited_address_leaves_the_page_up(name, value):
    app = visited(**{name: value})
    assert not app.exception
    assert app.title[0].value


@pytest.mark.parametrize("page", [*PAGES, *(f"pages/learn/{each}.py" for each in ("copies", "walk", "widening"))])
def test_an_emptied_value_in_the_address_is_not_allowed_and_leaves_the_page_up(page):
    """Of every control at once, as by somebody who deletes what stands behind the equals signs."""
    known = [*controls.CONTROLS, *controls.LESSONS, *controls.COMPARED, "studies"]
    app = visited(page, **dict.fromkeys(known, ""))
    assert not app.exception
    assert all("The default is used instead" in warning.value for warning in app.warning)
    assert app.warning or page in (SCORECARD, *ASKED)


def test_the_limits_of_a_study_are_said():
    """By hand from the shipped results: the epoch of φ* plus the patience, against the epochs allowed."""
    out_of_epochs = {name: caveats.not_stopped(open_study(name)) for name in ("digits-mlp", "cnn-cifar10", "tinybert")}
    assert out_of_epochs["digits-mlp"] is None
    assert out_of_epochs["cnn-cifar10"].startswith(
        "In 3 of 3 seeds, the base stopped training because its 16 epochs were over"
    )
    assert out_of_epochs["tinybert"].startswith(
        "In 5 of 5 seeds, the base stopped training because its 8 epochs were over"
    )
    told = " ".join(caveats.limits(open_study("tinybert")))
    assert "dropout" in told and "dropout" not in " ".join(caveats.limits(open_study("digits-mlp")))
    assert all(words in told for words in ("choose φ* and the epoch of G*", "includes neither", "drawn again"))
    assert "Jacov in 15 of 50 values" in caveats.undefined(open_study("digits-mlp"))
    assert caveats.undefined(open_study("cnn-cifar10")) is None


def opened(scores: AppTest, claims: int) -> None:
    """Open the first claims of the scorecard."""
    for place in range(1, claims + 1):
        scores.session_state[f"claim-{place}"] = True
    scores.run()


def test_the_scorecard_is_there_whichever_study_is_chosen(own_cache):
    """Also one that has not been computed, and its links lead to what they name."""
    app = visited(SCORECARD, study="cnn-cifar100")
    opened(app, len(CLAIMS))
    assert not app.exception and app.get("plotly_chart")
    assert any("digits-mlp" in table.value["study"].tolist() for table in app.dataframe)
    links = {link for table in app.dataframe for link in table.value["page"] if "study=digits-shares&" in link}
    assert len(links) == 4
    for link in links:
        page, query = link.split("?")
        app = visited(next(each for each in PAGES if Path(each).stem == page), **dict(parse_qsl(query)))
        assert not app.exception and not app.warning
        assert app.selectbox(key="study").value == "digits-shares" and app.slider(key="q").value == 0.4


def test_the_scorecard_is_a_row_for_each_claim_that_says_its_verdicts():
    """The details are folded away below it, made when it is opened, and all rows add up to what the page says first."""
    app = visited(SCORECARD)
    assert not app.main.dataframe
    opened(app, len(CLAIMS))
    rows, told = [each for each in app.main.expander if "-badge[" in each.label], Counter()
    assert [row.label.partition(" :")[0] for row in rows] == [show.escaped(claim.text) for claim in CLAIMS]
    for row in rows:
        said = {verdict: int(count) for count, verdict in re.findall(r"badge\[(\d+) ([a-z ]+)\]", row.label)}
        (table,) = row.dataframe
        assert said == Counter(each.removesuffix(" at this scale") for each in table.value["verdict"])
        assert table.value["our figure"].dtype == float, "by which the table is sorted"
        told.update(said)
    first = next(each.value for each in app.markdown if "claims in" in each.value)
    assert f"in {told.total()} tests" in first and all(f"{count} {verdict}" in first for verdict, count in told.items())


def test_the_first_view_begins_with_the_answer():
    """What training, the barriers and the lines between networks come to, beside a calculation by hand."""
    dataset = open_study("digits-mlp")
    base, walks = dataset["base_barrier"].values, dataset["barrier"].values  # s n, s c t n
    limits = np.quantile(base, 0.4, axis=1)
    of_base = 100 * np.mean(base <= limits[:, None])
    m = 100 * np.mean(walks <= limits[:, None, None, None], axis=-1).mean(0)  # c t
    accuracy = 100 * dataset["validation_accuracy"].values.astype(float)  # s c e
    gain = (accuracy - accuracy[:, :, :1]).max(-1).mean(0)
    best, wide = (dataset["candidate"].values[at] for at in (gain.argmax(), m[:, 0].argmax()))
    loss = dataset["curve"].sel(seed=0, model="base", split="train").isel(moment=0).values[:3]  # pair α
    rises = (loss - np.linspace(loss[:, 0], loss[:, -1], loss.shape[1], axis=1)).max(1)
    before, after = (m[:, at].mean() - of_base for at in (0, -1))
    expected = {
        "trajectories": [f"**{best}** gains most: G* is **{gain.max():.1f}** points",
                         f"from **{before:.1f} %** at epoch 0 to **{after:.1f} %**"],
        "barriers": [f"**{of_base:.1f} %**", f"**{wide}** has most, **{m[:, 0].max():.1f} %**"],
        "interpolation": [f"by **{number(rises.min())}** ", f" to **{number(rises.max())}** nats "],
    }  # fmt: skip
    for page, texts_of in expected.items():
        first = visited(f"pages/explore/{page}.py", study="digits-mlp").main.markdown[0].value
        assert all(text in first for text in texts_of), (first, texts_of)


def test_where_nothing_gains_no_candidate_gains_most():
    first = visited("pages/explore/trajectories.py", study="resnet18-cifar10").main.markdown[0].value
    assert first.startswith("No candidate gains anything on average; the control gains 0.3")


@pytest.mark.parametrize("page", [HOME, *OF_ONE_STUDY, "pages/compare/studies.py", SCORECARD, "pages/own/network.py"])
def test_the_text_in_place_of_a_figure_states_what_it_shows(page):
    alternatives = [chart.proto.alt for chart in visited(page).get("plotly_chart")]
    assert alternatives or page in ASKED
    assert [alt for alt in alternatives if not re.search(r"\d", alt) or not alt.endswith(".")] == []


@pytest.mark.parametrize(
    ("studies", "expected"),
    [
        (["digits-mlp", "tinybert"], "the same answer: **not decided**."),
        (["digits-mlp", "mlp-cifar10"], "different answers: **not decided** (digits-mlp) and **yes** (mlp-cifar10)."),
    ],
)
def test_a_comparison_says_whether_studies_agree(studies, expected):
    app = visited("pages/compare/studies.py", studies=studies)
    assert any(each.value.endswith(expected) for each in app.main.markdown)


def test_negative_numbers_of_a_table_have_a_minus_and_stay_numbers():
    numbers = [-24.44, 5.8, -0.04, np.nan]
    names, ranks = ["a-b", "c", "zero", "d"], [1.0, 2.5, 2.0, 3.0]
    data = pd.DataFrame({"name": names, "value": numbers, "count": [1, 2, 3, 4], "rank": ranks})
    number = st.column_config.NumberColumn
    columns = {"value": number("a value", format="%.1f"), "count": number(format="%d"), "name": "who"}
    written, left = show.with_minus(data, columns)
    shown = written.to_html()
    assert all(text in shown for text in ("−24.4", "5.8", "–", "a-b", ">2.5<", ">3<")) and "-24" not in shown
    assert ">0.0<" in shown and "−0.0" not in shown
    np.testing.assert_array_equal(written.data["value"], numbers)
    assert left["value"]["type_config"]["format"] is None and left["count"] == columns["count"]
    assert show.with_minus(data.assign(value=1.0), columns)[1] == columns
    written, _ = show.with_minus(data, columns, {"value": ["[−30.0, +1.0]", "[+5.0, +6.0]", "", ""]})
    assert all(f">{text}<" in written.to_html() for text in ("[−30.0, +1.0]", "[+5.0, +6.0]", "–"))
    np.testing.assert_array_equal(written.data["value"], numbers)
