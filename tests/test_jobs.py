"""Computing beside the app: one computation for all who ask, progress, cancel, resume, failure."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from distributed import Client, Worker, get_worker, wait
from invented import SEEDS, Script, address, client, cluster, expected, running, running_second, script, study
from waiting import PATIENCE, ended, until

from landscape.cli.parser import main
from landscape.jobs.attempt import Asker, Attempt
from landscape.jobs.background.client import Jobs, connect
from landscape.jobs.background.names import folder_name, identity, task_key
from landscape.jobs.guard import alike, passing_over
from landscape.jobs.local import run
from landscape.store import results
from landscape.store.places import children
from landscape.study import schema

pytestmark = [pytest.mark.slow, pytest.mark.compiled_quickly]

__all__ = ["address", "client", "script"]  # fixtures


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
        return await Worker(opened.scheduler_address, nthreads=1, name=name, dashboard=False)

    monkeypatch.setattr(passing_over, "difference", difference)
    with cluster(n_workers=0) as opened:
        workers = {name: opened.sync(joined, name) for name in ("a", "b")}
        jobs = connect(tmp_path / "cache", opened.scheduler_address)
        jobs.submit(study())
        assert {*until(jobs, key, running_second).refused.values()} == {told} and {*asked} == {"a", "b"}
        assert main(["jobs", "--cache", str(jobs.store.root), "--scheduler", opened.scheduler_address]) == 0
        assert f"tiny ({key}) passes a worker over: {told}" in capsys.readouterr().out
        unfit = workers.pop(asked[0])
        opened.sync(workers.popitem()[1].close, executor_wait=False)
        assert "Waiting for another worker" in until(jobs, key, lambda progress: bool(progress.trouble)).activity
        script.go.set()
        late = opened.sync(joined, "late")
        assert until(jobs, key, ended).state == "done"
        np.testing.assert_array_equal(jobs.store.read(key).base_stop, expected(study()))
        jobs.close()
        for each in (unfit, late):
            opened.sync(each.close)


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


def test_a_study_that_waits_for_a_worker_says_so(tmp_path: Path) -> None:
    with cluster(n_workers=0) as empty:
        jobs = connect(tmp_path, empty.scheduler_address)
        jobs.submit(study())
        waiting = until(jobs, study().key, lambda progress: bool(progress.trouble))
        assert (waiting.state, waiting.left) == ("waiting", None)
        assert waiting.activity == "Waiting for a worker: the scheduler has none"
        jobs.close()
