"""Workers that die while a finished study is extended, on a cluster reached by its address: `pytest -m long`."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import xarray as xr

from landscape.jobs.background.client import Jobs
from landscape.store.results import Store
from landscape.study import from_toml
from tests.test_kills import PATIENCE, SEED, TOML, Kept, ended, finished, started, untimed
from tests.test_namespaces import connected

PORT, WORKERS, DEATHS = 23_786, 2, 3
Start = Callable[..., subprocess.Popen[bytes]]
LARGER = {"more seeds": (4, 60), "longer walks": (2, 100), "both": (4, 100)}


@pytest.fixture
def dask() -> Iterator[Start]:
    """Starts a command of Dask, which ends with the test."""
    with ExitStack() as stack:

        def start(command: str, *options: str) -> subprocess.Popen[bytes]:
            line = [sys.executable, "-m", f"distributed.cli.dask_{command}", *options, "--no-dashboard"]
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            process = subprocess.Popen(line, **quiet)
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process

        yield start


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache folder of a finished study of 2 seeds and walks of 60 steps."""
    folder = tmp_path_factory.mktemp("small")
    (folder / "study.toml").write_text(TOML)
    finished(started(folder / "study.toml", folder / "cache"))
    return folder / "cache"


def next_outcome(kept: Kept, jobs: Jobs, key: str) -> bool:
    """Wait until something more is computed of a study; False where it has ended."""
    before, until = kept.number, time.monotonic() + PATIENCE
    while kept.number == before and time.monotonic() < until:
        if not jobs.progress(key).active:
            return False
        time.sleep(0.05)
        kept.check()
    return True


@pytest.mark.long
@pytest.mark.parametrize("larger", LARGER.values(), ids=LARGER)
def test_workers_killed_while_a_study_is_extended(
    larger: tuple[int, int], small: Path, dask: Start, tmp_path: Path
) -> None:
    """It ends with the numbers of a computation from nothing, and computes nothing finished again."""
    seeds, steps = larger
    text = TOML.replace("seeds = 2", f"seeds = {seeds}").replace("permutations = 60", f"permutations = {steps}")
    (file := tmp_path / "larger.toml").write_text(text)
    finished(started(file, tmp_path / "undisturbed"))
    study, rng, cache = from_toml(file), random.Random(SEED), tmp_path / "cache"
    shutil.copytree(small, cache)
    address = f"tcp://127.0.0.1:{PORT}"
    worker = (
        "worker",
        address,
        "--nthreads",
        "1",
        "--memory-limit",
        "0",
        "--no-nanny",
        "--local-directory",
        str(tmp_path),
    )
    dask("scheduler", "--host", "127.0.0.1", "--port", str(PORT))
    jobs, workers, kept = connected(cache, address), [dask(*worker) for _ in range(WORKERS)], Kept(cache)
    kept.check()
    jobs._client.wait_for_workers(WORKERS, timeout=PATIENCE)
    jobs.submit(study)
    for death in range(DEATHS):
        if not next_outcome(kept, jobs, study.key):
            break
        time.sleep(rng.uniform(0, 1))
        workers[death % WORKERS].kill()
        workers[death % WORKERS] = dask(*worker)
    assert ended(jobs, study.key, PATIENCE) == "done"
    jobs.close()
    kept.check()
    xr.testing.assert_identical(
        untimed(Store(cache).read(study.key)), untimed(Store(tmp_path / "undisturbed").read(study.key))
    )
    assert not Store(cache).verify().damaged and not list(cache.rglob(".tmp-*"))
    assert [path.name for path in (cache / ".parts").iterdir() if path.suffix != ".lock"] == []
