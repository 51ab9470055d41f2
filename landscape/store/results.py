"""Results on disk: `cache/<key>/` for what was computed here, `cache/gallery/<name>/` for what is shipped.

An entry is a sealed folder (`landscape.store.sealed`) of `result.nc`, NetCDF-4, and `record.json`, which tells of
what study, by which versions and on which device it was computed. Whatever is read is verified first; a
damaged entry is named, set aside and never shown. Parts of an unfinished study are sealed folders too, in
`cache/.parts/<key>/<task>/`.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import xarray as xr

from landscape.store import netcdf
from landscape.store.partial import Parts, study_of
from landscape.store.sealed import RECORD, DamagedEntry, Record, discard, folders, read_sealed, write_sealed
from landscape.study import Study, schema, validated
from landscape.study.presets import presets

CHECKOUT = Path(__file__).resolve().parents[2]
GALLERY = CHECKOUT / "cache" / "gallery"
RESULT, PARTS = "result.nc", ".parts"


class Entry(NamedTuple):
    """One stored result. `record` holds key, name, study, versions, device, seconds, computed and sha256."""

    key: str
    name: str
    title: str
    folder: Path
    shipped: bool
    record: Record

    @property
    def path(self) -> Path:
        """The NetCDF file."""
        return self.folder / RESULT


class Listing(NamedTuple):
    """Intact entries, those computed here first, and damaged ones by name and reason."""

    entries: list[Entry]
    damaged: list[DamagedEntry]


class Store:
    """A cache folder, made when something is first written to it.

    `root=None` is the folder named by the environment variable LANDSCAPE_CACHE, or `cache/` at the top of the
    checkout. The shipped gallery is seen from every folder; nothing but `publish` writes to a gallery.
    """

    def __init__(self, root: str | Path | None = None):
        self.root = Path(root or os.environ.get("LANDSCAPE_CACHE") or CHECKOUT / "cache").absolute()

    def write(self, dataset: xr.Dataset, record: Record) -> Entry:
        """Store a result; `record` tells of it: see `Entry`. Raises Unwritable, and the dataset is still yours."""
        write_sealed(self.root / record["key"], {RESULT: netcdf.encode(dataset)}, record)
        return self.entry(record["key"])

    def publish(self, key: str, name: str) -> Entry:
        """Copy an entry to this folder's gallery, in place of what has that name there."""
        record, files = read_sealed(self.entry(key).folder)
        folder = self.root / "gallery" / name
        fresh = folder.with_name(f".new-{name}")
        shutil.rmtree(fresh, ignore_errors=True)
        write_sealed(fresh, files, record)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(fresh, folder)
        return _entry(folder, shipped=True)

    def read(self, key: str) -> xr.Dataset:
        """The result with this key, verified.

        Raises DamagedEntry, having set the entry aside unless it is shipped, and ValueError where there is none.
        """
        folder = self._folder(key)
        try:
            return _verified(folder, key)
        except DamagedEntry as damage:
            if folder.parent == self.root:
                discard(folder, damage)
            raise

    def entry(self, key: str) -> Entry:
        """The entry with this key. Raises DamagedEntry, and ValueError where there is none."""
        folder = self._folder(key)
        return _entry(folder, shipped=folder.parent != self.root)

    def __contains__(self, key: str) -> bool:
        try:
            return self.entry(key).key == key
        except ValueError:
            return False

    def entries(self) -> Listing:
        """Everything stored here or shipped. Never raises for what it finds."""
        listing = Listing([], [])
        for folder in (*self._computed(), *self._galleries()):
            try:
                listing.entries.append(_entry(folder, shipped=folder.parent != self.root))
            except DamagedEntry as damage:
                listing.damaged.append(damage)
        return listing

    def find(self, text: str) -> Entry:
        """The entry that a preset's or study's name, a key, or the first four or more digits of a key means.

        A preset's name means the preset as it is, and a study of that name at another size only where it is
        the only one. Raises DamagedEntry, and ValueError that lists what there is for nothing or several.
        """
        listing = self.entries()
        for damage in listing.damaged:
            if damage.name == text:
                raise damage
        entries = {entry.key: entry for entry in reversed(listing.entries)}
        exact = presets().get(text)
        if exact and exact.key in entries:
            return entries[exact.key]
        begins = re.fullmatch("[0-9a-f]{4,}", text) is not None
        found = [entry for entry in entries.values() if entry.name == text]
        found = found or [entry for key, entry in entries.items() if begins and key.startswith(text)]
        if len(found) == 1:
            return found[0]
        there = ", ".join(f"{entry.name} ({entry.key})" for entry in found or entries.values()) or "none yet"
        raise ValueError(f"{text!r} names {'several results' if found else 'no result'}; there are: {there}")

    def open(self, text: str | Path) -> xr.Dataset:
        """The result that `find` finds, or the one in a `.nc` file. Raises ValueError that names what is wrong."""
        return netcdf.read(text) if Path(text).suffix == ".nc" else self.read(self.find(str(text)).key)

    def parts(self, study: Study) -> Parts:
        """The outcomes kept of a study that is not finished."""
        return Parts(self.root / PARTS / study.key, study)

    def begun(self) -> list[Study]:
        """Studies of which outcomes are kept, and no result; those of another version are passed over."""
        first = (folders(folder)[:1] for folder in folders(self.root / PARTS))
        studies = (study_of(part) for parts in first for part in parts)
        return [study for study in studies if study and study.key not in self]

    def partial(self, study: Study) -> xr.Dataset:
        """The result so far: NaN, or −1, where no outcome has been kept yet."""
        return schema.assemble(study, self.parts(study).results())

    def _folder(self, key: str) -> Path:
        if re.fullmatch("[0-9a-f]{16}", key) is None:
            raise ValueError(f"a key is 16 hexadecimal digits; got {key!r}")
        if os.path.lexists(self.root / key):
            return self.root / key
        for folder in self._galleries():
            record = _examined(folder, _stamp(folder))
            if not isinstance(record, DamagedEntry) and record["key"] == key:
                return folder
        raise ValueError(f"no result with key {key} in {self.root}")

    def _computed(self) -> Iterator[Path]:
        return (folder for folder in folders(self.root) if folder.name != "gallery")

    def _galleries(self) -> Iterator[Path]:
        for gallery in dict.fromkeys((self.root / "gallery", GALLERY)):
            yield from folders(gallery)


def _entry(folder: Path, *, shipped: bool) -> Entry:
    """The entry in a folder, its files verified. Raises DamagedEntry."""
    record = _examined(folder, _stamp(folder))
    if isinstance(record, DamagedEntry):
        raise record
    if not shipped and record["key"] != folder.name:
        raise DamagedEntry(folder.name, f"it holds the result with key {record['key']}")
    return Entry(record["key"], record["name"], record["title"], folder, shipped, record)


def _stamp(folder: Path) -> tuple[tuple[int, int], ...]:
    """Changes whenever a file in the folder does."""
    try:
        stats = [(folder / name).stat() for name in (RECORD, RESULT)]
    except OSError:
        return ()
    return tuple((stat.st_mtime_ns, stat.st_size) for stat in stats)


@lru_cache(maxsize=4096)
def _examined(folder: Path, stamp: tuple[tuple[int, int], ...]) -> Record | DamagedEntry:
    """The record of a folder or what is wrong with it, worked out once for each state of its files."""
    try:
        record, _ = read_sealed(folder)
        study = validated(record["study"])
    except DamagedEntry as damage:
        return damage
    except (ValueError, KeyError) as error:
        return DamagedEntry(folder.name, f"{RECORD}: {error}")
    if study.key != record.get("key"):
        return DamagedEntry(folder.name, "it was computed by another version of this program")
    return record


def _verified(folder: Path, key: str) -> xr.Dataset:
    record, files = read_sealed(folder)
    try:
        dataset = netcdf.decode(files[RESULT])
        keys = {record["key"], netcdf.check(dataset).key}
    except (ValueError, KeyError) as error:
        raise DamagedEntry(folder.name, str(error)) from None
    if keys != {key}:
        raise DamagedEntry(folder.name, f"it holds the result with key {', '.join(keys - {key})}")
    return dataset


def open_study(text: str | Path, cache: str | Path | None = None) -> xr.Dataset:
    """A stored result by name, key (or its first digits), or path of a `.nc` file; computes nothing.

    Raises ValueError that lists what there is.
    """
    return Store(cache).open(text)
