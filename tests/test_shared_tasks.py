"""What any study has computed serves every other: what a task's numbers depend on, and what is kept of them."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Literal, get_args, get_origin

import numpy as np
import pytest
from test_pipeline import STUDY

from landscape.jobs.plan import plan_study
from landscape.jobs.tasks import content
from landscape.proxies import parameters
from landscape.store.results import Store
from landscape.store.sealed import Unwritable
from landscape.store.shared import SharedOutcomes, budget_bytes
from landscape.store.upkeep import holdings, remove
from landscape.study import Study, schema, validated
from landscape.study.predictors import PREDICTORS, Predictor

NARROW = {"widen": "hidden1", "size": 6}


def changed(**settings: object) -> Study:
    """The study with other values of settings, each named `section__setting` or as a field of the study."""
    plain = STUDY.model_dump(mode="json")
    for name, value in settings.items():
        section, _, setting = name.rpartition("__")
        (plain[section] if section else plain)[setting] = value
    return validated(plain)


def contents(study: Study) -> dict[str, str]:
    """What each task of a study depends on, by its name. Tasks of further seeds and candidates have names of theirs."""
    return {name: json.dumps(task.content(), sort_keys=True) for name, task in plan_study(study).items()}


def kinds_changed(study: Study) -> set[str]:
    """The tasks of seed 0 that are not those of `STUDY` any more."""
    before = contents(STUDY)
    return {name for name, each in contents(study).items() if name in before and before[name] != each}


@pytest.mark.parametrize(
    ("settings", "stay", "go"),
    [
        ({"seeds": 3}, "all", ""),
        ({"control": False}, "all", ""),
        ({"walk__permutations": 70}, "train look pair walk0", "walk1"),
        ({"training__epochs": 4}, "base", "candidate1 control"),
        ({"training__patience": 3}, "candidate1 control", "base-seed0"),
        ({"candidates": [[NARROW], [{"widen": "hidden1", "size": 7}]]}, "base control candidate1", "candidate2"),
        ({"candidates": [[{"deepen": "hidden1"}], [NARROW]]}, "base control", "candidate1 candidate2"),
        ({"expansion__shares": "equal"}, "base control look walk", "candidate1-seed0"),
        ({"walk__batch_size": 17}, "train", "look walk pair"),
        ({"walk__surface": 5}, "train walk pair seed1-look", "seed0-look"),
        ({"walk__nodes": 3}, "train walk pair", "look"),
        ({"walk__distinct": True}, "train", "look walk"),
        ({"model__hidden": [5]}, "", "all"),
        ({"data__train_size": 41}, "", "all"),
    ],
    ids=str,
)
def test_a_task_is_another_where_its_numbers_may_be(settings: dict[str, object], stay: str, go: str) -> None:
    """`train` stands for the training of any member, and any other word for the tasks with it in their name."""
    found, names = kinds_changed(changed(**settings)), [*contents(STUDY)]

    def named(word: str) -> set[str]:
        trained = {name for name in names if name.count("-") == 1}
        return {*names} if word == "all" else trained if word == "train" else {n for n in names if word in n}

    for word in stay.split():
        assert not found & named(word), word
    for word in go.split():
        assert found & named(word), word


@pytest.mark.parametrize("section", ["training", "expansion", "walk", "data"])
def test_no_setting_is_forgotten(section: str) -> None:
    """Each that a study has, those too that are added after this test was written, is part of some task."""
    part = getattr(STUDY, section)
    for name, field in type(part).model_fields.items():
        other = part.model_copy(update={name: another(getattr(part, name), field.annotation)})
        found = contents(STUDY.model_copy(update={section: other}))
        assert set(found.items()) - set(contents(STUDY).items()), name


def another(value: object, kind: object) -> object:
    """Another value of a setting of this kind."""
    if get_origin(kind) is Literal:
        return next(each for each in get_args(kind) if each != value)
    if isinstance(value, str):
        return "another"
    if isinstance(value, tuple):
        return (*value, 8)
    return not value if isinstance(value, bool) else value + 1


def test_no_number_depends_on_texts_and_a_key_on_everything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    named = changed(name="another", title="Another", description="d", reproduces="Table 9")
    assert contents(named) == contents(STUDY)
    task = plan_study(STUDY)["candidate1-seed0"]
    key = content.task_key(STUDY, task.content(), ["a"])
    assert len(key) == 16 and key == content.task_key(named, task.content(), ["a"])
    assert content.task_key(STUDY, task.content(), ["b"]) != key, "of another base"
    assert content.task_key(STUDY, task.content(), [""]) == "", "of a base that is not kept"
    for i in range(len(there := content.circumstances())):
        monkeypatch.setattr(content, "circumstances", lambda i=i: [*there[:i], "another", *there[i + 1 :]])
        assert content.task_key(STUDY, task.content(), ["a"]) != key


def test_what_code_of_ones_own_computes_stays_with_its_study(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody notices when it changes between two runs."""

    def mine(model: object, inputs: object, targets: object) -> float:
        return float(parameters(model))

    monkeypatch.setitem(PREDICTORS, "mine", Predictor(name="Mine", definition="1", reference="me", function=mine))
    assert content.task_key(STUDY, plan_study(STUDY)["base-seed0"].content(), []) == ""


@pytest.fixture
def kept(tmp_path: Path) -> SharedOutcomes:
    """Three outcomes of a study; the first was used last."""
    store, shared = Store(tmp_path), SharedOutcomes(tmp_path)
    for i in range(3):
        name, weights = f"base-seed{i}", {"end": {"kernel": np.full(1000, i, np.float32)}}
        store.parts(STUDY).write(name, schema.part(STUDY, {"seed": 0}, base_stop=np.array(i)), weights)
        shared.keep(key(i), store.parts(STUDY).folder / name)
        os.utime(shared.path(key(i)), (i, i))
    shared.used(key(0))
    return shared


def key(i: int) -> str:
    return f"{i:016x}"


def test_an_outcome_stays_as_long_as_either_needs_it(kept: SharedOutcomes) -> None:
    store, other = Store(kept.folder.parent), changed(seeds=7)
    store.parts(STUDY).remove()
    taken = store.parts(other).take("base-seed1", kept.path(key(1)))
    assert kept.trim(0) == 3 and not any(kept.folder.iterdir())
    assert taken.taken and taken.part["base_stop"].item() == 1
    np.testing.assert_array_equal(taken.weights["end"]["kernel"], np.ones(1000))
    again = store.parts(other).read()["base-seed1"]
    assert again.taken and again.checksum == taken.checksum != ""


@pytest.mark.parametrize("name", ["part.nc", "weights.safetensors", "record.json"])
def test_a_damaged_outcome_serves_nobody(kept: SharedOutcomes, name: str) -> None:
    store = Store(kept.folder.parent)
    store.parts(STUDY).remove()
    (kept.path(key(1)) / name).write_bytes(b"gone")
    kept.path(key(2)).rename(kept.path(key(3)))
    for i in (1, 3):
        assert store.parts(STUDY).take("base-seed1", kept.path(key(i))) is None
    assert store.parts(STUDY).read() == {}
    assert [path.name for path in kept.folder.iterdir() if path.name[0] != "."] == [key(0)]


def test_those_not_used_for_longest_go_first(kept: SharedOutcomes, monkeypatch: pytest.MonkeyPatch) -> None:
    Store(kept.folder.parent).parts(STUDY).remove()
    one = max(held.size for held in holdings(Store(kept.folder.parent)))
    assert (kept.trim(4 * one), kept.trim(2 * one)) == (0, 1)
    assert not kept.path(key(1)).exists(), "the first one served a study after it"
    monkeypatch.setenv("LANDSCAPE_KEEP_GB", str(one / 1e9))
    assert (kept.trim(), [path.name for path in kept.folder.iterdir()]) == (1, [key(0)])
    for text in ("much", "-1", "nan", "inf"):
        monkeypatch.setenv("LANDSCAPE_KEEP_GB", text)
        with pytest.raises(ValueError, match="LANDSCAPE_KEEP_GB"):
            budget_bytes()


def test_they_give_way_where_the_disk_is_full(kept: SharedOutcomes) -> None:
    def write(number: int, room: int) -> str:
        if sum(path.is_dir() for path in kept.folder.iterdir()) > room:
            raise Unwritable("full") from OSError(number, os.strerror(number))
        return "written"

    with pytest.raises(Unwritable):
        kept.giving_way(lambda: write(errno.EACCES, 2))
    assert kept.giving_way(lambda: write(errno.ENOSPC, 3)) == "written" and kept.path(key(0)).exists()
    assert kept.giving_way(lambda: write(errno.ENOSPC, 2)) == "written" and not kept.path(key(0)).exists()
    with pytest.raises(Unwritable):
        kept.giving_way(lambda: write(errno.ENOSPC, -1))


def test_the_cache_lists_and_prunes_them(kept: SharedOutcomes) -> None:
    store = Store(kept.folder.parent)
    sizes = [held.size for held in holdings(store) if held.kind in ("task", "unfinished")]
    on_disk = {file.stat().st_ino: file.stat().st_size for file in kept.folder.parent.rglob("*") if file.is_file()}
    assert sum(sizes) == pytest.approx(sum(on_disk.values()), abs=10), "what has two names counts once"
    assert all(remove(held) for held in holdings(store) if held.kind == "task")
    assert [*store.parts(STUDY).read()] == [f"base-seed{i}" for i in range(3)]
