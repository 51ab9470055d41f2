"""Computing beside the app: one computation for all who ask, progress, cancel, resume, failure.

Most tests run invented tasks on a Dask cluster inside this process; the last ones run the real engine.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import distributed.comm
import numpy as np
import psutil
import pytest
import xarray as xr
from distributed import Client, LocalCluster, Worker, get_worker, wait
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st
from waiting import PATIENCE, ended, eventually, until

from landscape.cli.parser import main
from landscape.jobs import resume
from landscape.jobs.attempt import Asker, Attempt
from landscape.jobs.background import engine, worker
from landscape.jobs.background.client import Jobs, connect
from landscape.jobs.background.names import folder_name, identity, task_key
from landscape.jobs.guard import alike, credentials, passing_over
from landscape.jobs.guard.private import private_folder
from landscape.jobs.local import run
from landscape.jobs.plan import Task, plan_study
from landscape.jobs.processes import capacity
from landscape.jobs.progress import (
    STARTUP,
    Meter,
    OnActivity,
    Progress,
    StudyUpdate,
    Tally,
    TaskUpdate,
    Update,
)
from landscape.jobs.tasks.names import task_in_words
from landscape.jobs.tasks.outcome import Outcome
from landscape.jobs.threads import on_devices
from landscape.store import partial as stored_parts
from landscape.store import places, results
from landscape.store.places import children
from landscape.store.sealed import Unwritable
from landscape.study import Study, from_toml, schema, validated
from landscape.study.presets import preset

pytestmark = [pytest.mark.slow, pytest.mark.compiled_quickly]

SEEDS = 4


def study(**changes: object) -> Study:
    content = {
        "name": "tiny",
        "data": {"train_size": 120, "validation_size": 100},
        "model": {"kind": "mlp", "hidden": [5]},
        "candidates": [[{"widen": "hidden1", "size": 6}]],
        "training": {"batch_size": 60, "base_epochs": 2, "epochs": 1},
        "walk": {"group": "hidden1", "permutations": 4, "batch_size": 60, "nodes": 2},
        "seeds": SEEDS,
    }
    return validated(content | changes)


def ignore(update: Update) -> None:
    """An `on_update` that nobody needs."""


class Script:
    """What the invented tasks do, and which of them ran, over all attempts."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.go = threading.Event()  # tasks of seed 1 and more wait for it, reporting all the time
        self.error: Exception | None = None  # raised by the task of seed 1


SCRIPT = Script()  # tasks find it here, as they come to the worker by name


def chain(study: Study, divisions: int = 1, first: int = 0) -> dict[str, Task]:
    """One task a seed, each of which adds 1 to the number that the one before gives it."""
    names = [f"seed{seed}" for seed in range(study.seeds)]
    return {
        name: Task(partial(link, seed), tuple(names[max(0, seed - 1) : seed]), 1.0 + seed)
        for seed, name in enumerate(names)
    }


def running(jobs: Jobs) -> list[str]:
    return [key for key, progress in jobs.known().items() if progress.active]


def link(seed: int, *earlier: Outcome, on_activity: OnActivity) -> Outcome:
    SCRIPT.ran.append(f"seed{seed}")
    if seed == 1 and SCRIPT.error:
        raise SCRIPT.error
    while seed and not SCRIPT.go.is_set():
        on_activity(f"seed {seed}: waiting", 1, 2)
        time.sleep(0.02)
    before = earlier[0].weights["end"]["number"] if earlier else np.zeros(1)
    part = xr.Dataset({"base_stop": ("seed", before)}, {"seed": [seed]})
    return Outcome(part, {"end": {"number": before + 1}})


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Script:
    monkeypatch.setattr(resume, "plan_study", chain)
    monkeypatch.setattr(sys.modules[__name__], "SCRIPT", Script())
    monkeypatch.setattr(places, "GALLERY", tmp_path / "no gallery")
    return SCRIPT


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A cluster with one worker of one thread, as a machine with one device."""
    with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, protocol="tcp", dashboard_address=None, silence_logs=50
    ) as cluster:
        yield cluster.scheduler_address


@pytest.fixture
def client(address: str, tmp_path: Path) -> Iterator[Callable[[], Jobs]]:
    """Makes clients of one cache folder, as different processes would."""
    made: list[Jobs] = []

    def make() -> Jobs:
        made.append(connect(tmp_path / "cache", address))
        return made[-1]

    yield make
    for jobs in made:
        jobs.close()


def running_second(progress: Progress) -> bool:
    return progress.parts == 1 and ": seed 1: waiting" in progress.activity


def expected(study: Study) -> np.ndarray:
    return np.arange(study.seeds, dtype=np.float32)


def test_study_is_computed_and_stored(script: Script, client: Callable[[], Jobs]) -> None:
    jobs, asked = client(), study()
    assert jobs.progress(asked.key) is None and running(jobs) == []
    script.go.set()
    jobs.submit(asked)
    assert jobs.progress(asked.key).active
    done = until(jobs, asked.key, ended)
    assert (done.state, done.fraction, done.parts, done.left) == ("done", 1.0, SEEDS, 0.0)
    dataset = jobs.store.read(asked.key)
    np.testing.assert_array_equal(dataset.base_stop, expected(asked))
    assert schema.study_of(dataset) == asked
    record = jobs.store.entry(asked.key).record
    assert {"device", "seconds", "computed", "versions"} <= set(record)
    noted = {name: dataset.attrs[name] for name in ("device", "seconds", "computed")}
    assert noted == {name: record[name] for name in noted}
    assert json.loads(dataset.attrs["versions"]) == record["versions"]
    assert jobs.store.parts(asked).read() == {}
    assert running(jobs) == []
    assert script.ran == [f"seed{seed}" for seed in range(SEEDS)]


def test_stored_study_is_not_computed(script: Script, client: Callable[[], Jobs]) -> None:
    script.go.set()
    run(study(), client().store.root)
    jobs = client()
    jobs.submit(study())
    assert jobs.progress(study().key).state == "done"
    assert script.ran == [f"seed{seed}" for seed in range(SEEDS)]


def test_two_clients_share_one_computation(script: Script, client: Callable[[], Jobs]) -> None:
    first, second, key = client(), client(), study().key
    first.submit(study())
    until(first, key, running_second)
    second.submit(study())
    seen = until(second, key, running_second)
    late = until(client(), key, running_second)  # one that never asked, and came in the middle
    assert 0 < seen.fraction == late.fraction < 1
    assert running(second) == [key]
    script.go.set()
    assert until(first, key, ended).state == until(second, key, ended).state == "done"
    assert script.ran == [f"seed{seed}" for seed in range(SEEDS)]


def test_ten_sessions_that_ask_at_once_share_one_computation(script: Script, client: Callable[[], Jobs]) -> None:
    """Of five servers, at each of which two ask in the same moment."""
    servers, key, moment = [client() for _ in range(5)], study().key, threading.Barrier(10, timeout=PATIENCE)

    def ask(jobs: Jobs) -> None:
        moment.wait()
        jobs.submit(study())

    with ThreadPoolExecutor(10) as sessions:
        list(sessions.map(ask, [*servers, *servers]))
    script.go.set()
    assert {until(jobs, key, ended).state for jobs in servers} == {"done"}
    assert script.ran == [f"seed{seed}" for seed in range(SEEDS)]


def test_one_scheduler_computes_a_study_for_each_folder_that_asks(
    script: Script, client: Callable[[], Jobs], address: str, tmp_path: Path
) -> None:
    first, second = client(), connect(tmp_path / "another", address)
    try:
        first.submit(study())
        until(first, study().key, running_second)
        assert second.progress(study().key) is None
        second.submit(study())
        script.go.set()
        for jobs in (first, second):
            assert until(jobs, study().key, ended).state == "done"
            assert study().key in jobs.store
        assert sorted(script.ran) == sorted(2 * [f"seed{seed}" for seed in range(SEEDS)])
    finally:
        second.close()


def test_partial_results_arrive(script: Script, client: Callable[[], Jobs]) -> None:
    jobs = client()
    jobs.submit(study())
    until(jobs, study().key, running_second)
    np.testing.assert_array_equal(jobs.store.partial(study()).base_stop, [0, *[np.nan] * (SEEDS - 1)])
    jobs.cancel(study().key)
    until(jobs, study().key, ended)


def test_cancel_stops_and_what_is_done_is_used_again(script: Script, client: Callable[[], Jobs]) -> None:
    jobs, key = client(), study().key
    jobs.submit(study())
    until(jobs, key, running_second)
    client().cancel(key)  # whoever asks
    assert until(jobs, key, ended).state == "cancelled"
    assert list(jobs.store.parts(study()).read()) == ["seed0"]
    assert key not in jobs.store and running(jobs) == []
    script.go.set()
    jobs.submit(study())
    assert until(jobs, key, ended).state == "done"
    assert sorted(script.ran) == ["seed0", "seed1", "seed1", "seed2", "seed3"]
    np.testing.assert_array_equal(jobs.store.read(key).base_stop, expected(study()))


def test_a_paused_study_goes_on_where_it_stopped(script: Script, client: Callable[[], Jobs], address: str) -> None:
    jobs, key = client(), study().key
    jobs.submit(study())
    until(jobs, key, running_second)
    client().pause(key)
    assert until(jobs, key, ended)[:2] == ("paused", "paused")
    later = Jobs(jobs.store)  # once the scheduler has ended
    assert later.known().keys() == {key} and later.known()[key].state == "paused" and later.known()[key].fraction > 0
    script.go.set()
    assert main(["jobs", "--resume", "tiny", "--scheduler", address, "--cache", str(jobs.store.root)]) == 0
    assert until(jobs, key, ended).state == "done"
    assert sorted(script.ran) == ["seed0", "seed1", "seed1", "seed2", "seed3"]
    assert Jobs(jobs.store).known() == {}


def test_a_study_paused_before_its_first_task_goes_on(
    script: Script, client: Callable[[], Jobs], address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever comes after the scheduler has ended knows its name, too."""
    jobs, other = client(), study(seeds=SEEDS + 1, name="other")
    jobs.submit(study())
    until(jobs, study().key, running_second)
    jobs.submit(other)
    client().pause(other.key)
    assert until(jobs, other.key, ended).state == "paused"
    assert main(["jobs", "--cache", str(jobs.store.root)]) == 0
    assert re.search(rf"other +{other.key} +paused +0%", capsys.readouterr().out)
    script.go.set()
    assert main(["jobs", "--resume", "other", "--scheduler", address, "--cache", str(jobs.store.root)]) == 0
    for key in (study().key, other.key):
        assert until(jobs, key, ended).state == "done"
    assert [each for each in children(jobs.store.root / results.PARTS) if each.is_dir()] == []


def test_a_task_comes_back_before_those_that_began_after_it(script: Script, client: Callable[[], Jobs]) -> None:
    """It steps aside while another study is planned, one of whose tasks then waits in the thread."""
    jobs, other = client(), study(seeds=SEEDS + 1, name="other")
    jobs.submit(study())
    until(jobs, study().key, running_second)
    jobs.submit(other)
    until(jobs, other.key, lambda progress: progress.activity.startswith("Waiting for tasks"))
    assert "seed 1: waiting" in until(jobs, study().key, running_second).activity
    assert script.ran == ["seed0", "seed1"]
    script.go.set()
    for key in (study().key, other.key):
        assert until(jobs, key, ended).state == "done"


def test_a_small_study_does_not_wait_for_a_large_one(script: Script, client: Callable[[], Jobs]) -> None:
    """A task of the large one steps aside with what it has in memory, and goes on afterwards."""
    jobs, large, small = client(), study(walk=study().walk.model_dump() | {"permutations": 10**5}), study(seeds=1)
    jobs.submit(large)
    until(jobs, large.key, running_second)
    jobs.submit(small)
    assert until(jobs, small.key, ended).state == "done"
    assert jobs.progress(large.key).active and script.ran == ["seed0", "seed1", "seed0"]
    assert "seed 1: waiting" in until(jobs, large.key, running_second).activity
    script.go.set()
    assert until(jobs, large.key, ended).state == "done"
    assert script.ran[3:] == ["seed2", "seed3"]


def test_a_study_that_steps_aside_is_cancelled_at_once(script: Script, client: Callable[[], Jobs]) -> None:
    """While one with less work runs, or both wait for the only thread."""
    jobs, large, small = client(), study(walk=study().walk.model_dump() | {"permutations": 10**5}), study(seeds=2)
    jobs.submit(large)
    until(jobs, large.key, running_second)
    jobs.submit(small)
    until(jobs, small.key, running_second)
    jobs.cancel(large.key)
    assert until(jobs, large.key, ended).state == "cancelled"
    script.go.set()
    assert until(jobs, small.key, ended).state == "done"


def test_start_again_while_stopping(script: Script, client: Callable[[], Jobs]) -> None:
    """The new attempt is not ended by the end of the old one."""
    jobs, key = client(), study().key
    jobs.submit(study())
    until(jobs, key, running_second)
    jobs.cancel(key)
    assert jobs.progress(key).activity in ("Stopping", "cancelled")
    script.go.set()
    jobs.submit(study())
    assert until(jobs, key, ended).state == "done"


def test_waiting_study_is_cancelled_at_once(script: Script, client: Callable[[], Jobs]) -> None:
    jobs, other = client(), study(seeds=SEEDS + 1)
    jobs.submit(study())
    until(jobs, study().key, running_second)
    jobs.submit(other)
    assert jobs.progress(other.key).active
    jobs.cancel(other.key)
    assert until(jobs, other.key, ended).state == "cancelled"
    assert jobs.progress(study().key).active
    script.go.set()
    assert until(jobs, study().key, ended).state == "done"


def test_failure_is_named_and_the_engine_goes_on(script: Script, client: Callable[[], Jobs]) -> None:
    jobs, key = client(), study().key
    script.go.set()
    script.error = ValueError("batch_size = 60 is too much")
    jobs.submit(study())
    failed = until(jobs, key, ended)
    assert failed.state == "failed" and "ValueError: batch_size = 60 is too much" in failed.error
    assert "in link" in failed.lines and failed.device
    assert key not in jobs.store
    script.error = None
    jobs.submit(study())
    done = until(jobs, key, ended)
    assert done.state == "done", done.error
    assert script.ran.count("seed0") == 1


def test_a_worker_with_other_versions_or_another_folder_is_refused_in_words(
    script: Script, client: Callable[[], Jobs], monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs, key = client(), study().key
    for there, said in (
        ({"landscape": "0.0.1"}, r"has landscape .*, and landscape 0\.0\.1 asked for the study: all need the same v"),
        ({"jax": "0.0.1", "no such library": "1"}, r"has jax .*, and jax 0\.0\.1 asked"),
        (alike.versions_here(), f"does not see the cache folder {jobs.store.root}: all need the same folder"),
    ):
        monkeypatch.setattr(alike, "asker", lambda attempt, there=there: Asker(there, noted=True))
        jobs.submit(study())
        failed = until(jobs, key, ended)
        assert failed.state == "failed" and re.search(f"the worker tcp://.* {said}", failed.error)
    assert script.ran == []
    monkeypatch.setattr(alike, "asker", lambda attempt: Asker({}, noted=False))
    script.go.set()
    jobs.submit(study())
    assert until(jobs, key, ended).state == "done"


def test_an_unfit_worker_is_passed_over_and_one_that_joins_is_not(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Among others it is left out from its first refusal on; alone it makes nothing fail that is begun."""
    asked, told, key = list[str](), "the worker has jax 0.0.1", study().key

    def difference(attempt: Attempt) -> str:
        asked.append(get_worker().name)
        return told if asked[-1] == asked[0] else ""  # whoever is asked first is unfit

    async def joined(name: str) -> Worker:
        return await Worker(cluster.scheduler_address, nthreads=1, name=name, dashboard=False)

    monkeypatch.setattr(passing_over, "difference", difference)
    with LocalCluster(n_workers=0, processes=False, protocol="tcp", dashboard_address=None, silence_logs=50) as cluster:
        workers = {name: cluster.sync(joined, name) for name in ("a", "b")}
        jobs = connect(tmp_path / "cache", cluster.scheduler_address)
        jobs.submit(study())
        assert {*until(jobs, key, running_second).refused.values()} == {told} and {*asked} == {"a", "b"}
        assert main(["jobs", "--cache", str(jobs.store.root), "--scheduler", cluster.scheduler_address]) == 0
        assert f"tiny ({key}) passes a worker over: {told}" in capsys.readouterr().out
        unfit = workers.pop(asked[0])
        cluster.sync(workers.popitem()[1].close, executor_wait=False)
        assert "Waiting for another worker" in until(jobs, key, lambda progress: bool(progress.trouble)).activity
        script.go.set()
        late = cluster.sync(joined, "late")
        assert until(jobs, key, ended).state == "done"
        np.testing.assert_array_equal(jobs.store.read(key).base_stop, expected(study()))
        jobs.close()
        for each in (unfit, late):
            cluster.sync(each.close)


def test_unwritable_folder_is_named(script: Script, client: Callable[[], Jobs]) -> None:
    jobs = client()
    jobs.store.root.write_text("a file")
    script.go.set()
    jobs.submit(study())
    failed = until(jobs, study().key, ended)
    assert failed.state == "failed" and str(jobs.store.root) in failed.error


def test_damaged_result_is_computed_again(script: Script, client: Callable[[], Jobs], address: str) -> None:
    """Even while Dask still has a task of the first computation in its memory."""
    jobs, key = client(), study().key
    jobs.submit(study())
    until(jobs, key, running_second)
    first = task_key("seed0", identity(folder_name(jobs.store.root), key, 0))
    with Client(address, set_as_default=False) as other:
        held = other.submit(int, key=first)  # not run: it is there
        wait(held, timeout=60)
        script.go.set()
        for _ in range(2):
            jobs.submit(study())
            told = until(jobs, key, lambda progress: ended(progress) and key in jobs.known())  # not by its result alone
            assert told.state == "done"
            entry = jobs.store.entry(key)
            entry.path.write_bytes(entry.path.read_bytes()[:-1])
        assert script.ran == 2 * [f"seed{seed}" for seed in range(SEEDS)]
        assert held.status == "finished"


def test_local_run_resumes_and_survives_a_full_disk(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    script.go.set()
    script.error = KeyError("first time")
    with pytest.raises(KeyError):
        run(study(), cache)
    script.error = None
    with monkeypatch.context() as full:
        full.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, os.strerror(28))))
        with pytest.warns(UserWarning, match=f"not stored: cannot write to {cache}: No space left"):
            dataset = run(study(), cache)
    np.testing.assert_array_equal(dataset.base_stop, expected(study()))
    assert script.ran == ["seed0", "seed1", "seed1", "seed2", "seed3"]


DEVICES = """
import json, sys
import jax, numpy as np, xarray as xr
from landscape.jobs.local import run
from landscape.study import validated
assert jax.local_device_count() == int(sys.argv[2])
run(validated(json.loads(sys.stdin.read())), sys.argv[1])
"""


def test_one_process_computes_and_the_others_wait_for_its_result(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads, each with a lock of its own, as processes have it."""
    found, locks, lock_of = dict[str, xr.Dataset](), list[FileLock](), stored_parts._lock_of

    def noted(*given: Any) -> FileLock:
        locks.append(lock_of(*given))
        return locks[-1]

    monkeypatch.setattr(stored_parts, "_lock_of", noted)

    def ask(name: str) -> None:
        found[name] = run(study(), tmp_path)

    threads = [threading.Thread(target=ask, args=(name,)) for name in ("app", "command line")]
    for thread in threads:
        thread.start()
    eventually(lambda: script.ran == ["seed0", "seed1"] and len(locks) == 2, lambda: script.ran)
    script.go.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert sorted(script.ran) == [f"seed{seed}" for seed in range(SEEDS)]
    xr.testing.assert_identical(found["app"], found["command line"])


def test_what_came_of_a_lost_outcome_is_computed_again(script: Script, tmp_path: Path) -> None:
    """Else a walk would go on from the barriers of another network."""
    script.go.set()
    cache = results.Store(tmp_path)
    with mock.patch.object(resume, "finish", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        run(study(), tmp_path)
    parts = cache.parts(study())
    assert parts.names() == {f"seed{seed}" for seed in range(SEEDS)}
    taken = parts.elapsed()
    assert taken > 0
    parts.forget(["seed1"])
    script.ran.clear()
    dataset = run(study(), tmp_path)
    assert script.ran == ["seed1", "seed2", "seed3"]
    assert dataset["base_stop"].values.tolist() == list(range(SEEDS))
    assert dataset.attrs["seconds"] > taken
    assert not parts.folder.exists()


def test_seeds_stay_divided_as_an_earlier_attempt_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that its training is not lost where another number of devices goes on."""
    monkeypatch.setattr("landscape.jobs.plan.device_bytes", lambda: 2**30)
    attempt = Attempt(study(), results.Store(tmp_path))
    assert resume.arranged(attempt, 3).divisions == 3
    for name in ("base-seeds0_to_1", "base-seeds2_to_3", "candidate1-seeds0_to_1"):
        (attempt.parts.folder / name).mkdir(parents=True)
    assert len(resume.seed_groups(study(), resume.arranged(attempt, 3).divisions)) == 2


def test_several_devices_share_a_study(tmp_path: Path) -> None:
    """Two devices, forced on the processor, compute what one does, down to the bits."""
    asked, datasets = study(seeds=2), []
    for devices in (1, 2):
        cache = tmp_path / str(devices)
        environment = os.environ | {"XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}"}
        command = [sys.executable, "-c", DEVICES, str(cache), str(devices)]
        subprocess.run(
            command, input=asked.model_dump_json(), env=environment, text=True, check=True, timeout=4 * PATIENCE
        )
        datasets.append(results.Store(cache).read(asked.key).drop_vars(schema.TIMES))
    assert datasets[0].drop_attrs(deep=False).identical(datasets[1].drop_attrs(deep=False))


def test_devices_run_tasks_side_by_side_and_stop_when_one_fails(script: Script, tmp_path: Path) -> None:
    """Two tasks that wait for each other both run; when a third fails, one that goes on is stopped."""
    meeting, going, stopped = threading.Barrier(2, timeout=PATIENCE), threading.Event(), threading.Event()

    def meet(*, on_activity: OnActivity) -> Outcome:
        meeting.wait()
        return Outcome(xr.Dataset(), {})

    def fail(*needs: Outcome, on_activity: OnActivity) -> Outcome:
        assert going.wait(PATIENCE)
        raise RuntimeError("no luck")

    def go_on(*needs: Outcome, on_activity: OnActivity) -> Outcome:
        going.set()
        try:
            while True:
                time.sleep(0.3)
                on_activity("going on", 1, 2)
        finally:
            stopped.set()

    planned = {"a": Task(meet), "b": Task(meet), "c": Task(fail, ("a", "b")), "d": Task(go_on, ("a", "b"))}
    arrived: dict[str, Outcome] = {}
    attempt = Attempt(study(), results.Store(tmp_path))
    with (
        mock.patch("jax.local_devices", lambda: [None, None]),
        pytest.raises(RuntimeError, match="no luck"),
    ):
        for name, outcome in on_devices(attempt, ignore, planned, arrived):
            arrived[name] = outcome
    assert set(arrived) == {"a", "b"}
    assert stopped.is_set()


def test_devices_take_the_tasks_in_the_order_of_the_plan_and_not_those_that_have_arrived(tmp_path: Path) -> None:
    ran = []

    def note(name: str, *needs: Outcome, on_activity: OnActivity) -> Outcome:
        ran.append(name)
        return Outcome(xr.Dataset(), {})

    needs = {"a": (), "b": (), "c": ("a",), "d": ("b",), "e": ("b",), "f": ("a", "e")}
    planned = {name: Task(partial(note, name), before) for name, before in needs.items()}
    arrived = {"a": Outcome(xr.Dataset(), {})}
    with mock.patch("jax.local_devices", lambda: [None]):
        for name, outcome in on_devices(Attempt(study(), results.Store(tmp_path)), ignore, planned, arrived):
            arrived[name] = outcome
    assert ran == ["b", "c", "d", "e", "f"]


updates = st.lists(
    st.one_of(
        st.builds(
            StudyUpdate,
            st.just("a"),
            st.integers(0, 2),
            st.sampled_from(["waiting", "running", "done", "failed", "cancelled"]),
            st.just(1.0),
            st.just(2.0),
            total=st.just(10.0),
            done=st.floats(0, 4),
            finished=st.sampled_from(["", "x", "y"]),
        ),
        st.builds(
            TaskUpdate,
            st.just("a"),
            st.integers(0, 2),
            st.sampled_from("xy"),
            st.just(3.0),
            st.just("s"),
            st.floats(0, 1),
        ),
    ),
    max_size=12,
)


@given(updates, st.data())
def test_tally_of_updates_heard_twice_and_late(sent: list[Update], data: st.DataObject) -> None:
    """Whoever joins in the middle, and hears old updates after new ones, ends at what all others see."""
    there, late = Tally(), Tally()
    for at, update in enumerate(sent):
        there.add(update, float(at))
    start = data.draw(st.integers(0, len(sent)))
    for at, update in [*enumerate(sent)][start:]:
        there.add(update, float(at))
    for at, update in enumerate(sent):
        late.add(update, float(at))
    seen, seen_late = there.progress(), late.progress()
    if seen is None:
        assert seen_late is None
    else:
        assert seen._replace(elapsed=0, left=None) == seen_late._replace(elapsed=0, left=None)
        assert 0 <= seen.fraction <= 1


def test_time_left_is_in_proportion_to_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    tally, now = Tally(), time.time()
    monkeypatch.setattr("landscape.jobs.progress.time.time", lambda: now)
    tally.add(StudyUpdate("a", 0, "running", now - 30, now, kept=20.0, done=20.0, total=100.0))
    assert tally.progress().left is None
    tally.add(StudyUpdate("a", 0, "running", now - 30, now, kept=20.0, done=40.0, total=100.0, finished="x"))
    tally.add(TaskUpdate("a", 0, "y", 40.0, "half of y", 0.5))
    progress = tally.progress()
    assert progress.state == "running" and progress.activity == "half of y" and progress.fraction == 0.6
    assert progress.left == pytest.approx(30 * 40 / 40)  # 40 in 30 seconds, and 40 to go


def test_time_left_is_steady_where_it_is_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    """A study that takes 100 s, of which 20 compile at first, where 80 were expected: within a quarter at any time.

    And it reaches 0 whatever was expected. The engine's start comes on top, and does not count as the pace of the work.
    """
    clock = [1000.0]
    monkeypatch.setattr("landscape.jobs.progress.time.time", lambda: clock[0])
    tally = Tally()
    tally.add(StudyUpdate("a", 0, "waiting", 1000.0, 1000.0, expected=80.0))
    assert tally.progress().left == 80.0 + STARTUP
    for seconds in range(0, 101, 5):
        clock[0] = 1020.0 + seconds
        done = max(0.0, (seconds - 20) / 80 * 100)
        tally.add(StudyUpdate("a", 0, "running", 1020.0, clock[0], done=done, total=100.0, finished="x"))
        left = tally.progress().left
        assert left == pytest.approx(100 - seconds, rel=0.25, abs=20) and (seconds < 100 or left == 0)


@pytest.mark.parametrize("name", ["digits-mlp", "cnn-cifar10-gpu", "tinybert"])
def test_every_task_says_what_it_does(name: str) -> None:
    study = preset(name).scaled(seeds=3)
    assert task_in_words(study.scaled(epochs=0), "candidate1-seed0").startswith("Expanding to ")
    told = {task: task_in_words(study, task) for task in plan_study(study)}
    assert len({*told.values()}) == len([task for task in told if not re.search("walk[1-9]", task)])
    assert all(text.split()[0] in ("Training", "Measuring", "Comparing") for text in told.values())
    assert not any(re.search("candidate[0-9]|seed0|look", text) for text in told.values())


def test_meter_sends_what_a_task_is_doing_and_that_it_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("landscape.jobs.progress.PERIOD", 0)
    sent: list[TaskUpdate] = []
    meter = Meter("a", 0, "x", "Training", 1.0, sent.append)
    for call in [("epoch", 0, 10), ("epoch", 1, 10), ("nothing", 0, 0)]:
        meter(*call)
    meter.end()
    assert [update.fraction for update in sent] == [0, 0, 0.1, 1, 1]
    assert [update.activity for update in sent][1:3] == ["Training: epoch 0 of 10", "Training: epoch 1 of 10"]


CLIENT = """
import sys, time
from pathlib import Path
from landscape.jobs.background.client import connect
from landscape.study import from_toml
jobs, study = connect(sys.argv[1]), from_toml(sys.argv[2])
jobs.submit(study)
while (progress := jobs.progress(study.key)).active:
    time.sleep(0.05)
print(progress.state, "jax" in sys.modules, jobs.store.entry(study.key).record["computed"])
"""

TOML = """
candidates = [[{ widen = "hidden1", size = 6 }]]
seeds = 2
data = { train_size = 120, validation_size = 100 }
model = { kind = "mlp", hidden = [5] }
training = { batch_size = 60, base_epochs = 2, epochs = 1 }
walk = { group = "hidden1", permutations = 4, batch_size = 60, nodes = 2 }
"""


def test_real_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes start one engine and share one computation; without JAX; a dead worker is replaced."""
    cache, file = tmp_path / "cache", tmp_path / "tiny.toml"
    file.write_text(TOML)
    command = [sys.executable, "-c", CLIENT, str(cache), str(file)]
    clients = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    printed = [process.communicate(timeout=4 * PATIENCE)[0].split() for process in clients]
    assert printed[0] == printed[1] and printed[0][:2] == ["done", "False"]

    jobs = connect(cache)
    try:
        assert (cache / ".engine" / "log").read_text().count("Scheduler at") == 1
        deadly = identity(folder_name(cache.absolute()), study().key, 7)
        jobs._client.submit(os._exit, 1, key=deadly).exception()  # as a study that takes its worker down each time
        failed = until(jobs, study().key, ended)
        assert failed.state == "failed" and "worker process died" in failed.error
        assert jobs._client.submit(abs, -1).result(timeout=PATIENCE) == 1
        bigger = from_toml(file).scaled(permutations=5)
        jobs.submit(bigger)
    finally:
        own = [each for each in psutil.process_iter(["cmdline"]) if str(cache) in (each.info["cmdline"] or [])]
        jobs._client.shutdown()
    assert len(own) == 1 and not psutil.wait_procs(own, timeout=PATIENCE)[1], (
        "it ends though a worker was just starting"
    )
    assert until(jobs, bigger.key, ended).error == "the engine has ended"


def test_an_engine_finds_the_same_modules_and_data_from_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the package is not installed, and the app was started in its folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", "folder", *sys.path])
    monkeypatch.setenv("TFDS_DATA_DIR", "data")
    found = engine.environment()
    assert found["PYTHONPATH"].split(os.pathsep)[:2] == [str(tmp_path), str(tmp_path / "folder")]
    assert found["TFDS_DATA_DIR"] == str(tmp_path / "data")


def test_engine_ends_when_idle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "devices", list)
    asyncio.run(asyncio.wait_for(engine.serve(tmp_path, idle=0.4), PATIENCE))
    assert engine.address(tmp_path) is None


def test_an_engine_that_ends_leaves_the_address_of_its_successor(tmp_path: Path) -> None:
    file = tmp_path / "scheduler.json"
    with engine.published(file, "tcp://127.0.0.1:1", "first"):
        assert json.loads(file.read_text()) == {"address": "tcp://127.0.0.1:1", "id": "first"}
        with engine.published(file, "tcp://127.0.0.1:2", "second"):
            pass
        assert not file.exists()
    with engine.published(file, "tcp://127.0.0.1:1", "first"):
        file.write_text(json.dumps({"address": "tcp://127.0.0.1:3", "id": "third"}))
    assert "127.0.0.1:3" in file.read_text()


def test_a_jax_that_does_not_start_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAX_PLATFORMS", "quantum")
    with pytest.raises(RuntimeError, match=r"JAX does not start.*quantum"):
        engine.devices()


def test_jax_is_not_asked_for_gpus_where_nothing_could_find_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking takes a second of each start. On a computer with a plugin for GPUs, or told of a platform, it is asked."""
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    monkeypatch.setattr(engine, "find_spec", lambda name: None)
    monkeypatch.setattr(engine, "entry_points", lambda group: ())
    monkeypatch.setattr(engine.subprocess, "run", lambda *_, **__: pytest.fail("JAX was asked"))
    assert [place.tags for place in engine.devices()] == capacity.tags()


def test_engine_of_an_unwritable_folder(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(Unwritable, match="cache"):
        connect(tmp_path / "cache").submit(study())


@pytest.mark.parametrize("address", ["nonsense://", "http://host:1", "host", "tls://127.0.0.1:1"])
def test_an_address_that_no_client_can_use_is_named_at_once(tmp_path: Path, address: str) -> None:
    with pytest.raises(OSError, match=r"scheme|port number|certificate"):
        connect(tmp_path, address)


def test_another_program_at_the_port_of_a_dead_engine_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It accepts and says nothing, which Dask's own client waits out for eight minutes."""
    monkeypatch.setattr(engine, "ANSWER", 0.5)
    folder = private_folder(tmp_path / ".engine")
    credentials.made(folder)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        written = {"address": f"tls://127.0.0.1:{silent.getsockname()[1]}", "id": "ours"}
        (folder / "scheduler.json").write_text(json.dumps(written))
        before = time.monotonic()
        assert engine.address(tmp_path) is None
        assert connect(tmp_path).known() == {}
        assert time.monotonic() - before < PATIENCE


def test_only_who_has_the_key_of_an_engine_reaches_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is himself shown its certificate and its identity. Every file with a key is its user's alone."""
    monkeypatch.setattr(engine, "devices", list)
    monkeypatch.setattr(engine, "ANSWER", PATIENCE)
    folder, file = tmp_path / ".engine", tmp_path / ".engine" / "scheduler.json"

    async def reached() -> list[str | None]:
        serving = asyncio.create_task(engine.serve(tmp_path))
        while not file.exists():
            await asyncio.sleep(0.05)
        written = json.loads(file.read_text())
        found = [await asyncio.to_thread(engine.address, tmp_path)]
        file.write_text(json.dumps(written | {"id": "of another engine"}))
        found.append(await asyncio.to_thread(engine.address, tmp_path))
        with pytest.raises(OSError):
            await connect_plainly(written["address"].replace("tls", "tcp"))
        file.write_text(json.dumps(written))
        modes = {path.stat().st_mode & 0o777 for path in (folder / credentials.KEY, folder / credentials.CERTIFICATE)}
        assert modes == {0o600} and folder.stat().st_mode & 0o777 == 0o700
        credentials.made(folder)
        found.append(await asyncio.to_thread(engine.address, tmp_path))
        serving.cancel()
        return [written["address"], *found]

    address, ours, *others = asyncio.run(reached())
    assert address == ours and address.startswith("tls://127.0.0.1:") and others == [None, None]


async def connect_plainly(address: str) -> None:
    comm = await asyncio.wait_for(distributed.comm.connect(address), 5)
    await comm.write({"op": "identity"})
    await asyncio.wait_for(comm.read(), 5)


def test_a_study_that_waits_for_a_worker_says_so(tmp_path: Path) -> None:
    with LocalCluster(n_workers=0, processes=False, protocol="tcp", dashboard_address=None, silence_logs=50) as empty:
        jobs = connect(tmp_path, empty.scheduler_address)
        jobs.submit(study())
        waiting = until(jobs, study().key, lambda progress: bool(progress.trouble))
        assert (waiting.state, waiting.left) == ("waiting", None)
        assert waiting.activity == "Waiting for a worker: the scheduler has none"
        jobs.close()


def test_unreachable_scheduler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("landscape.jobs.background.client.TIMEOUT", 0.5)
    with pytest.raises(OSError, match="tcp://127"):
        connect(tmp_path, "tcp://127.0.0.1:1")


def test_the_first_task_of_a_kind_compiles_for_the_others(tmp_path, monkeypatch):
    """In an engine; the workers of a cluster may have no programs in common."""
    small = preset("digits-mlp").scaled(seeds=2, permutations=50)
    attempt, planned = Attempt(small, results.Store(tmp_path)), plan_study(small)

    def behind(resources: dict[str, float]) -> dict[str, str | None]:
        client, asked = mock.MagicMock(), dict[str, dict]()
        client.scheduler_info.return_value = {"workers": {"one": {"resources": resources}}}
        client.submit.side_effect = lambda run, attempt, name, *needs, **order: asked.update({name: order}) or name
        monkeypatch.setattr(worker, "finished", mock.MagicMock(side_effect=worker.Cancelled))
        with pytest.raises(worker.Cancelled):
            next(worker.on_workers(client, mock.MagicMock(), attempt, planned, {}))
        return {name: order.get("behind") for name, order in asked.items()}

    found = behind({capacity.tag(capacity.at_once(small)): 1.0})
    assert found["base-seed0"] is None and found["base-seed1"] == "base-seed0"
    assert found["candidate2-seed1-walk0"] == "candidate2-seed0-walk0" and found["candidate2-seed0"] is None
    assert not any(behind({}).values())
