"""A study whose processes are killed or stopped again and again ends as if nobody had: `python -m pytest -m long`.

LANDSCAPE_KILLS is the number of kills, and LANDSCAPE_SEED draws their moments.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import xarray as xr

from landscape.jobs.background.client import Jobs, connect
from landscape.store.results import Store
from landscape.store.sealed import RECORD
from landscape.study import from_toml

KILLS, SEED = int(os.environ.get("LANDSCAPE_KILLS", "30")), int(os.environ.get("LANDSCAPE_SEED", "0"))
STOPPED = 60.0  # seconds for which a process stands still
PATIENCE = 300.0  # seconds in which a study must end that nobody disturbs any more
TOML = """
seeds = 2
candidates = [[{ widen = "hidden1", size = 8 }], [{ widen = "hidden1", size = 12 }]]
data = { name = "digits", train_size = 300, validation_size = 100 }
model = { kind = "mlp", hidden = [6] }
training = { batch_size = 50, base_epochs = 4, epochs = 4 }
walk = { group = "hidden1", permutations = 60, batch_size = 100, checkpoints = 3, nodes = 4 }
"""


def started(study: Path, cache: Path, *options: str, told: Any = subprocess.PIPE) -> subprocess.Popen[bytes]:
    """`landscape run` as the leader of a process group, so that its workers die with it."""
    command = [sys.executable, "-m", "landscape", "run", str(study), "--cache", str(cache), *options]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=told, start_new_session=True)


def finished(process: subprocess.Popen[bytes]) -> None:
    _, told = process.communicate()
    assert process.returncode == 0, told.decode()


def outcomes(cache: Path) -> dict[Path, int]:
    """When each finished outcome was written. Those that go while they are looked for do not count."""
    found = {}
    for folder, _, files in os.walk(cache):
        if RECORD in files:
            with suppress(FileNotFoundError):
                found[Path(folder)] = (Path(folder) / RECORD).stat().st_mtime_ns
    return found


def untimed(dataset: xr.Dataset) -> xr.Dataset:
    """The numbers without what measures time, and without when and where they were computed."""
    return dataset.drop_vars([name for name in dataset.data_vars if "seconds" in str(name)]).drop_attrs()


@pytest.mark.long
def test_runs_killed_at_random_moments_end_as_an_undisturbed_one_and_compute_nothing_twice(tmp_path: Path) -> None:
    (file := tmp_path / "killed.toml").write_text(TOML)
    since = time.monotonic()
    finished(started(file, tmp_path / "undisturbed"))
    longest, rng, cache = time.monotonic() - since, random.Random(0), tmp_path / "killed"
    kept: dict[Path, int] = {}
    for _ in range(KILLS):
        process = started(file, cache)
        try:
            process.wait(timeout=rng.uniform(0, longest))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        now = outcomes(cache) if cache.exists() else {}
        assert [path for path in kept.keys() & now.keys() if now[path] != kept[path]] == []
        kept |= now
    finished(started(file, cache))
    key = from_toml(file).key
    xr.testing.assert_identical(untimed(Store(cache).read(key)), untimed(Store(tmp_path / "undisturbed").read(key)))
    assert not Store(cache).verify().damaged


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, xr.Dataset, float]:
    """The study's file, its result, and the seconds that it took."""
    folder = tmp_path_factory.mktemp("undisturbed")
    (file := folder / "killed.toml").write_text(TOML)
    since = time.monotonic()
    finished(started(file, folder / "cache"))
    return file, untimed(Store(folder / "cache").read(from_toml(file).key)), time.monotonic() - since


def processes(of: psutil.Process | None, text: str = "") -> list[psutil.Process]:
    """Those that a process has started, directly or not, or all of this computer; whose command holds a text."""
    found = []
    for each in of.children(recursive=True) if of else psutil.process_iter():
        try:
            if text in " ".join(each.cmdline()) and each.status() != psutil.STATUS_ZOMBIE:
                found.append(each)
        except psutil.NoSuchProcess:
            continue
    return found


def engine_of(cache: Path) -> list[psutil.Process]:
    return processes(None, f"landscape engine --cache {cache}")


class Kept:
    """Holds a study to its word that nothing finished is computed again."""

    def __init__(self, cache: Path):
        self._cache, self._seen = cache, dict[Path, int]()

    @property
    def number(self) -> int:
        """How many outcomes there have been."""
        return len(self._seen)

    def check(self) -> None:
        now = outcomes(self._cache) if self._cache.exists() else {}
        assert [path for path in self._seen.keys() & now.keys() if now[path] != self._seen[path]] == []
        self._seen |= now


def ended(jobs: Jobs, key: str, within: float) -> str:
    """The state of a study once it is not active any more, or after so many seconds."""
    until = time.monotonic() + within
    while (progress := jobs.progress(key)) and progress.active and time.monotonic() < until:
        time.sleep(0.1)
    return progress.state if progress else "unknown"


@pytest.fixture
def engines() -> Iterator[list[Path]]:
    """Cache folders whose engines are ended; none of their processes may stay."""
    caches: list[Path] = []
    yield caches
    for each in (engine for cache in caches for engine in engine_of(cache)):
        own = [each, *each.children(recursive=True)]
        each.send_signal(signal.SIGCONT)
        each.terminate()
        psutil.wait_procs(own, timeout=30)
        assert [left for left in own if left.is_running() and left.status() != psutil.STATUS_ZOMBIE] == []


def kill(found: list[psutil.Process], rng: random.Random) -> bool:
    """Kill one of these processes, if there is one."""
    if found:
        rng.choice(found).kill()
    return bool(found)


@pytest.mark.long
def test_workers_and_runs_killed_alone(undisturbed: tuple[Path, xr.Dataset, float], tmp_path: Path) -> None:
    """A worker that dies is said, with what to do; one whose run has died ends by itself."""
    (file, result, longest), rng, cache = undisturbed, random.Random(SEED), tmp_path / "cache"
    kept, alone, told = Kept(cache), 0, ""
    while alone < KILLS * 2 // 5:
        run = started(file, cache, "--workers", "2")
        try:
            run.wait(timeout=rng.uniform(2, longest))
        except subprocess.TimeoutExpired:
            this = psutil.Process(run.pid)
            own = processes(this)
            victims = processes(this, "spawn_main") if alone % 2 else [this]
            alone += kill(victims, rng)
            told = run.communicate(timeout=60)[1].decode()
            assert not victims or alone % 2 or "a process that computed has died" in told, told
            _, alive = psutil.wait_procs(own, timeout=60)
            assert [left for left in alive if left.status() != psutil.STATUS_ZOMBIE] == []
        run.communicate()
        kept.check()
        if (cache / from_toml(file).key).exists():
            shutil.rmtree(cache)
            kept = Kept(cache)
    finished(started(file, cache, "--workers", "2"))
    xr.testing.assert_identical(untimed(Store(cache).read(from_toml(file).key)), result)
    assert not Store(cache).verify().damaged and not list(cache.rglob(".tmp-*"))


CLIENT = """
import sys, time
from landscape.jobs.background.client import connect
from landscape.study import from_toml
connect(sys.argv[1]).submit(from_toml(sys.argv[2]))
time.sleep(1000)
"""


@pytest.mark.long
def test_engines_their_workers_and_clients_killed(
    undisturbed: tuple[Path, xr.Dataset, float], tmp_path: Path, engines: list[Path]
) -> None:
    """Whoever asks again after an engine has died goes on where it stopped; a client that dies stops nothing."""
    (file, result, longest), rng, cache = undisturbed, random.Random(SEED + 1), tmp_path / "cache"
    engines.append(cache)
    study, kept, number = from_toml(file), Kept(cache), 0
    while number < KILLS * 3 // 5:
        jobs = connect(cache)
        if number % 3 == 2:
            client = subprocess.Popen([sys.executable, "-c", CLIENT, str(cache), str(file)])
        else:
            jobs.submit(study)
        time.sleep(rng.uniform(2, longest))
        (engine,) = engine_of(cache) or [None]
        if number % 3 == 2:
            client.kill()
            client.wait()
        elif engine:
            kill([engine] if number % 3 == 0 else processes(engine, "spawn_main"), rng)
        number += 1
        kept.check()
        jobs.close()
        if study.key in Store(cache):
            xr.testing.assert_identical(untimed(Store(cache).read(study.key)), result)
            for each in (".tasks", ".parts", study.key):
                shutil.rmtree(cache / each, ignore_errors=True)
            kept = Kept(cache)
    jobs = connect(cache)
    jobs.submit(study)
    assert ended(jobs, study.key, PATIENCE) == "done"
    kept.check()
    jobs.close()
    xr.testing.assert_identical(untimed(Store(cache).read(study.key)), result)
    assert not Store(cache).verify().damaged and not list(cache.rglob(".tmp-*"))


@pytest.mark.long
@pytest.mark.parametrize("victim", ["a worker", "the engine"])
def test_a_process_that_stands_still_for_a_minute(
    undisturbed: tuple[Path, xr.Dataset, float], tmp_path: Path, engines: list[Path], victim: str
) -> None:
    """A worker is replaced after 45 seconds; an engine that wakes up goes on."""
    (file, result, longest), cache = undisturbed, tmp_path / "cache"
    engines.append(cache)
    study, jobs = from_toml(file), connect(cache)
    jobs.submit(study)
    time.sleep(longest / 4)
    (engine,) = engine_of(cache)
    stopped = engine if victim == "the engine" else processes(engine, "spawn_main")[0]
    stopped.suspend()
    time.sleep(STOPPED)
    if stopped.is_running():
        stopped.resume()
    assert ended(jobs, study.key, PATIENCE) == "done"
    jobs.close()
    xr.testing.assert_identical(untimed(Store(cache).read(study.key)), result)
    assert not list(cache.rglob(".tmp-*"))


@pytest.mark.long
@pytest.mark.parametrize("continued", [True, False])
def test_a_process_of_a_run_that_stands_still(
    undisturbed: tuple[Path, xr.Dataset, float], tmp_path: Path, continued: bool
) -> None:
    """For a minute, or for ever: it is replaced after 45 seconds, and the run says so."""
    (file, result, _), cache = undisturbed, tmp_path / "cache"
    with (tmp_path / "told").open("w") as told:  # a pipe that nobody reads may be full before anything is computed
        run = started(file, cache, "--workers", "2", told=told)
    while not (kept := outcomes(cache) if cache.exists() else {}):
        time.sleep(0.1)
    this = psutil.Process(run.pid)
    (stopped, *_) = processes(this, "spawn_main")
    stopped.suspend()
    time.sleep(STOPPED)
    if continued and stopped.is_running():
        stopped.resume()
    assert run.wait(timeout=PATIENCE) == 0 and (tmp_path / "told").read_text().count("hung and is replaced") == 1
    assert not stopped.is_running()
    xr.testing.assert_identical(untimed(Store(cache).read(from_toml(file).key)), result)
    assert kept and not Store(cache).verify().damaged and not list(cache.rglob(".tmp-*"))
