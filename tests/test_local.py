"""Computing in this process: what is done is used again, others wait, devices share the tasks."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import xarray as xr
from filelock import FileLock
from invented import SEEDS, Script, expected, ignore, script, study
from waiting import PATIENCE, eventually

from landscape.jobs import resume
from landscape.jobs.attempt import Attempt
from landscape.jobs.local import run
from landscape.jobs.plan import Task
from landscape.jobs.progress import OnActivity
from landscape.jobs.tasks.outcome import Outcome
from landscape.jobs.threads import on_devices
from landscape.store import results
from landscape.store.parts import kept as stored_parts
from landscape.study import schema

pytestmark = [pytest.mark.slow, pytest.mark.compiled_quickly]

__all__ = ["script"]  # a fixture


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


DEVICES = """
import json, sys
from pathlib import Path
from unittest import mock
import jax
from landscape.jobs.local import run
from landscape.study import validated
study, cache = validated(json.loads(sys.stdin.read())), Path(sys.argv[1])
assert jax.local_device_count() == 2
run(study, cache / "2")
with mock.patch("jax.local_device_count", lambda: 1):
    run(study, cache / "1")
"""


def test_several_devices_share_a_study(tmp_path: Path) -> None:
    """Two devices, forced on the processor, compute what one does, down to the bits."""
    asked, flags = study(seeds=2), os.environ.get("XLA_FLAGS", "")
    environment = os.environ | {"XLA_FLAGS": f"{flags} --xla_force_host_platform_device_count=2"}
    command = [sys.executable, "-c", DEVICES, str(tmp_path)]
    subprocess.run(command, input=asked.model_dump_json(), env=environment, text=True, check=True, timeout=4 * PATIENCE)
    stores = [results.Store(tmp_path / devices) for devices in "12"]
    one, two = (store.read(asked.key).drop_vars(schema.TIMES).drop_attrs(deep=False) for store in stores)
    assert one.identical(two)


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
