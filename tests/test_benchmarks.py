"""Benchmarks run; what they measure is no matter for a test."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from benchmarks import gpu
from benchmarks.__main__ import main
from landscape.store.netcdf import read
from landscape.store.results import Store

pytestmark = [pytest.mark.slow, pytest.mark.compiled_quickly]

ROOT = Path(__file__).parents[1]


LONG = [pytest.param(name, marks=pytest.mark.long) for name in ("sessions",)]


@pytest.mark.parametrize("name", ["barriers", "convolutions", "gpu", "tracing", "training"])
def test_a_benchmark_prints_rows(name, monkeypatch, capsys):
    monkeypatch.setenv(gpu.PREALLOCATE, "false")
    monkeypatch.setattr(sys, "argv", ["benchmarks", name, "--quick", "--json"])
    main()
    rows = json.loads(capsys.readouterr().out)
    assert rows and all(row.keys() == rows[0].keys() for row in rows)


@pytest.mark.parametrize("name", ["viewing", *LONG])
def test_a_benchmark_that_needs_a_process_of_its_own_prints_rows(name):
    """As it sets what the app reads from the environment."""
    command = [sys.executable, "-m", "benchmarks", name, "--quick", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=300)
    rows = json.loads(done.stdout)
    assert rows and all(row.keys() == rows[0].keys() for row in rows)


def test_what_an_accelerator_computed_before_time_was_up_is_written_and_goes_on(tmp_path):
    study, store, output = gpu.tiny(), Store(tmp_path), tmp_path / "so-far.nc"
    nothing = gpu.computed(study, store, time.monotonic() - 1, output)
    assert nothing["value"] == 0 and study.key not in store
    assert np.isnan(read(output)["barrier"]).all()
    whole = gpu.computed(study, store, time.monotonic() + 600, output)
    assert whole["value"] == 100 and study.key in store
    xr.testing.assert_identical(read(output)["barrier"], store.read(study.key)["barrier"])
    assert not np.isnan(read(output)["barrier"]).any()


def test_an_unknown_benchmark_is_named():
    command = [sys.executable, "-m", "benchmarks", "speed"]
    failed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert failed.returncode == 2 and "'speed'" in failed.stderr and "viewing" in failed.stderr
