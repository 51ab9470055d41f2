"""The engine: a Dask scheduler and one worker process a device or core, in a process of its own beside the app.

The first client that needs it starts it (`python -m landscape engine`), and others find it through the file
`.engine/scheduler.json` in the cache folder. It listens on the loopback interface only, to whoever can read the key in
that folder, and ends by itself when it has been idle.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, contextmanager, suppress
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import dask
from distributed import Nanny, Scheduler, Security
from distributed.comm import connect
from distributed.core import Status
from filelock import FileLock

from landscape.jobs.background.worker import WORKERS
from landscape.jobs.guard import credentials
from landscape.jobs.guard.hung import kill, replace_hung
from landscape.jobs.guard.private import private_folder
from landscape.jobs.installed import require_computing
from landscape.jobs.local import PREALLOCATE
from landscape.jobs.processes import capacity, programs
from landscape.store.sealed import Unwritable

IDLE = 600.0  # seconds without work after which the engine ends
DEATHS = 1  # how many deaths of its worker a task may cause and is still tried again
STARTUP = 60.0  # seconds that a start may take
ANSWER = 5.0  # seconds that an engine has to answer who it is, on a computer that is busy
DATA = ("TFDS_DATA_DIR", "WIKITEXT_DIR")  # environment variables that name folders of data

CONFIGURATION: dict[str, Any] = {
    "distributed.scheduler.worker-ttl": None,  # `replace_hung` knows better
    "distributed.scheduler.http.routes": [],  # pages that every user of this computer could read
    "distributed.worker.http.routes": [],
}
OF_WORKERS: dict[str, Any] = {"distributed.comm.timeouts.connect": "24h"}  # an engine that stands still may go on
LOCAL: dict[str, Any] = {"protocol": "tls", "host": "127.0.0.1", "dashboard": False, "dashboard_address": "127.0.0.1:0"}


class EngineError(RuntimeError):
    """The engine did not start. The message ends with the last lines of its log."""


class Place(NamedTuple):
    """Where a worker runs: its environment variables, and the tags by which large tasks find it."""

    environment: dict[str, str]
    tags: dict[str, float] | None = None


async def serve(root: Path, idle: float = IDLE) -> None:
    """Run the engine of a cache folder until it has been idle for `idle` seconds."""
    folder, places, shared = private_folder(root / ".engine"), devices(), programs.environment(root)
    local = {"security": credentials.made(folder), **LOCAL}
    own = {"nthreads": 1, "memory_limit": None, "local_directory": str(folder), "config": OF_WORKERS, **local}
    async with AsyncExitStack() as stack:
        stack.enter_context(dask.config.set(CONFIGURATION))
        scheduler = Scheduler(idle_timeout=idle, allowed_failures=DEATHS, **local)
        await stack.enter_async_context(scheduler)
        with published(folder / "scheduler.json", scheduler.address, scheduler.id):
            workers = [
                Nanny(scheduler.address, env=place.environment | shared, resources=place.tags, **own)
                for place in places
            ]
            await asyncio.gather(*map(stack.enter_async_context, workers))
            watch = asyncio.create_task(replace_hung(scheduler, workers))
            stack.callback(watch.cancel)
            await scheduler.finished()
            for nanny in workers:  # one that is starting would look for the scheduler for a day
                if nanny.process and nanny.process.status != Status.running:
                    kill(nanny)


@contextmanager
def published(file: Path, address: str, identity: str) -> Iterator[None]:
    """Write down in a file where an engine listens and which one it is, until it ends.

    Where another engine has taken its place meanwhile, the file of that one stays.
    """
    content = json.dumps({"address": address, "id": identity})
    temporary = file.with_suffix(f".{os.getpid()}")
    temporary.write_text(content)
    temporary.replace(file)
    try:
        yield
    finally:
        with suppress(OSError):
            if file.read_text() == content:
                file.unlink()


def devices() -> list[Place]:
    """Where the workers run: one a GPU, each of which sees its own; without a GPU, as many as the processor feeds.

    JAX counts the devices in a process of its own, since it takes hold of the devices that it lists. A worker takes
    memory as it needs it, and leaves the rest to others. Raises RuntimeError where JAX does not start.
    """
    if not _may_have_gpus():
        return [Place({}, tags) for tags in capacity.tags()]
    code = "import jax; print(jax.default_backend(), jax.local_device_count())"
    counted = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    if counted.returncode:
        raise RuntimeError("JAX does not start: " + "".join(counted.stderr.strip().splitlines()[-1:]))
    backend, count = counted.stdout.split()[-2:]
    if backend != "gpu":
        return [Place({}, tags) for tags in capacity.tags()]
    shared = {PREALLOCATE: "false", WORKERS: count}
    return [
        Place({f"JAX_{kind}_VISIBLE_DEVICES": str(i) for kind in ("CUDA", "ROCM")} | shared) for i in range(int(count))
    ]


def _may_have_gpus() -> bool:
    """Whether JAX could find other devices than the processor, or is told where to look: asking it takes a second."""
    told = os.environ.get("JAX_PLATFORMS", "cpu") != "cpu"
    return told or find_spec("jax_plugins") is not None or bool(entry_points(group="jax_plugins"))


def address(root: Path) -> str | None:
    """Where the engine of this cache folder listens, or None where none is alive.

    Another program may have taken the port of an engine that was killed, and may accept and say nothing. So whoever
    listens there is asked for the identity that the engine has written down, and has `ANSWER` seconds for it.
    """
    try:
        folder = root / ".engine"
        written, security = json.loads((folder / "scheduler.json").read_text()), credentials.of_engine(folder)
        with ThreadPoolExecutor(1) as own:  # the caller's thread may have a running loop, as a notebook's does
            answer = own.submit(asyncio.run, _identity(written["address"], security)).result()
        return written["address"] if answer == written["id"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


async def _identity(address: str, security: Security) -> str:
    """The identity of the scheduler at an address. Raises OSError where none answers in time."""
    shown = security.get_connection_args("client")
    reached = connect(address, **shown)  # its own timeout does not hold for the first answer
    comm = await asyncio.wait_for(reached, ANSWER)
    try:
        await comm.write({"op": "identity"})
        return (await asyncio.wait_for(comm.read(), ANSWER))["id"]
    finally:
        comm.abort()


def started(root: Path) -> str:
    """The address of this cache folder's engine, which is started if it is not alive. One of several callers does so.

    Raises NotInstalled on an installation that only looks at results, Unwritable where the folder cannot be written
    to, and EngineError where the engine does not start.
    """
    require_computing()
    folder = private_folder(root / ".engine")
    try:
        with FileLock(folder / "lock", timeout=STARTUP):
            return address(root) or _start(root, folder)
    except OSError as error:
        raise Unwritable(f"cannot write to {root}: {error.strerror or error}") from error


def _start(root: Path, folder: Path) -> str:
    """Start the engine in a session of its own, so that it outlives this process and does not get its Ctrl-C."""
    (folder / "scheduler.json").unlink(missing_ok=True)
    command = [sys.executable, "-P", "-m", "landscape", "engine", "--cache", str(root)]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            command,
            cwd=root,  # the folder from which this process was started may go while the engine lives
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + STARTUP
    while process.poll() is None and time.monotonic() < deadline:
        if found := address(root):
            return found
        time.sleep(0.05)
    last = (folder / "log").read_text(errors="replace").splitlines()[-5:]
    raise EngineError("\n".join([f"the engine did not start; the end of {folder / 'log'}:", *last]))


def environment() -> dict[str, str]:
    """The environment of an engine: it starts in another folder, and must find the same modules and data there.

    So all paths are absolute. The package need not be installed: its folder may be on the search path because this
    process was started there.
    """
    data = {name: os.path.abspath(Path(os.environ[name]).expanduser()) for name in DATA if os.environ.get(name)}
    return os.environ | data | {"PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))}
