"""A process that is killed at any call by which it changes the cache folder loses nothing that was there before."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import xarray as xr

from landscape.cli.parser import main
from landscape.store import places
from landscape.store.results import Store
from tests.test_full_disk import WRITE
from tests.test_store import filled, record, tiny

pytestmark = pytest.mark.slow

CALLS = {"open", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.truncate"}  # as Python audits them


def write_until(write: Callable[[Store], None], root: Path, last: int) -> None:
    """Ends this process at the call of this number that touches the folder, or has what it wrote reach the disk."""
    numbers = itertools.count()

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        if event in CALLS and any(str(root) in str(each) for each in arguments):
            die_at_last()

    def die_at_last() -> None:
        if next(numbers) == last:
            os.kill(os.getpid(), signal.SIGKILL)

    def fsync(descriptor: int, sync: Callable[[int], None] = os.fsync) -> None:
        die_at_last()
        sync(descriptor)

    os.fsync = fsync
    sys.addaudithook(count)
    write(Store(root))


@pytest.mark.parametrize("write", WRITE.values(), ids=WRITE)
def test_what_was_stored_before_a_kill_stays_and_no_piece_is_shown(
    write: Callable[[Store], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "GALLERY", tmp_path / "no gallery")
    store, before = Store(tmp_path / "cache"), tiny(seeds=3)
    store.write(filled(before), record(before))
    expected, fork = store.read(before.key), multiprocessing.get_context("fork")
    for last in itertools.count():
        process = fork.Process(target=write_until, args=(write, store.root, last))
        process.start()
        process.join(60)
        assert process.exitcode in (0, -signal.SIGKILL)
        xr.testing.assert_identical(store.read(before.key), expected)
        if process.exitcode == 0:
            break
        if tiny().key in store:  # it is whole, and goes, so that the next process has everything to do
            xr.testing.assert_identical(store.read(tiny().key), filled(tiny()))
            shutil.rmtree(store.entry(tiny().key).folder)
        store.parts(tiny()).remove()
    assert last > 5, "there are calls to be killed at"
    assert not store.verify().damaged
    assert main(["cache", "prune", "--cache", str(store.root)]) == 0
    assert not list(store.root.rglob(".tmp-*")) and list(store.parts(tiny()).read() or store.entries().entries)
