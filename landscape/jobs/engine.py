"""The engine: a Dask scheduler and one worker process a device, in a process of its own beside the app.

It is started by the first client that needs it (`python -m landscape engine`), found by the others through the
scheduler file in `cache/.engine/`, listens on loopback only, and ends by itself when it has been idle.
"""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from distributed import Nanny, Scheduler
from filelock import FileLock

from landscape.sealed import Unwritable
from landscape.store import CHECKOUT

IDLE = 600.0  # seconds without work after which the engine ends
DEATHS = 1  # of a worker, after which what it computed is computed again
STARTUP = 60.0  # seconds that a start may take

LOCAL: dict[str, Any] = {"host": "127.0.0.1", "dashboard": False, "dashboard_address": "127.0.0.1:0"}


class EngineError(RuntimeError):
    """The engine did not start; the text ends with the last lines of its log."""


async def serve(root: Path, idle: float = IDLE) -> None:
    """Run the engine of a cache folder until it has been idle for `idle` seconds."""
    folder = root / ".engine"
    folder.mkdir(parents=True, exist_ok=True)
    file = str(folder / "scheduler.json")
    async with AsyncExitStack() as stack:
        scheduler = Scheduler(scheduler_file=file, idle_timeout=idle, allowed_failures=DEATHS, **LOCAL)
        await stack.enter_async_context(scheduler)
        for place in await asyncio.to_thread(devices):
            worker = Nanny(
                scheduler.address, nthreads=1, memory_limit=None, env=place, local_directory=str(folder), **LOCAL
            )
            await stack.enter_async_context(worker)
        await scheduler.finished()


def devices() -> list[dict[str, str]]:
    """The environment that gives a worker one GPU, for each GPU; one empty one where there is none.

    JAX is asked in a process of its own, as it takes hold of the devices that it lists.
    """
    code = "import jax; print(jax.default_backend(), jax.local_device_count())"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    backend, count = printed.split()[-2:]
    if backend != "gpu":
        return [{}]
    return [{f"JAX_{kind}_VISIBLE_DEVICES": str(i) for kind in ("CUDA", "ROCM")} for i in range(int(count))]


def address(root: Path) -> str | None:
    """Where the engine of this cache folder listens, or None where none is alive."""
    try:
        found = json.loads((root / ".engine" / "scheduler.json").read_text())["address"]
        with socket.create_connection((urlsplit(found).hostname, urlsplit(found).port), timeout=1):
            return found
    except (OSError, ValueError, KeyError, TypeError):
        return None


def started(root: Path) -> str:
    """The address of this cache folder's engine, started if it is not alive; of several callers one starts it.

    Raises Unwritable where the folder cannot be written to, and EngineError where the engine does not start.
    """
    folder = root / ".engine"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "lock", timeout=STARTUP):
            return address(root) or _start(root, folder)
    except OSError as error:
        raise Unwritable(f"cannot write to {root}: {error.strerror or error}") from error


def _start(root: Path, folder: Path) -> str:
    """In a session of its own, so that it outlives this process and does not get its Ctrl-C."""
    (folder / "scheduler.json").unlink(missing_ok=True)
    command = [sys.executable, "-m", "landscape", "engine", "--cache", str(root)]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            command, cwd=CHECKOUT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    deadline = time.monotonic() + STARTUP
    while process.poll() is None and time.monotonic() < deadline:
        if found := address(root):
            return found
        time.sleep(0.05)
    last = (folder / "log").read_text(errors="replace").splitlines()[-5:]
    raise EngineError("\n".join([f"the engine did not start; the end of {folder / 'log'}:", *last]))
