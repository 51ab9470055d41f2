"""The engine: one for each cache folder, found and reached by its user alone, ended when idle."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

import distributed.comm
import psutil
import pytest
from invented import study
from waiting import PATIENCE, ended, until

from landscape.jobs.attempt import Attempt
from landscape.jobs.background import engine, worker
from landscape.jobs.background.client import connect
from landscape.jobs.background.names import folder_name, identity
from landscape.jobs.guard import credentials
from landscape.jobs.guard.private import private_folder
from landscape.jobs.plan import plan_study
from landscape.jobs.processes import capacity
from landscape.store import results
from landscape.store.sealed import Unwritable
from landscape.study import from_toml
from landscape.study.presets import preset

pytestmark = [pytest.mark.slow, pytest.mark.compiled_quickly]


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
