"""A study whose processes are killed again and again ends as if nobody had: `python -m pytest -m long` runs it."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import xarray as xr

from landscape.store.results import Store
from landscape.store.sealed import RECORD
from landscape.study import from_toml

KILLS = int(os.environ.get("LANDSCAPE_KILLS", "30"))
TOML = """
seeds = 2
candidates = [[{ widen = "hidden1", size = 8 }], [{ widen = "hidden1", size = 12 }]]
data = { name = "digits", train_size = 300, validation_size = 100 }
model = { kind = "mlp", hidden = [6] }
training = { batch_size = 50, base_epochs = 4, epochs = 4 }
walk = { group = "hidden1", permutations = 60, batch_size = 100, checkpoints = 3, nodes = 4 }
"""


def started(study: Path, cache: Path) -> subprocess.Popen[bytes]:
    """`landscape run` as the leader of a process group, so that its workers die with it."""
    command = [sys.executable, "-m", "landscape", "run", str(study), "--cache", str(cache)]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, stdout=quiet, stderr=subprocess.PIPE, start_new_session=True)


def finished(process: subprocess.Popen[bytes]) -> None:
    _, told = process.communicate()
    assert process.returncode == 0, told.decode()


def outcomes(cache: Path) -> dict[Path, int]:
    """When each finished outcome was written."""
    return {path: path.stat().st_mtime_ns for path in cache.rglob(RECORD)}


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
