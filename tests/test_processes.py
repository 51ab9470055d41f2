"""A study on every core: how many processes share it, side by side, and that no number depends on them."""

from __future__ import annotations

import importlib
import os
import signal
import threading
from functools import partial
from multiprocessing import Pipe
from pathlib import Path
from threading import Event
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import xarray as xr
from waiting import PATIENCE

from landscape.cli.parser import main, parser
from landscape.jobs.attempt import Attempt, WorkerDied
from landscape.jobs.background.client import Jobs
from landscape.jobs.guard import fits
from landscape.jobs.guard.private import private_folder
from landscape.jobs.local import computed
from landscape.jobs.plan import Task, plan_study
from landscape.jobs.processes import capacity, pool, programs, worker
from landscape.jobs.progress import StudyUpdate, Update
from landscape.jobs.tasks.names import kind_of
from landscape.jobs.tasks.outcome import Outcome
from landscape.jobs.threads import Stopped, side_by_side
from landscape.store.results import Store
from landscape.store.sealed import Unwritable
from landscape.study import Study, schema, validated
from landscape.study.presets import preset

SMALL, LARGE = preset("digits-mlp"), preset("cnn-cifar10-paper")


def study(**changes: object) -> Study:
    content = {
        "name": "tiny",
        "data": {"train_size": 120, "validation_size": 100},
        "model": {"kind": "mlp", "hidden": [5]},
        "candidates": [[{"widen": "hidden1", "size": 6}]],
        "training": {"batch_size": 60, "base_epochs": 2, "epochs": 1},
        "walk": {"group": "hidden1", "permutations": 4, "batch_size": 60, "nodes": 2},
        "seeds": 2,
    }
    return validated(content | changes)


def ignore(update: Update) -> None:
    """An `on_update` that nobody needs."""


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight cores and 16 GiB."""
    monkeypatch.setattr(capacity, "cores", lambda: 8)
    monkeypatch.setattr(capacity, "memory", lambda: 16 * 2**30)


def test_small_networks_get_a_core_each_and_large_ones_all_cores(machine: None) -> None:
    assert capacity.at_once(SMALL) == 8 and capacity.at_once(LARGE) == 1
    assert capacity.at_once(study(seeds=1)) == 3, "never more than there are networks: base, candidate, control"
    wide = {"model": {"kind": "mlp", "hidden": [2000]}, "candidates": [[{"widen": "hidden1", "size": 2100}]]}
    between = study(**wide, data={"train_size": 1000}, training={"batch_size": 500}, seeds=9)
    assert capacity.at_once(between) == 8 // int(3 * 500 * (64 + 10) * 2100 / capacity.CORE) == 2


def test_memory_counts(machine: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(capacity.tags()) == 8
    monkeypatch.setattr(capacity, "memory", lambda: 3 * capacity.PROCESS)
    assert capacity.at_once(SMALL) == 2 and capacity.tags() == [{}]


def test_a_process_is_started_where_it_saves_more_than_it_costs(machine: None) -> None:
    assert [capacity.worth(SMALL, expected) for expected in (1.0, 25.0, 1000.0, None)] == [1, 3, 8, 8]


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", "", "1025"])
def test_a_wrong_number_of_processes_is_named(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["run", "digits-mlp", "--workers", text])
    assert f"--workers: must be a whole number from 1 to 1024 (given {text!r})" in capsys.readouterr().err


def test_processes_are_no_matter_for_a_scheduler(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["run", "digits-mlp", "--workers", "2", "--scheduler", "tcp://127.0.0.1:1"])
    assert "not allowed with" in capsys.readouterr().err


def test_two_tasks_run_at_the_same_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Two that wait for each other both run, each in a process of its own; all processes are ended."""
    meeting, ended = threading.Barrier(2, timeout=PATIENCE), []

    class Process:
        def __init__(self, number: int) -> None:
            assert number == 2

        def run(self, attempt: Attempt, name: str, *others: object) -> Outcome:
            if name in ("base-seed0", "base-seed1"):
                meeting.wait()
            return Outcome(xr.Dataset(), {})

        def end(self) -> None:
            ended.append(self)

    monkeypatch.setattr(pool, "WorkerProcess", Process)
    asked, arrived = study(), dict[str, Outcome]()
    planned = plan_study(asked)
    for name, outcome in pool.on_processes(2, Attempt(asked, Store(tmp_path)), ignore, planned, arrived):
        arrived[name] = outcome
    assert arrived.keys() == planned.keys() and len({*ended}) == 2


def test_tasks_that_run_the_same_programs_stay_at_one_place() -> None:
    """As long as there are others to run; two kinds of four tasks each, in step."""
    step, where = threading.Barrier(2, timeout=PATIENCE), dict[tuple[str, str], set[int]]()

    def run(place: int, name: str, *others: object) -> Outcome:
        step.wait()
        where.setdefault(kind_of(name), set()).add(place)
        return Outcome(xr.Dataset(), {})

    planned = {f"{member}-seed{seed}": Task(run) for seed in range(4) for member in ("base", "candidate1")}
    assert len([*side_by_side([0, 1], run, planned, {}, kind_of)]) == len(planned)
    assert len(where) == 2 and set[int]().union(*where.values()) == {0, 1} and not set.intersection(*where.values())


@pytest.mark.slow
def test_two_processes_compute_the_numbers_of_one(tmp_path: Path) -> None:
    heard: list[Update] = []
    datasets = [
        computed(study(), Store(tmp_path / str(workers)), heard.append, workers)[0].drop_vars(schema.TIMES)
        for workers in (2, 1)
    ]
    assert datasets[0].drop_attrs(deep=False).identical(datasets[1].drop_attrs(deep=False))
    of_two = [update for update in heard if isinstance(update, StudyUpdate)][: len(heard) // 2]
    assert [update.parts for update in of_two][:3] == [0, 1, 2]


@pytest.mark.slow
def test_errors_come_back_and_a_process_that_died_is_named(tmp_path: Path) -> None:
    attempt, process = Attempt(study(), Store(tmp_path)), pool.WorkerProcess(1)
    try:
        with pytest.raises(KeyError, match="no such task"):
            process.run(attempt, "no such task", [], ignore, Event())
        stop = Event()
        stop.set()
        with pytest.raises(Stopped):
            process.run(attempt, "base-seed0", [], ignore, stop)
        os.kill(process._process.pid, signal.SIGKILL)
        with pytest.raises(WorkerDied, match="killed, or out of memory"):
            process.run(attempt, "base-seed0", [], ignore, Event())
    finally:
        process.end()


SILENT = """
import os, signal
from pathlib import Path

def serve(tasks, number):
    _, name, _ = tasks.recv()
    stopped = Path(__file__).with_name("stopped")
    if name == "hangs" or not stopped.exists():
        stopped.touch()
        os.kill(os.getpid(), signal.SIGSTOP)
    tasks.send(name)
"""


class OnceItStandsStill:
    """The number of looks in a row after which a process counts as hung: five, once it is stopped."""

    def __init__(self, worker: pool.WorkerProcess):
        self._worker = worker

    def __gt__(self, silent: int) -> bool:
        stopped = psutil.Process(self._worker._process.pid).status() == psutil.STATUS_STOPPED
        return silent < 5 or not stopped


def test_a_process_that_stands_still_is_replaced_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Two that hang at the same task are taken for its fault."""
    (tmp_path / "silent.py").write_text(SILENT)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(pool, "serve", importlib.import_module("silent").serve)
    asked, process = SimpleNamespace(study=study()), pool.WorkerProcess(1)
    monkeypatch.setattr(pool, "LOOKS", OnceItStandsStill(process))  # before, it may start for long
    try:
        first = process._process
        assert process.run(asked, "base-seed0", [], ignore, Event()) == "base-seed0"
        assert not first.is_alive() and process._process.is_alive()
        assert [record.getMessage() for record in caplog.records] == [
            "A process that computed hung and is replaced. It starts again: Training the base, seed 1 of 2"
        ]
        process.end()
        process._start()
        with pytest.raises(WorkerDied, match=r"hung 2 times in a row: hangs\. What is finished is kept"):
            process.run(asked, "hangs", [], ignore, Event())
    finally:
        process.end()


def test_a_process_that_computes_for_long_gives_signs_of_life(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ours, theirs = Pipe()
    monkeypatch.setattr(worker, "PERIOD", 0.01)
    enough = threading.Event()
    monkeypatch.setattr(worker, "_outcome", lambda *given: enough.wait(PATIENCE) and "outcome")
    thread = threading.Thread(target=worker.serve, args=(theirs, 1))
    thread.start()
    ours.send((Attempt(study(), Store(tmp_path)), "base-seed0", []))
    assert [ours.recv() for _ in range(3)] == 3 * [worker.SignOfLife()]
    enough.set()
    assert {*iter(ours.recv, "outcome")} <= {worker.SignOfLife()}
    if ours.poll(0.1):  # one that was on its way when the task ended
        assert ours.recv() == worker.SignOfLife()
    assert not ours.poll(0.1), "none without a task"
    ours.close()
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_an_error_that_cannot_travel_is_sent_as_text() -> None:
    class Strange(Exception):
        """Of a class that another process cannot find."""

    assert str(worker._portable(Strange("no luck"))) == "Strange: no luck"
    assert isinstance(worker._portable(ValueError("no luck")), ValueError)


def test_code_of_ones_own_stays_in_this_process(tmp_path: Path) -> None:
    own = study().model_copy(update={"model": preset("digits-mlp").model.model_copy()})
    object.__setattr__(own, "model", Refusing())
    with pytest.raises(ValueError, match="code of one's own"):
        computed(own, Store(tmp_path), ignore, 2)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"data": {"train_size": 59, "validation_size": 9}}, "walk.batch_size = 60 is larger than the 59 training"),
        ({"data": {"validation_size": 1750}}, "walk.batch_size = 60 is larger than the 47 training"),
        ({"data": {"train_size": 1790}}, "digits has 1797 examples; 1790 for training and 500 for validation"),
        ({"training": {"batch_size": 121}}, "training.batch_size = 121 is larger than the 120 training"),
        ({"walk": {"group": "hidden1", "batch_size": 121}}, "walk.batch_size = 121 is larger than the 120 training"),
        (
            {"walk": {"group": "hidden1", "batch_size": 9, "batches": [500]}},
            "walk.batches = 500 is larger than the 120",
        ),
        ({"model": {"kind": "mlp", "hidden": [5, *[90_000] * 20]}}, "tiny needs at least .* of memory, and this comp"),
        ({"seeds": 300}, r"tiny keeps 3.0 MB of checkpoints until it is finished, .* has room for 1.0 MB: lower"),
    ],
)
def test_what_the_specification_alone_rules_out_is_refused_before_anything_starts(
    changes: dict[str, object], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("landscape.jobs.local.require_computing", lambda: pytest.fail("it has started"))
    monkeypatch.setattr("landscape.jobs.background.engine.started", lambda root: pytest.fail("an engine has started"))
    monkeypatch.setattr(fits, "free_bytes", lambda root: 1e6)
    for start in (partial(computed, store=Store(tmp_path), on_update=ignore), Jobs(Store(tmp_path)).submit):
        with pytest.raises(ValueError, match=told):
            start(study(**changes))
    assert not any(tmp_path.iterdir())


def test_what_is_kept_already_needs_no_room_and_what_serves_others_gives_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that lies on the disk under two names counts once."""
    asked, store = study(), Store(tmp_path)
    need = fits.footprint(asked).disk
    monkeypatch.setattr(fits, "free_bytes", lambda root: need - 3000)
    assert fits.lack_of_disk(asked, store) == (need, need - 3000)
    part = schema.part(asked, {"seed": 0}, base_stop=np.array(1))
    store.parts(asked).write("base-seed0", part, {})
    kept = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    assert fits.lack_of_disk(asked, store) == (need, need - 3000 + kept)
    Attempt(asked, store).shared.keep("0" * 16, store.parts(asked).folder / "base-seed0")
    (record,) = tmp_path.glob(".tasks/*/record.json")
    assert fits.lack_of_disk(asked, store) == (need, need - 3000 + kept + record.stat().st_size)
    record.write_bytes(bytes(3000))
    assert fits.lack_of_disk(asked, store) is None


class Refusing:
    refusal = "it runs code of one's own"


def test_programs_lie_in_a_folder_of_the_user_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    found = programs.environment(tmp_path)
    folder = Path(found["JAX_COMPILATION_CACHE_DIR"])
    assert folder.parent == tmp_path / ".compiled" and "TF_CPP_MIN_LOG_LEVEL" not in found, "what a user set stays"
    assert {path.stat().st_mode & 0o777 for path in (folder, folder.parent)} == {0o700}
    (tmp_path / "file").write_text("no folder")
    assert programs.environment(tmp_path / "file") == {}


def test_programs_of_another_number_of_cores_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = set()
    for cores in (1, 2):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, cores=cores: set(range(cores)))
        folders.add(programs._processor())
    assert len(folders) == 2


def test_programs_used_longest_ago_go_first(tmp_path: Path) -> None:
    for i, name in enumerate("abc"):
        (tmp_path / name).write_bytes(bytes(10))
        os.utime(tmp_path / name, (i, i))
    programs._keep_below(tmp_path, 25)
    assert sorted(os.listdir(tmp_path)) == ["b", "c"]


def test_a_folder_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "planted").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Unwritable, match="is a link"):
        private_folder(tmp_path / "planted")
