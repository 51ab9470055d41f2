"""A disk that is really full, and not by a simulated error: a sentence, and nothing is lost."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import xarray as xr

from landscape.store import places
from landscape.store.results import Store
from landscape.store.sealed import Unwritable
from tests.test_store import filled, one_part, record, tiny

pytestmark = pytest.mark.slow
SIZE = 2**20  # bytes of the disk
FREE = [0, 4096, 8192, 16_384, 32_768, 65_536, 131_072, 262_144]  # bytes, from nothing to enough for everything below


@pytest.fixture(autouse=True)
def no_shipped_gallery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "GALLERY", tmp_path / "shipped")


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A small disk of its own."""
    folder = tmp_path_factory.mktemp("disk")
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, text=True).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("no tmpfs can be mounted here, which takes the rights of an administrator")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@contextmanager
def filled_up_to(disk: Path, free: int) -> Iterator[None]:
    """Leaves so many bytes free on the disk."""
    ballast = disk / "ballast"
    space = os.statvfs(disk)
    ballast.write_bytes(bytes(space.f_bavail * space.f_frsize - free))
    yield
    ballast.unlink()


def write_result(store: Store) -> None:
    store.write(filled(tiny()), record(tiny()))


def write_outcome(store: Store) -> None:
    store.parts(tiny()).write("seed0-base", one_part(tiny(), 0), {})


WRITE: dict[str, Callable[[Store], None]] = {
    "a result": write_result,
    "an outcome of a task": write_outcome,
}


@pytest.mark.parametrize("write", WRITE.values(), ids=WRITE)
def test_a_full_disk_loses_nothing_and_shows_nothing_by_halves(
    disk: Path, write: Callable[[Store], None], request: pytest.FixtureRequest
) -> None:
    """Whatever is written, at whichever byte the disk ends: what was there before stays, and no piece remains."""
    store, before = Store(disk / request.node.callspec.id.replace(" ", "-")), tiny(seeds=3)
    store.write(filled(before), record(before))
    expected, failed = store.read(before.key), 0
    for free in FREE:
        with filled_up_to(disk, free):
            there = {path for path in store.root.rglob("*") if path.is_file()}
            try:
                write(store)
            except Unwritable as error:
                failed += 1
                assert str(store.root) in str(error)
                left = {path for path in store.root.rglob("*") if path.is_file()} - there
                assert {path.suffix for path in left} <= {".lock"}
            assert not store.verify().damaged
            xr.testing.assert_identical(store.read(before.key), expected)
    assert 0 < failed < len(FREE)
    write(store)
