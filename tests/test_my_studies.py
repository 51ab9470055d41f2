"""The page of one's own studies: it lists, renames, deletes, takes uploads, and shows nobody's text as Markdown."""

from __future__ import annotations

import io
import time
from inspect import unwrap
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest
from synthetic import small_study, synthetic
from test_pages import store_synthetic
from test_upkeep import real

from landscape.jobs.progress import Progress
from landscape.store import netcdf
from landscape.store.results import Store
from landscape.study.presets import preset
from pages.shared import own_actions, own_studies, running, show
from pages.shared.show import plain

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_scan")]

ROOT = Path(__file__).parents[1]
STUDY = small_study(seeds=1)
TITLE = "[Click](evil) $x$ :red[now] <b>**bold**</b>"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A result of one's own."""
    monkeypatch.setenv("LANDSCAPE_CACHE", str(tmp_path))
    store = Store(tmp_path)
    store_synthetic(store, synthetic(STUDY, np.random.default_rng(0)))
    return store


def opened(page: str = "mine", **link: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=300)
    for name, text in link.items():
        app.query_params[name] = text
    app = app.switch_page(f"pages/own/{page}.py").run()
    assert not app.exception
    return app


def label() -> str:
    return f"{STUDY.name}-{STUDY.key[:6]}"


def test_a_study_is_renamed_and_deleted(cache: Store) -> None:
    app = opened(mine=label())
    table = app.dataframe[0].value.set_index("study")
    assert table.loc[label(), "state"] == "computed" and table.loc["digits-mlp", "state"] == "shipped"
    assert table.loc[label(), "MB"] == pytest.approx(
        sum(p.stat().st_size for p in cache.root.rglob("*.*")) / 1e6, rel=0.01
    )
    app.text_input(key="new title").set_value(TITLE)
    app.button(key="rename").click().run()
    assert cache.entry(STUDY.key).title == TITLE and app.success
    shown = [each.value for each in (*app.markdown, *app.caption, *app.success) if "evil" in each.value]
    assert shown and not any("](" in text or "**bold" in text or " $x$" in text for text in shown)
    app.text_input(key="new title").set_value(" ")
    app.button(key="rename").click().run()
    assert "a title is one line" in app.error[0].value.replace("\\", "")
    app.button(key="delete").click().run()
    assert not app.exception and STUDY.key not in cache and label() not in app.selectbox(key="mine").options


@pytest.mark.parametrize(
    ("text", "shown", "told", "offered"),
    [
        (STUDY.name, "MINE", "", []),
        (STUDY.key[:4], "MINE", "", []),
        ("digts-mlp", "digits-mlp", "no study here is called that", ["digits-mlp", "digits-mlp-30"]),
        ("[x](evil)", "digits-mlp", "`[x](evil)`, and no study here is called that", []),
    ],
)
def test_a_link_may_call_a_study_by_any_name_and_an_unknown_one_is_told_with_the_nearest(
    cache: Store, text: str, shown: str, told: str, offered: list[str]
) -> None:
    app = opened("new", study=text)
    assert app.selectbox(key="study").value == shown.replace("MINE", label())
    said = " ".join(each.value for each in app.warning)
    assert told in said and (said == "") == (told == "")
    buttons = {button.key: button for button in app.button if button.key and button.key.startswith("meant-")}
    assert [key.removeprefix("meant-") for key in buttons][: len(offered)] == offered and len(buttons) <= 3
    if offered:
        app = buttons[f"meant-{offered[1]}"].click().run()
        assert app.selectbox(key="study").value == offered[1]
        assert not app.warning


def test_the_table_has_room_for_every_name(cache: Store) -> None:
    """Also where a long one stands below the rows by which a browser measures a column."""
    table = own_studies.table(own_studies.rows())
    longest = table["study"].str.len().idxmax()
    assert longest >= show.ROWS_MEASURED
    config = show.fitted(table, {"study": st.column_config.TextColumn(pinned=True)})
    assert config["study"]["width"] >= 6.5 * len(table["study"][longest]) + 16, "pixels of letters, and a rim"
    assert config["study"]["pinned"]
    assert show.fitted(table.head(3), {}) == {}


def test_a_name_of_several_studies_is_told_with_all_of_them(cache: Store) -> None:
    other = small_study(seeds=2)
    store_synthetic(cache, synthetic(other, np.random.default_rng(0)))
    app = opened("new", study=STUDY.name)
    assert "2 studies here are called that" in app.warning[0].value
    labels = {f"meant-{STUDY.name}-{each.key[:6]}" for each in (STUDY, other)}
    assert labels <= {button.key for button in app.button} and app.selectbox(key="study").value == "digits-mlp"


def test_an_address_in_a_text_is_no_link() -> None:
    """Three forms become links without any mark: https://, www. and a mail's."""
    for text in ("https://evil.test", "WWW.evil.test", "me@evil.test"):
        assert "\u2060" in plain(text) and plain(text).replace("\\", "").replace("\u2060", "") == text


def test_what_is_shipped_has_no_button_that_changes_it(cache: Store) -> None:
    app = opened(mine="digits-mlp")
    (way,) = app.get("page_link")
    assert (way.proto.label, way.proto.query_string) == ("Open", "study=digits-mlp")
    assert not {button.key for button in app.button} & {"delete", "rename"}


def test_an_unfinished_study_can_be_continued_and_a_failed_one_says_why(
    cache: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = small_study(seeds=2)
    cache.parts(begun).write("seed0", synthetic(begun, np.random.default_rng(0)).isel(seed=[0]), {})
    name = f"{begun.name}-{begun.key[:6]}"
    app = opened(mine=name)
    assert app.dataframe[0].value.set_index("study").loc[name, "state"] == "unfinished"
    assert {"continue", "delete"} <= {button.key for button in app.button}
    state = Progress("failed", "failed", error="OSError: *no* space")
    monkeypatch.setattr(running, "progress", lambda key: state if key == begun.key else None)
    app = opened(mine=name)
    assert any("no\\* space" in error.value for error in app.error)
    state = Progress("running", "Training the base", 0.5, left=60.0)
    monkeypatch.setattr(running, "here", lambda: SimpleNamespace(cancel=print, pause=print, progress=running.progress))
    app = opened(mine=name)
    assert any(button.key == "cancel" for button in app.button) and not any(b.key == "delete" for b in app.button)
    assert [way.proto.query_string for way in app.get("page_link")] == [f"study={name}"]


def test_the_page_of_jobs_stops_studies_and_lets_them_go_on(cache: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What runs stands first; each button is about its own study; texts of errors are plain."""
    asked, keys = [], [preset(name).key for name in ("minibert", "resnet18-cifar10")]
    failed = Progress("failed", "failed", 0.5, error="OSError: *no* space", lines="in write\n*OSError*")
    running_now = Progress("running", "Training the base", 0.25, left=60.0, found=3, tasks=40, device="a GPU")
    running_now = running_now._replace(refused={"tcp://unfit": "the worker tcp://unfit has jax *0.1*"})
    stand = {keys[0]: failed, keys[1]: running_now}
    acts = {name: lambda *given, name=name: asked.append((name, given[0])) for name in ("pause", "cancel", "submit")}
    monkeypatch.setattr(running, "here", lambda: SimpleNamespace(known=lambda: stand, progress=stand.get, **acts))
    assert any("Nothing is being computed" in each.value for each in opened("jobs").info), "nothing was started here"
    (cache.root / ".engine").mkdir()
    app = opened("jobs")
    told = [each.value for each in app.markdown if "·" in each.value]
    assert "25%" in told[0] and "a GPU" in told[0] and "3 of 40 tasks were computed before" in told[0]
    assert any("A worker is passed over" in each.value and "jax \\*0" in each.value for each in app.caption)
    assert "no\\* space" in app.error[0].value and app.code[0].value == failed.lines
    for name in (f"Pause-{keys[1]}", f"Cancel-{keys[1]}", f"continue-{keys[0]}"):
        app.button(key=name).click().run()
        assert not app.exception
    assert asked == [("pause", keys[1]), ("cancel", keys[1]), ("submit", preset("minibert"))]


def test_a_file_is_uploaded_or_refused_in_a_sentence(cache: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    given, state = real(small_study(seeds=3)), {}
    monkeypatch.setattr(own_actions.st, "session_state", state)
    for content, told in (
        (netcdf.encode(given), "was uploaded"),
        (b"no file", "not a readable"),
        (None, "no file any more"),
    ):
        state[own_actions.UPLOAD] = None if content is None else io.BytesIO(content)
        own_actions.attempt(own_actions.upload)
        assert told in state[own_actions.TOLD][1]
    assert [entry.uploaded for entry in cache.entries().entries if not entry.shipped].count(True) == 1


def test_what_is_of_no_use_goes_at_a_click(cache: Store) -> None:
    (cache.root / STUDY.key / "record.json").write_text("{}")
    app = opened()
    assert any("is damaged" in text.value for text in app.markdown)
    app.button(key="clean up").click().run()
    assert not app.exception and not (cache.root / STUDY.key).exists()


def test_presets_not_computed_stand_apart_with_a_way_to_the_form(cache: Store) -> None:
    table = opened().dataframe[1].value
    assert "minibert-paper" in table["preset"].tolist() and "digits-mlp" not in table["preset"].tolist()
    assert "new?from=minibert-paper" in table["try"].tolist()


@pytest.mark.parametrize(
    ("shown", "waited", "redraws"), [(0, 0, True), (3, 0, False), (3, 2 * running.REDRAWN, True), (5, 99, False)]
)
def test_what_there_is_so_far_is_drawn_at_once_and_then_now_and_then(shown, waited, redraws, monkeypatch) -> None:
    """Five parts have arrived: a page that shows none is drawn again at once, one that shows fewer after a while."""
    found = Progress("running", "Training", 0.5, parts=5)
    monkeypatch.setattr(running, "progress", lambda key: found)
    monkeypatch.setattr(running, "here", MagicMock())
    rerun = MagicMock()
    monkeypatch.setattr(running.st, "rerun", rerun)
    unwrap(running.watch)("key", shown, drawn=time.monotonic() - waited)
    assert rerun.called == redraws
