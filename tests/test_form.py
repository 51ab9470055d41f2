"""The form: what it offers can be computed, a link is what is on the screen, and faults are told in its own words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import Field
from streamlit.testing.v1 import AppTest

from landscape.data.registry import IMAGE_SETS, ImageSet
from landscape.jobs.guard import fits
from landscape.store.results import Store
from landscape.study import Study, validated
from landscape.study.examples import Examples
from landscape.study.kinds import MlpSpec
from landscape.study.presets import preset, presets
from landscape.study.writing.toml_text import content_of, toml_text
from pages.shared import adapting, fields, form, own_study, running
from pages.shared.form import Held

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_scan")]

ROOT = Path(__file__).parents[1]
BASES = {name: each for modality in ("images", "text") for name, each in adapting.named_models(modality).items()}


def opened(**link: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=300)
    for name, text in link.items():
        app.query_params[name] = text
    return app.switch_page("pages/own/new.py").run()


def link_in(app: AppTest) -> dict[str, str]:
    return {name: "".join(text) for name, text in app.query_params.items() if form.is_ours(name)}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANDSCAPE_CACHE", str(tmp_path))


def content(template: str) -> dict[str, Any]:
    return presets()[template].model_dump(mode="json")


# --- without a page ---


@pytest.mark.parametrize("template", presets())
def test_a_preset_as_it_is_is_the_preset(template: str) -> None:
    held = Held(template, content(template))
    assert own_study.checked(held) == (preset(template), [])
    assert form.link_of(held) == ({} if template == "digits-mlp" else {"from": template})


@pytest.mark.parametrize("template", ["digits-mlp", "cnn-cifar10", "tinybert"])
@pytest.mark.parametrize("base", BASES)
def test_a_link_is_the_form_with_every_base(template: str, base: str) -> None:
    """Every base of every modality can be computed at once, and its link and its TOML give it again."""
    held = Held(template, content(template))
    if BASES[base]["kind"] not in {
        each["kind"] for each in adapting.named_models(adapting.modality(held.content)).values()
    }:
        form.set_leaf(held.content, "data.name", "digits" if template == "tinybert" else "python-docs")
        adapting.adapt(held.content, "data.name")
    held.content["model"] = dict(BASES[base])
    adapting.adapt(held.content, "model.kind")
    study, faults = own_study.checked(held)
    assert study is not None and faults == []
    again = Held(*form.from_link(form.link_of(held)))
    assert own_study.checked(again)[0] == study
    assert validated(content_of(toml_text(study))) == study
    for way, candidates in adapting.ways_of(held.content).items():
        held.content["candidates"] = candidates
        adapting.walk_what_widens(held.content)
        assert own_study.checked(held)[1] == [], way


def test_a_value_of_every_kind_is_read_as_it_is_shown() -> None:
    class Odd(MlpSpec):
        """A perceptron with fields of many kinds."""

        width: int = Field(gt=2, lt=9)
        deep: bool = Field(default=False, title="Deep?")
        rate: float = 1e-4
        most: int | None = None

    values = {
        "width": [3, 8],
        "deep": [True, False],
        "rate": [1e-7, 0.1, 3.0],
        "most": [None, 2],
        "hidden": [[6], [6, 7], []],
    }
    for name, each in values.items():
        for value in each:
            assert fields.read(Odd.model_fields[name], fields.text_of(value)) == value
    assert fields.read(Odd.model_fields["width"], "three") == "three"
    assert fields._bounds(Odd.model_fields["width"].metadata, 4) == (3, 8)
    assert fields._bounds(Odd.model_fields["width"].metadata, 1)[0] < 1


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("model.hidden", "0", "Hidden units, entry 1: must be at least 1; it is 0."),
        ("model.hidden", "a", "Hidden units, entry 1: must be a whole number"),
        ("training.learning_rate", "fast", "Learning rate: must be a number"),
        ("training.epochs", "10000000", "Epochs after the expansion: must be at most 1000000"),
        ("seeds", "0", "Seeds: must be at least 1; it is 0."),
        ("candidates", "hidden1 → 3", "hidden1 = 3 does not widen the base: it must be above 6."),
        ("candidates", "hidden1 × 2000", "Candidate 1: must be at most 1000"),
        ("candidates", "hidden1", "Candidates: 'hidden1' is not a step of an expansion"),
        ("candidates", "", "Candidates: must have 1 or more entries."),
        ("walk.statistics", "re-estimated", "“BatchNorm statistics” = 're-estimated' needs BatchNorm, and mlp has"),
    ],
)  # fmt: skip
def test_faults_are_told_in_the_words_of_the_controls(name: str, text: str, told: str) -> None:
    held = Held("digits-mlp", content("digits-mlp"))
    form.set_leaf(held.content, name, text)
    study, faults = own_study.checked(held)
    assert study is None and any(fault.startswith(told) for fault in faults), faults
    assert not any(place in fault for fault in faults for place in ("model.", "training.", "walk.", "input should"))


@pytest.mark.parametrize("count", [2, 3, 20, 500, 1000, 1001, 1499, 1500, 1797, 5000, 60_000])
def test_a_set_of_any_size_is_divided(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Validation and training are disjoint, and a set that grows never has fewer images for either."""
    tiny = ImageSet(read=lambda: None, examples=Examples((4, 4, 1), 2, count), summary="")
    monkeypatch.setitem(IMAGE_SETS, "of_some_size", tiny)
    held = Held("digits-mlp", content("digits-mlp"))
    form.set_leaf(held.content, "data.name", "of_some_size")
    adapting.adapt(held.content, "data.name")
    study, faults = own_study.checked(held)
    assert faults == [] and own_study.obstacles(study) == []
    size = adapting.validation_size
    assert 0 < count - size(count) <= count + 1 - size(count + 1) and size(count) <= size(count + 1)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("walk.batch_size", "1001", "“Batch of measurement” is 1,001, more than the 1,000 training examples: lower it"),
        ("training.batch_size", "1001", "“Batch of training” is 1,001"),
        ("walk.batches", "20, 1001", "“Sizes of other batches” is 1,001, more than the 1,000 training examples"),
        ("data.validation_size", "798", "ask for 1,798 together, and digits has 1,797: lower one of them."),
        ("data.name", "no_such_set", "no_such_set"),
        ("seeds", "10000", "of disk space"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_says_what_to_change(
    name: str, text: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fits, "free_bytes", lambda root: 1e8)
    held = Held("digits-mlp", content("digits-mlp"))
    form.set_leaf(held.content, name, text)
    study, _ = own_study.checked(held)
    (sentence,) = own_study.obstacles(study)
    assert told in sentence and sentence.endswith(".")
    if name != "data.name":
        with pytest.raises(ValueError, match=r"\d"):
            fits.check_fits(study, Store())


def test_too_little_memory_is_said_before_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    study = preset("digits-mlp")
    assert own_study.obstacles(study) == []
    fits.check_fits(study, Store())
    monkeypatch.setattr(fits.capacity, "memory", lambda: 300e3)
    (sentence,) = own_study.obstacles(study)
    assert "of memory, and this computer has 300 kB: lower the sizes of the candidates" in sentence
    with pytest.raises(ValueError, match="of memory, and this computer has 300 kB"):
        fits.check_fits(study, Store())


def test_validation_leaves_something_to_train_on() -> None:
    study = preset("digits-mlp")
    data = study.data.model_copy(update={"train_size": None, "validation_size": 1797})
    with pytest.raises(ValueError, match="digits has 1797 examples; the rest for training and 1797 for validation"):
        fits.check_examples(study.model_copy(update={"data": data}))


@pytest.mark.parametrize(
    ("pasted", "told"),
    [
        ("model = { kind = 'own', module = '/tmp/evil.py:build' }", "The app does not compute this study"),
        ("model = { kind = 'other' }", "model.kind: here it must be one of"),
        ("extends = '../x'", "extends: must name a study that ships"),
        ("extends = 'digits-mlp'\nseeds = 0", "seeds: must be at least 1"),
        ("seeds = 3", "model: is missing"),
        ("extends = 'digits-mlp'\ndata = { file = '/etc/passwd' }", "data.file: files are read by the command line"),
        ("extends = 'digits-mlp'\nweights = 'x.safetensors'", "weights, data.tokens: "),
        ("seeds = ", "not TOML"),
    ],
)
def test_a_pasted_text_is_checked(pasted: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    state: dict[str, Any] = {"pasted": pasted}
    monkeypatch.setattr(own_study.st, "session_state", state)
    held = Held("digits-mlp", content("digits-mlp"))
    own_study._take(held)
    assert any(told in fault for fault in state["faults of pasted"]) and held.content == content("digits-mlp")


# --- on the page ---


def test_the_page_follows_its_controls_and_a_link_reproduces_it() -> None:
    app = opened()
    assert not app.exception and [way.proto.label for way in app.get("page_link")] == ["Already computed: open it"]
    app.selectbox(key="form-Base model").set_value("CNN").run()
    assert not app.exception and not app.error, "another model brings candidates of its own"
    assert app.selectbox(key="form-Expand").value == "conv1 wider"
    app.number_input(key="training.epochs").set_value(5)
    app.text_area(key="candidates").set_value("conv1 -> 10; 1 layer after conv2 & conv1 x 2").run()
    assert link_in(app)["candidates"] == "conv1 → 10; 1 layer after conv2 & conv1 × 2"
    assert any("80 in digits" in caption.value for caption in app.caption), "what differs is marked"
    again = opened(**link_in(app))
    assert again.code[0].value == app.code[0].value and link_in(again) == link_in(app)
    assert validated(content_of(app.code[0].value)).training.epochs == 5


def test_an_unknown_value_in_a_link_is_named_and_left_out() -> None:
    app = opened(**{"from": "nothing", "walk.colour": "red", "seeds": "many"})
    told = " ".join(warning.value for warning in app.warning)
    assert not app.exception and "nothing" in told and "walk.colour" in told
    assert any("Seeds" in error.value for error in app.error)


def test_a_start_moves_on_to_the_study(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Study] = []

    class Engine:
        def submit(self, study: Study, expected: float) -> None:
            asked.append(study)
            assert 1 < expected < 600

    monkeypatch.setattr(running, "here", Engine)
    app = opened(seeds="1", candidates="hidden1 → 9")
    app.button(key="start-own").click().run()
    assert not app.exception and app.title[0].value == "Which expansion pays off?"
    assert [study.labels for study in asked] == [["hidden1 → 9"]]
    assert app.selectbox(key="study").value.endswith(asked[0].key[:6])
