"""The page of a trained network of one's own: empty, with a file that cannot be used, and with one that can."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save
from streamlit.testing.v1 import AppTest

from landscape.figures import initial_metrics, initial_metrics_data, overview_data
from landscape.models.weights.bert import PLACES, TYPES, bert_slots
from landscape.store.results import Store, open_study
from landscape.store.uploads import keep, kept, origin
from landscape.study import SCHEMA, Study
from landscape.study.examples import Examples
from landscape.study.kinds import BertSpec
from landscape.study.schema import empty
from landscape.study.sources import BERT_SPECIALS, Vocabulary, Weights
from pages.shared import own_network, own_uploads

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_scan")]

PAGE = "pages/own/network.py"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """An empty cache folder, which the app uses."""
    monkeypatch.setenv("LANDSCAPE_CACHE", str(tmp_path))
    return Store(tmp_path)


def visited(page: str = PAGE, **parameters: str) -> AppTest:
    app = AppTest.from_file(str(Path(__file__).parents[1] / "app.py"), default_timeout=300)
    for name, value in parameters.items():
        app.query_params[name] = value
    return app.switch_page(page).run()


def network(features: int = 64, units: int = 6) -> bytes:
    shapes = {"up.weight": (units, features), "up.bias": (units,), "down.weight": (10, units), "down.bias": (10,)}
    return save({name: np.ones(shape, np.float32) for name, shape in shapes.items()})


def told(app: AppTest) -> str:
    return " ".join(each.value for each in (*app.markdown, *app.error, *app.caption, *app.info))


def uploaded(app: AppTest, content: bytes) -> AppTest:
    return app.file_uploader(key=own_uploads.UPLOAD).upload("../../evil.safetensors", content).run()


def test_an_example_stands_until_a_network_is_uploaded(cache: Store) -> None:
    app = visited()
    assert not app.exception
    assert "An example, until you upload a network of your own" in told(app)
    (chart,) = app.get("plotly_chart")
    assert chart.proto.alt.startswith("Before training, M₀ goes from ")


def test_a_file_that_cannot_be_used_is_refused_and_not_kept(cache: Store) -> None:
    app = uploaded(visited(), b"\x80\x04pickle")
    assert not app.exception and "is a pickle" in told(app)
    assert "The page stays as it was" in told(app) and "An example, until" in told(app)
    assert kept(cache.root, Weights) == {}


@pytest.mark.parametrize("page", [PAGE, "pages/own/new.py"])
def test_what_is_for_the_command_line_only_is_said_where_it_is_looked_for(cache: Store, page: str) -> None:
    app = visited(page)
    (said,) = [each.value for each in app.markdown if ".npz" in each.value]
    assert "python -m landscape run FILE.toml" in said
    (section,) = re.findall(r"\*(.+?)\*", said)
    assert f"\n## {section}\n" in (Path(__file__).parents[1] / "README.md").read_text()


def test_a_network_that_fits_no_data_says_why_for_each_set(cache: Store) -> None:
    app = uploaded(visited(), network(features=77))
    assert not app.exception
    assert "No data set that is prepared here fits this network" in told(app).replace("\\", "")
    assert "digits: its layers can be chained in no order that begins with 64 inputs" in told(app).replace("\\", "")


def test_a_network_with_too_few_units_to_permute_says_how_many_it_has(cache: Store) -> None:
    app = uploaded(visited(), network(units=3))
    assert not app.exception
    assert "a walk takes 4 units or more, and they have 3 units in hidden1" in told(app).replace("\\", "")


def test_another_kind_of_network_is_refused_without_the_names_of_data_sets(cache: Store) -> None:
    app = uploaded(visited(), save({"rnn.weight_ih_l0": np.ones((24, 8)), "fc.weight": np.ones((10, 6))}))
    assert not app.exception and "digits" not in told(app)
    assert "This network cannot be read here: the file has rnn.weight_ih_l0" in told(app).replace("\\", "")


def test_what_no_shape_tells_is_said_before_it_is_measured(cache: Store) -> None:
    said = told(uploaded(visited(), network()))
    assert "MLP, with 6 units in hidden1" in said and "it is taken to have ReLU behind each hidden layer" in said


def test_an_upload_becomes_a_study_that_its_link_reproduces(cache: Store) -> None:
    app = uploaded(visited(), network())
    assert not app.exception and [path.name for path in cache.root.iterdir()] == [".weights"]
    (weights,) = kept(cache.root, Weights).values()
    assert "Measure M₀" in [button.label for button in app.button] and weights.content() == network()
    assert app.selectbox(key="net shown").options[1].startswith("evil.safetensors, 2.")
    net = app.selectbox(key="net shown").value
    link = {"net": net, "net_steps": "60", "net_seeds": "4", "net_candidates": "hidden1 → 9"}
    reading = own_network.read(weights.sha256, weights.file, ("digits",))
    data, model = reading.fits["digits"]
    scale = own_network.afforded(weights, data, model, "hidden1", "hidden1 × 2")._replace(steps=60, seeds=4)
    assert scale[:3] == own_network.SCALES["images"][0][:3]
    store_result(cache, own_network.study_about(weights, data, model, "hidden1", "hidden1 → 9", scale))
    computed = visited(**link)
    assert not computed.exception
    assert "the network predicts 90.0 % of the validation images of digits correctly" in told(computed)
    assert "no candidate has been trained; before training, M₀ picks hidden1 → 9" in told(computed)
    assert "Measure M₀" not in [button.label for button in computed.button]
    assert "only training shows" in told(computed)
    study = visited("pages/explore/study.py", study="digits-mlp-given")
    assert not study.exception
    first, *others = study.get("plotly_chart")
    assert first.proto.alt.startswith("Before training, M₀ "), "and no empty figure of gains that nobody measured"
    assert not any("has been trained yet" in each.proto.spec for each in (first, *others))
    assert "training (s)" not in study.dataframe[0].value
    for page, said in {
        "trajectories": "Nothing was trained in this study, so there is one point for each candidate",
        "parting": "Nothing was trained, so copies are as the expansion made them: their mean cosine is **1",
    }.items():
        app = visited(f"pages/explore/{page}.py", study="digits-mlp-given")
        assert not app.exception and said in told(app)


def test_candidates_that_are_none_are_refused_in_the_words_of_the_form(cache: Store) -> None:
    net = uploaded(visited(), network()).selectbox(key="net shown").value
    app = visited(net=net, net_candidates="hidden1 × 2; hidden1 × 0.5")
    (said,) = [each.value.replace("\\", "") for each in app.error]
    assert not app.exception and said == "Candidate 2: must be above 1.0; it is 0.5."


def test_a_vocabulary_is_read_where_it_has_a_token_for_each_embedding(cache: Store, monkeypatch) -> None:
    """A Hugging Face BERT of one block with 300 tokens; its study is then in those, and their number is checked."""
    config = BertSpec(layers=1, hidden=64, heads=1, ffn=(8,))
    slots = bert_slots(config, Examples((12,), 300, 8))
    shapes = {slot.name: slot.shape for slot in slots} | {PLACES: (12, 64), TYPES: (2, 64)}
    app = uploaded(visited(), save({name: np.ones(shape, np.float32) for name, shape in shapes.items()}))
    assert app.selectbox(key="net_tokens shown").options == ["learnt from the text"]
    for count, told_then in ((294, "holds 299 tokens, and the network knows 300"), (295, "Measure M₀")):
        content = "\n".join([*BERT_SPECIALS, *(f"t{i}" for i in range(count))]).encode()
        app = app.file_uploader(key=own_uploads.TOKENS).upload("vocab.txt", content).run()
        assert not app.exception
        assert told_then in told(app) + " ".join(button.label for button in app.button)
    (tokens,) = kept(cache.root, Vocabulary).values()
    assert app.selectbox(key="net_tokens shown").value == tokens.sha256[: own_uploads.DIGITS]


def test_uploads_are_listed_by_their_names_and_told_apart_where_two_have_one(tmp_path: Path) -> None:
    """A name is shown as one line of plain text, whatever it is; the newest is the first, also if it comes again."""
    names = {b"1": "base.safetensors", b"2": "C:\\mine\\base.safetensors", b"3": "/etc/\u202e<b>[a](b)\n.x", b"4": ""}
    for age, (content, name) in enumerate(names.items()):
        os.utime(keep(tmp_path, Weights, content, name).file, (10**9 - age,) * 2)
    shown = own_uploads.listed({sha256[:12]: file for sha256, file in kept(tmp_path, Weights).items()})
    first, second = (hashlib.sha256(content).hexdigest()[:6] for content in (b"1", b"2"))
    assert list(shown.values()) == [
        f"base.safetensors {first}, 1 B, 2001-09-09 01:46 UTC",
        f"base.safetensors {second}, 1 B, 2001-09-09 01:46 UTC",
        "<b>[a](b).x, 1 B, 2001-09-09 01:46 UTC",
        "without a name, 1 B, 2001-09-09 01:46 UTC",
    ]
    again = keep(tmp_path, Weights, b"3", "other.safetensors")
    assert origin(again).name == "other.safetensors" and next(iter(kept(tmp_path, Weights).values())) == again


def store_result(cache: Store, study: Study) -> None:
    """A made-up result of a study in which nothing is trained."""
    dataset, rng = empty(study), np.random.default_rng(0)
    values = {"base_barrier": 1, "barrier": 0.5, "base_validation_loss": 0.2, "validation_loss": 0.2}
    for name, scale in values.items():
        dataset[name].values[:] = scale * rng.random(dataset[name].shape)
    for name, value in {
        "base_validation_accuracy": 0.9,
        "validation_accuracy": 0.9,
        "base_stop": 0,
        "copy_cosine": 1,
    }.items():
        dataset[name].values[:] = value
    for name in ("width", "parameters"):
        dataset[name].values[:] = [sizes["hidden1"] for sizes in study.group_sizes()]
    record = {"key": study.key, "name": study.name, "title": study.title, "study": study.model_dump(mode="json")}
    made = {"schema": SCHEMA, "device": "none", "seconds": 1.0, "computed": "2000-01-01T00:00:00+00:00", "versions": {}}
    cache.write(dataset, record | made)


def test_the_picture_is_that_of_the_numbers() -> None:
    """M₀ and its interval are those of the page Study, and the axis holds the base, at 0."""
    dataset = open_study("digits-mlp")
    frame, whole = initial_metrics_data(dataset, 0.4, 1000), overview_data(dataset, 0.4, 1000, "accuracy")
    assert frame.equals(whole[frame.columns])
    figure = initial_metrics(dataset, 0.4, 1000)
    assert [(trace.y[0], trace.x[0]) for trace in figure.data] == list(
        zip(frame["candidate"], frame["M0"], strict=True)
    )
    highs = [trace.x[0] + trace.error_x.array[0] for trace in figure.data]
    assert np.allclose(highs, frame["M0_high"])
    assert {shape.x0 for shape in figure.layout.shapes} == {0, 60}
    assert "M<sub>0</sub>" in figure.layout.xaxis.title.text
