"""What anybody may bring, as malformed as hypothesis makes it, is a valid study or a value, or one clear sentence.

Each test makes up LANDSCAPE_EXAMPLES inputs; with 500 all take a minute.
"""

from __future__ import annotations

import json
import os
import resource
import time
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from landscape.analysis.wording import origin
from landscape.cli.parser import main
from landscape.cli.saying import readable
from landscape.models.weights.reader import tensors_of
from landscape.store import netcdf
from landscape.store.exchange import add_upload
from landscape.store.fields import described, origin_in
from landscape.store.results import Store
from landscape.study import validated
from landscape.study.files import from_toml
from landscape.study.presets import preset
from landscape.study.writing.toml_text import _value, content_of
from pages.shared import form, own_study
from pages.shared.controls import COMPARED, LESSONS
from pages.shared.form import Held
from pages.shared.show import plain
from pages.shared.widgets import Number
from tests.test_store import BEFORE, filled, record, tiny

pytestmark = pytest.mark.slow
EXAMPLES = int(os.environ.get("LANDSCAPE_EXAMPLES", "75"))
suppressed = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
quick = settings(max_examples=EXAMPLES, suppress_health_check=suppressed)

SECONDS, BYTES = 5.0, 2**30  # of this process, which an input may take


@pytest.fixture(autouse=True, scope="module")
def bounded() -> Iterator[None]:
    """All inputs together take no more memory than one may."""
    before = peak_memory()
    yield
    assert peak_memory() - before < BYTES


def peak_memory() -> int:
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@contextmanager
def at_once() -> Iterator[None]:
    """Holds what is done with an input to its time, whatever else the computer does."""
    since = time.process_time()
    try:
        yield
    finally:
        assert time.process_time() - since < SECONDS


TEXT = st.text(max_size=30)
ODD = st.sampled_from(
    [*"0_-+.[{'", "\\", "\0", "9" * 5000, "1e400", "nan", "٣", "²", "../../x", "$x$ **b**", "\x1b[2J", "\u202ex"]
)
SCALAR = st.one_of(
    *(st.none(), st.booleans(), st.integers(-(10**25), 10**25), st.floats(), TEXT),
    st.sampled_from([0, -1, 10**9, 1e300, "", "hidden1", "digits", "own", "bert"]),
)
VALUE = st.recursive(
    SCALAR, lambda each: st.lists(each, max_size=3) | st.dictionaries(TEXT, each, max_size=3), max_leaves=6
)


def places(content: Any, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The keys and positions that lead to every part of a content."""
    parts = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    return [(*before, key) for key, _ in parts] + [each for key, part in parts for each in places(part, (*before, key))]


CONTENT = preset("digits-mlp").model_dump(mode="json", exclude_none=True)


@st.composite
def contents(draw: Callable[..., Any]) -> dict[str, Any]:
    """The content of a study's file of which one or two parts are something else, under their own key or another."""
    content = json.loads(json.dumps(CONTENT))
    for _ in range(draw(st.integers(1, 2))):
        *way, last = draw(st.sampled_from(places(content)))
        part = content
        for key in way:
            part = part[key]
        key = draw(TEXT) if isinstance(part, dict) and draw(st.booleans()) else last
        part[key] = draw(VALUE)
    return content


def told(action: Callable[[], object]) -> None:
    """Holds an action to its word: it soon ends, or raises a ValueError with a sentence in it."""
    try:
        with at_once():
            action()
    except ValueError as error:
        assert str(error).strip() and "Traceback" not in str(error)


@quick
@given(contents(), st.sampled_from(["", 'extends = "digits-mlp"\n', "[laptop]\n", "["]))
def test_a_study_file_or_a_pasted_text(tmp_path: Path, content: dict[str, Any], before: str) -> None:
    text = before + "\n".join(f"{json.dumps(str(key))} = {_value(value)}" for key, value in content.items())
    (tmp_path / "study.toml").write_bytes(text.encode(errors="replace"))
    told(lambda: from_toml(tmp_path / "study.toml"))
    told(lambda: own_study._allowed(content_of(text)))


@quick
@given(contents())
def test_a_content(content: dict[str, Any]) -> None:
    told(lambda: validated(content))


LEAVES = sorted(form.leaves(preset("digits-mlp").model_dump(mode="json")))


@quick
@given(st.dictionaries(st.sampled_from(LEAVES) | TEXT, TEXT | ODD | st.floats().map(str), max_size=4), TEXT | ODD)
def test_a_link_to_the_form(given_in_link: dict[str, str], template: str) -> None:
    ours = {name: text for name, text in given_in_link.items() if form.is_ours(name)}
    for start in ({}, {form.TEMPLATE: template}):
        with at_once():
            held = Held(*form.from_link(ours | start))
            study, sentences = own_study.checked(held)
            form.link_of(held)
        assert (study is None) == bool(sentences) and all(sentences)


@quick
@given(st.sampled_from([*LESSONS.values(), *COMPARED.values(), Number("Steps", 1, 100, 5)]), TEXT | ODD)
@example(Number("Steps", 1, 100, 5), "9" * 5000)
def test_a_value_in_a_link(control: Any, text: str) -> None:
    with at_once():
        assert control.accepts(text) in (True, False) and control.allowed


@quick
@given(st.text(st.characters() | st.sampled_from("\x1b\u202e\u2066\0\r`"), max_size=40))
def test_a_text_on_a_page_or_a_terminal(text: str) -> None:
    """None of its characters moves the cursor, turns its neighbours, or hides."""
    for shown in (plain(text).replace("\u2060", ""), form.show(text), readable(text)):
        assert not [each for each in shown if unicodedata.category(each)[0] == "C" and each not in "\n\t"]


UPLOAD = netcdf.encode(filled(tiny()))
TENSORS = b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
HEADER = len(TENSORS).to_bytes(8, "little") + TENSORS + bytes(4)


@st.composite
def damaged(draw: Callable[..., Any], whole: bytes) -> bytes:
    """A file that is cut off, has other bytes somewhere, or is something else."""
    start = draw(st.integers(0, len(whole)))
    return whole[:start] + draw(st.binary(max_size=40)) + draw(st.sampled_from([b"", whole[start:], whole]))


@quick
@given(damaged(UPLOAD), damaged(HEADER))
def test_an_upload(tmp_path: Path, result: bytes, weights: bytes) -> None:
    told(lambda: add_upload(Store(tmp_path), result))
    told(lambda: tensors_of(weights))


@st.composite
def origins(draw: Callable[..., Any]) -> dict[str, Any]:
    """Fields of a record of two seeds of which one is something else, its own or one of an earlier computation."""
    before, now = dict(BEFORE), {**record(tiny()), "taken": 1}
    where = draw(st.sampled_from([before, now]))
    where[draw(st.sampled_from(sorted(where)))] = draw(VALUE)
    return {"earlier": [before], **now}


@quick
@given(origins())
def test_where_a_result_comes_from(fields: dict[str, Any]) -> None:
    """Whatever is not refused can be told."""
    as_json = {name: json.dumps(fields[name]) for name in ("versions", "earlier")}
    told(lambda: described(fields) and origin(fields))
    told(lambda: origin_in(fields | as_json, tiny()) and origin(fields | as_json))


COMMANDS = ("show", "export", "report", "cache", "run")
OPTIONS = (
    "--q",
    "--q=--",
    "--study=--",
    "--n",
    "--seeds",
    "--epochs",
    "--train-size",
    "--weights",
    "--json",
    "-o",
    "--study",
    "--dry-run",
)


@quick
@example("cache", ["prune", "--older-than=--"])
@example("run", ["x" * 100_000])
@example("data", ["9" * 5000])
@example("run", ["digits-mlp", "--weights", "\u202e"])
@given(st.sampled_from(COMMANDS), st.lists(st.sampled_from(OPTIONS) | TEXT | ODD, max_size=4))
def test_a_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, rest: list[str]) -> None:
    """Names and numbers are faulty with all but no chance of a study that can be computed."""
    try:
        with at_once():
            code = main([command, *rest, "--cache", str(tmp_path)])
    except SystemExit as end:
        code = end.code
    told_to = capsys.readouterr().err
    assert code in (0, 2) and "Traceback" not in told_to
    assert code == 0 or "error: " in told_to
    assert len(told_to) < 10_000 and not {"\x1b", "\u202e"} & {*told_to}
