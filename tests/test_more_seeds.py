"""A study with more seeds than a stored result of it has: the stored seeds stay as they are, and the others join."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from invented import cluster
from test_pipeline import STUDY, ignore
from waiting import PATIENCE, ended, until

from landscape.analysis.wording import origin
from landscape.jobs import resume
from landscape.jobs.attempt import Attempt
from landscape.jobs.background.client import connect
from landscape.jobs.earlier import earlier_result
from landscape.jobs.local import computed
from landscape.jobs.plan import plan_study
from landscape.store.results import Store
from landscape.study.schema import TIMES

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_scan")]

ONE, TWO = STUDY.scaled(seeds=1), STUDY


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Where two seeds were computed from nothing."""
    store = Store(tmp_path_factory.mktemp("whole"))
    computed(TWO, store, ignore)
    return store


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The entry of one seed, and nothing else that was kept of its computation."""
    store = Store(tmp_path_factory.mktemp("one"))
    computed(ONE, store, ignore)
    return store.entry(ONE.key).folder


@pytest.fixture
def elsewhere(one: Path, tmp_path: Path) -> Store:
    """Another computer, to which the result of one seed was brought as a shipped one is."""
    shutil.copytree(one, tmp_path / "gallery" / ONE.name)
    return Store(tmp_path)


def without_times(dataset: xr.Dataset) -> xr.Dataset:
    return dataset.drop_vars(TIMES).drop_attrs(deep=False)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_stored_seeds_are_read_and_the_others_computed(workers: int, elsewhere: Store, whole: Store) -> None:
    done = []
    more, trouble = computed(TWO, elsewhere, lambda update: done.append(getattr(update, "finished", "")), workers)
    assert trouble is None and not [name for name in done if "seed0" in name]
    assert_same_numbers(more, elsewhere.read(ONE.key), whole.read(TWO.key))
    assert more.identical(elsewhere.read(TWO.key))


def assert_same_numbers(more: xr.Dataset, stored: xr.Dataset, expected: xr.Dataset) -> None:
    """Two seeds of which the first was stored, against both that were computed from nothing."""
    assert more["seed_curve"].isnull().all(), "the line between a seed that is computed and one whose weights are gone"
    of_seeds = [name for name in more.data_vars if "seed" in more[name].dims]
    assert more[of_seeds].isel(seed=[0]).drop_attrs().identical(stored[of_seeds].drop_attrs()), "its times too"
    for name in {*more.data_vars} - {*TIMES, "seed_curve"}:
        np.testing.assert_array_equal(more[name], expected[name], name)


def test_a_result_says_where_each_of_its_seeds_comes_from(elsewhere: Store) -> None:
    computed(TWO, elsewhere, ignore)
    shutil.rmtree(elsewhere.root / ".tasks")
    result, _ = computed(three := STUDY.scaled(seeds=3), elsewhere, ignore)
    entries = {key: elsewhere.entry(key) for key in (ONE.key, TWO.key, three.key)}
    records = {key: entry.record for key, entry in entries.items()}
    assert [each["computed"] for each in records[three.key]["earlier"]] == [
        records[key]["computed"] for key in (ONE.key, TWO.key)
    ]
    assert [each["seeds"] for each in records[three.key]["earlier"]] == [1, 1]
    spent = [records[key]["seconds"] for key in (ONE.key, TWO.key, three.key)]
    assert spent == sorted(spent), "the time of a result is that of all its seeds"
    assert [entry.timed_here for entry in entries.values()] == [True, False, False]
    for said in (origin(result.attrs), origin(records[three.key])):
        assert "Seed 0 was computed before, on" in said and "Seed 1 was computed before, on" in said


def test_what_this_code_still_keeps_of_the_first_seeds_is_measured_again(elsewhere: Store, whole: Store) -> None:
    """Then nothing is missing, the lines between seeds neither."""
    shutil.rmtree(elsewhere.root / "gallery")
    computed(ONE, elsewhere, ignore)
    assert resume.arranged(Attempt(TWO, elsewhere), 1).earlier is None
    more, _ = computed(TWO, elsewhere, ignore)
    assert without_times(more).identical(without_times(whole.read(TWO.key)))


def test_what_is_not_kept_of_the_first_seeds_is_taken_from_their_result(elsewhere: Store) -> None:
    """Whichever outcome is gone: none of the first seeds is computed again."""
    shutil.rmtree(elsewhere.root / "gallery")
    computed(ONE, elsewhere, ignore)
    kept = [path for path in (elsewhere.root / ".tasks").iterdir() if path.is_dir()]
    assert len(kept) == len(plan_study(ONE))
    for path in kept:
        path.rename(elsewhere.root / "gone")
        assert resume.arranged(Attempt(TWO, elsewhere), 1).earlier.seeds == 1, path
        (elsewhere.root / "gone").rename(path)
    assert resume.arranged(Attempt(TWO, elsewhere), 1).earlier is None


def test_dask_takes_the_stored_seeds_too(elsewhere: Store, whole: Store) -> None:
    with cluster(n_workers=2, threads_per_worker=1) as opened:
        jobs = connect(elsewhere.root, opened.scheduler_address)
        jobs.submit(TWO)
        progress = until(jobs, TWO.key, ended)
        jobs.close()
    assert progress.state == "done", progress
    more, entry = elsewhere.read(TWO.key), elsewhere.entry(TWO.key)
    assert [each["seeds"] for each in entry.record["earlier"]] == [1]
    assert_same_numbers(more, elsewhere.read(ONE.key), whole.read(TWO.key))


def test_an_interrupted_attempt_goes_on(elsewhere: Store) -> None:
    class Stopped(Exception):
        pass

    def stop(update: object) -> None:
        if getattr(update, "finished", "").startswith("candidate1"):
            raise Stopped

    with pytest.raises(Stopped):
        computed(TWO, elsewhere, stop)
    seen = elsewhere.partial(TWO)
    assert np.isfinite(seen["barrier"].sel(seed=0)).all(), "the stored seeds are seen from the start"
    kept = elsewhere.parts(TWO).names()
    attempt = resume.arranged(Attempt(TWO, elsewhere), 1)
    ran = []

    def noted(planned: resume.Planned, arrived: resume.Arrived) -> resume.Outcomes:
        for name, outcome in resume.in_order(attempt, ignore, planned, arrived):
            ran.append(name)
            yield name, outcome

    found = resume.compute(attempt, noted, ignore)
    assert ran and not {*ran} & kept and np.isfinite(found["barrier"]).all()


def assert_whole(store: Store, whole: Store) -> None:
    """Two seeds are stored, the same as ever, and nothing else is left of computing them."""
    assert_same_numbers(store.read(TWO.key), store.read(ONE.key), whole.read(TWO.key))
    assert not store.parts(TWO).folder.exists() and not list(store.root.rglob(".tmp-*"))
    assert not store.verify().damaged


def test_two_that_ask_at_once_extend_a_study_once(elsewhere: Store, whole: Store) -> None:
    done: list[str] = []

    def ask(_: int) -> xr.Dataset:
        return computed(TWO, elsewhere, lambda update: done.append(getattr(update, "finished", "")))[0]

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(ask, range(2))
    finished = [name for name in done if name]
    assert first.identical(second) and len(finished) == len({*finished})
    assert_whole(elsewhere, whole)


def test_a_disk_that_is_full_while_a_study_is_extended(
    elsewhere: Store, whole: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was computed is returned, and computed again once there is room."""
    with monkeypatch.context() as full:
        full.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))))
        more, trouble = computed(TWO, elsewhere, ignore)
    assert "No space left" in str(trouble) and TWO.key not in elsewhere
    assert_same_numbers(more, elsewhere.read(ONE.key), whole.read(TWO.key))
    computed(TWO, elsewhere, ignore)
    assert_whole(elsewhere, whole)


KILLED = """
import os, signal, sys
from landscape.jobs.local import computed
from landscape.store.results import Store
from landscape.study import Study

def kill(update):
    if getattr(update, "finished", "").startswith("candidate1"):
        os.kill(os.getpid(), signal.SIGKILL)

computed(Study.model_validate_json(sys.stdin.read()), Store(sys.argv[1]), kill)
"""


def test_who_extends_a_study_is_killed_and_another_goes_on(elsewhere: Store, whole: Store) -> None:
    command = [sys.executable, "-c", KILLED, str(elsewhere.root)]
    died = subprocess.run(command, input=TWO.model_dump_json(), text=True, timeout=4 * PATIENCE)
    assert died.returncode == -signal.SIGKILL
    assert any("stored" in name for name in elsewhere.parts(TWO).names())
    computed(TWO, elsewhere, ignore)
    assert_whole(elsewhere, whole)


def test_only_an_intact_result_of_the_same_study_with_fewer_seeds_counts(elsewhere: Store) -> None:
    found = partial(earlier_result, store=elsewhere)
    assert found(TWO).seeds == 1 and found(TWO).key == ONE.key
    assert found(ONE) is None and found(TWO.scaled(permutations=59)) is None
    assert found(TWO.model_copy(update={"control": False})) is None
    assert found(TWO.model_copy(update={"title": "Another title"})).seeds == 1
    result = elsewhere.root / "gallery" / ONE.name / "result.nc"
    result.write_bytes(result.read_bytes()[:-1])
    assert found(TWO) is None
