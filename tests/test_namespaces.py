"""A scheduler and its workers in network namespaces of their own, as on machines of their own: `pytest -m long`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import xarray as xr

from landscape.jobs.background.client import Jobs, connect
from landscape.store.results import Store
from landscape.study import from_toml
from tests.test_kills import PATIENCE, Kept, ended, undisturbed, untimed

__all__ = ["undisturbed"]  # a fixture

NAME = f"ls{os.getpid() % 10_000}"  # of what is made here
NETWORK = "10.213.77"
Start = Callable[..., subprocess.Popen[bytes]]


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@pytest.fixture
def machine() -> Iterator[Start]:
    """Starts a command of Dask on the machine of a number, behind a command of the shell: another network each."""
    with ExitStack() as stack:
        try:
            ip("link", "add", NAME, "type", "bridge")
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("no network can be made here, which takes the rights of an administrator")
        stack.callback(ip, "link", "del", NAME)
        ip("addr", "add", f"{NETWORK}.1/24", "dev", NAME)
        ip("link", "set", NAME, "up")

        def start(number: int, command: str, *options: str, first: str = "true") -> subprocess.Popen[bytes]:
            space, cable = f"{NAME}-{number}", f"{NAME}v{number}"
            ip("netns", "add", space)
            stack.callback(ip, "netns", "del", space)
            ip("link", "add", cable, "master", NAME, "up", "type", "veth", "peer", "name", "eth0", "netns", space)
            for each in (
                ("addr", "add", f"{NETWORK}.{number}/24", "dev", "eth0"),
                *(("link", "set", name, "up") for name in ("eth0", "lo")),
            ):
                ip("-n", space, *each)
            dask = f"exec {sys.executable} -m distributed.cli.dask_{command} {' '.join(options)} --no-dashboard"
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            process = subprocess.Popen(["ip", "netns", "exec", space, "sh", "-c", f"{first} && {dask}"], **quiet)
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process

        yield start


@pytest.mark.long
def test_a_study_on_three_machines_of_which_one_is_lost_and_one_sees_another_folder(
    machine: Start, undisturbed: tuple[Path, xr.Dataset, float], tmp_path: Path
) -> None:
    """It ends with the numbers of one process, and computes nothing finished again."""
    (file, result, longest), cache, address = undisturbed, tmp_path / "cache", f"tcp://{NETWORK}.2:8786"
    cache.mkdir()
    worker = (address, "--nthreads", "1", "--memory-limit", "0", "--no-nanny", "--local-directory", str(tmp_path))
    machine(2, "scheduler", "--host", f"{NETWORK}.2")
    blind = f"mount -t tmpfs tmpfs {cache}"  # in a namespace of its own, so that nobody else sees it
    workers = [machine(3, "worker", *worker, first=blind), *(machine(i, "worker", *worker) for i in (4, 5))]
    study, kept, jobs = from_toml(file), Kept(cache), connected(cache, address)
    jobs._client.wait_for_workers(len(workers), timeout=PATIENCE)
    jobs.submit(study)
    assert ended(jobs, study.key, longest / 2) in ("running", "done")
    kept.check()
    workers[-1].kill()
    assert ended(jobs, study.key, PATIENCE) == "done"
    kept.check()
    (refused,) = jobs.known()[study.key].refused.values()
    jobs.close()
    assert f"{NETWORK}.3:" in refused and f"does not see the cache folder {cache}: all need the same folder" in refused
    xr.testing.assert_identical(untimed(Store(cache).read(study.key)), result)
    shutil.rmtree(cache)


def connected(cache: Path, address: str) -> Jobs:
    """A client of the scheduler, once that listens."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return connect(cache, address)
        except OSError:
            if time.monotonic() > until:
                raise
