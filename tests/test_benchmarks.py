"""Benchmarks run; what they measure is no matter for a test."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", ["barriers", "training", "viewing"])
def test_a_benchmark_prints_rows(name):
    command = [sys.executable, "-m", "benchmarks", name, "--quick", "--json"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=300).stdout
    rows = json.loads(printed)
    assert rows and all(row.keys() == rows[0].keys() for row in rows)


def test_an_unknown_benchmark_is_named():
    command = [sys.executable, "-m", "benchmarks", "speed"]
    failed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert failed.returncode == 2 and "'speed'" in failed.stderr and "viewing" in failed.stderr
