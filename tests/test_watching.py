"""The command that watches what is computed in the background."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from landscape.cli.parser import main
from landscape.jobs.background.client import Jobs
from landscape.jobs.progress import Progress
from landscape.store import places
from landscape.store.parts.kept import STUDY
from landscape.store.parts.pauses import pause
from landscape.store.results import Store
from landscape.store.upkeep import holdings
from landscape.study import Study, schema
from landscape.study.presets import preset

KEYS = [preset(name).key for name in ("digits-mlp", "tinybert", "minibert")]
KNOWN = {
    KEYS[0]: Progress("running", "Training the base, seed 1 of 10: epoch 3 of 200", 0.25, left=61.0, device="a GPU"),
    KEYS[1]: Progress("waiting", "Starting"),
    KEYS[2]: Progress("failed", "failed", 0.5, error="OSError: no space", lines="in write\nOSError"),
}


class Engine:
    """What `connect` would return."""

    def __init__(self, known: dict[str, Progress]):
        self.found, self.cancelled, self.paused, self.submitted, self.closed = known, "", "", "", False

    def known(self) -> dict[str, Progress]:
        return self.found

    def cancel(self, key: str) -> None:
        self.cancelled = key

    def pause(self, key: str) -> None:
        self.paused = key

    def submit(self, study: Study, expected: float) -> None:
        self.submitted = study.key

    def close(self) -> None:
        self.closed = True


@pytest.fixture(autouse=True)
def nothing_shipped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Else a study that is shipped one day would be finished here."""
    monkeypatch.setattr(places, "GALLERY", tmp_path / "no gallery")


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    made = Engine(KNOWN)
    monkeypatch.setattr("landscape.jobs.background.client.connect", lambda cache, address: made)
    return made


def test_each_study_is_shown_with_its_state(engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["jobs", "--cache", str(tmp_path)]) == 0 and engine.closed
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split() == ["name", "key", "state", "done", "left", "device", "doing"]
    assert [line.split()[0] for line in lines[:3]] == ["digits-mlp", "tinybert", "minibert"]
    assert "25%" in lines[0] and "1 min 01 s" in lines[0] and "epoch 3 of 200" in lines[0]
    assert "a GPU" in lines[0] and "?" in lines[1] and lines[2].endswith("OSError: no space")
    assert lines[-3].startswith("The last lines of minibert") and lines[-2:] == ["in write", "OSError"]
    assert main(["jobs", "--json", "--cache", str(tmp_path)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(each["key"], each["fraction"]) for each in found] == list(zip(KEYS, (0.25, 0.0, 0.5), strict=True))


def test_a_study_is_cancelled_by_its_name(engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    for name in ("digits-mlp", KEYS[0][:6]):
        engine.cancelled = ""
        assert main(["jobs", "--cancel", name, "--cache", str(tmp_path)]) == 0 and engine.cancelled == KEYS[0]
    for name in ("minibert", "nothing", KEYS[0][:3]):
        assert main(["jobs", "--cancel", name, "--cache", str(tmp_path)]) == 2
        assert f"running: digits-mlp ({KEYS[0]})" in capsys.readouterr().err


def test_a_study_is_paused_and_goes_on(engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """What goes on is what something is kept of, whether an engine knows it or not."""
    study = preset("minibert")
    assert main(["jobs", "--pause", "digits-mlp", "--cache", str(tmp_path)]) == 0 and engine.paused == KEYS[0]
    assert main(["jobs", "--resume", "minibert", "--cache", str(tmp_path)]) == 2
    assert "names no study that is unfinished" in capsys.readouterr().err and engine.submitted == ""
    part = schema.part(study, {"seed": 0}, base_stop=np.array(1))
    Store(tmp_path).parts(study).write("base-seed0", part, {})
    assert main(["jobs", "--resume", "minibert", "--cache", str(tmp_path)]) == 0 and engine.submitted == KEYS[2]


def test_a_study_that_has_no_outcome_yet_goes_on(engine: Engine, tmp_path: Path) -> None:
    """It was paused, or killed, during its first task. What is no description of it names no study."""
    parts = Store(tmp_path).parts(preset("minibert"))
    parts.note_study()
    assert Store(tmp_path).begun() == [preset("minibert")] and [each.name for each in holdings(Store(tmp_path))] == [
        "minibert"
    ]
    assert main(["jobs", "--resume", "minibert", "--cache", str(tmp_path)]) == 0 and engine.submitted == KEYS[2]
    assert not [path for path in parts.folder.iterdir() if path.name.startswith(".tmp")]
    for text in ("{", "[]", "[" * 10**5, json.dumps(preset("tinybert").model_dump(mode="json")), "\0"):
        (parts.folder / STUDY).write_text(text)
        assert Store(tmp_path).begun() == []


def test_a_paused_study_is_listed_without_an_engine(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """As long as nobody computes it again."""
    parts = Store(tmp_path).parts(preset("minibert"))
    parts.write("base-seed0", schema.part(parts.study, {"seed": 0}, base_stop=np.array(1)), {})
    pause(parts.folder, 0.25)
    assert main(["jobs", "--cache", str(tmp_path)]) == 0
    (row,) = capsys.readouterr().out.splitlines()[1:]
    assert row.split() == ["minibert", KEYS[2], "paused", "25%", "?", "paused"] and not (tmp_path / ".engine").exists()
    with parts.sole_computation():
        assert Jobs(Store(tmp_path)).known() == {}


def test_where_no_engine_runs_there_is_nothing(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["jobs", "--cache", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "Nothing is being computed in the background.\n"
    assert list(tmp_path.iterdir()) == [], "and none is started"
