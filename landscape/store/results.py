"""Results on disk: `<cache>/<key>/` for what was computed here, `gallery/<name>/` for what is shipped.

An entry is a sealed folder (`landscape.store.sealed`) that holds `result.nc`, a NetCDF-4 file, and `record.json`, which
says which study it is a result of, and by which versions and on which device it was computed. Files are verified
before anything in them is used. A damaged entry is named and set aside, and its numbers are never shown.
`landscape.store.places` says where the cache folder and the gallery are; `landscape.store.partial` keeps what there
is of unfinished studies, in `<cache>/.parts/<key>/<task>/`.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, TypeAlias

import xarray as xr

from landscape.store import netcdf, places
from landscape.store.partial import Parts, study_of
from landscape.store.sealed import RECORD, DamagedEntry, Record, children, discard, folders, read_sealed, write_sealed
from landscape.study import Study, recorded, schema
from landscape.study.presets import presets

RESULT, PARTS = "result.nc", ".parts"
FIELDS: dict[str, type | tuple[type, ...]] = {  # of a record that an entry cannot do without
    **dict.fromkeys(("key", "name", "title", "device", "computed"), str),
    **dict.fromkeys(("study", "versions"), dict),
    "seconds": (int, float),
}
KINDS: dict[type | tuple[type, ...], str] = {str: "text", dict: "a table", (int, float): "a number"}
KEY = re.compile("[0-9a-f]{16}")

Fingerprint: TypeAlias = tuple[tuple[int, int], ...]


class Entry(NamedTuple):
    """One stored result.

    key, name, title: of its study; folder: where its files are; shipped: whether it lies in a gallery; record: the
    content of `record.json` (key, name, title, study, schema, versions, device, seconds, computed, sha256, seal).
    """

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

    @property
    def timed_here(self) -> bool:
        """Whether its time says something of this machine: it was computed here, or shipped from a processor."""
        return not self.shipped or self.record["device"].endswith("cores")


class Listing(NamedTuple):
    """What a store holds: the intact entries, those computed here before those shipped, and the damaged ones."""

    entries: list[Entry]
    damaged: list[DamagedEntry]


class Store:
    """The results in one cache folder, and the shipped ones, which every store sees.

    `root` is the cache folder; None is the one that `landscape.store.places` finds. The folder is made when something
    is first written to it. Only `publish` writes to a gallery.
    """

    def __init__(self, root: str | Path | None = None):
        self.root = places.cache_folder(root)

    def write(self, dataset: xr.Dataset, record: Record) -> Entry:
        """Store a result with its record, whose fields `Entry` names.

        An intact entry with the same key stays as it is. Raises Unwritable where the folder cannot be written to.
        """
        write_sealed(self.root / record["key"], {RESULT: netcdf.encode(dataset)}, record)
        return self.entry(record["key"])

    def publish(self, key: str, name: str) -> Entry:
        """Copy an entry into the gallery of this folder, in place of what has that name there.

        Raises ValueError where there is no such entry, DamagedEntry, and Unwritable; the old one then stays.
        """
        record, files = read_sealed(self.entry(key).folder)
        folder = self.root / "gallery" / name
        fresh = folder.with_name(f".new-{name}")
        shutil.rmtree(fresh, ignore_errors=True)
        write_sealed(fresh, files, record)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(fresh, folder)
        return _entry(folder, shipped=True)

    def read(self, key: str) -> xr.Dataset:
        """The result with this key, verified against its record, its study and the schema.

        Raises ValueError where there is none, and DamagedEntry after the entry was set aside (a shipped one stays).
        """
        folder = self._folder(key)
        try:
            return _read_verified(folder, key)
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
        """Everything that was computed here or is shipped. Damage is listed, not raised."""
        listing = Listing([], [])
        for folder in (*_keyed(self.root), *self._published()):
            try:
                listing.entries.append(_entry(folder, shipped=folder.parent != self.root))
            except DamagedEntry as damage:
                listing.damaged.append(damage)
        return listing

    def find(self, text: str) -> Entry:
        """The entry that `text` stands for: the name of a study, a key, or at least the first four digits of a key.

        The name of a preset stands for the preset at its own size, and for another study of that name only if
        there is exactly one. Raises DamagedEntry, and ValueError where no entry fits or several do; the message
        lists them.
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
        known = ", ".join(f"{entry.name} ({entry.key})" for entry in found or entries.values()) or "none yet"
        raise ValueError(f"{text!r} names {'several results' if found else 'no result'}; there are: {known}")

    def open(self, text: str | Path) -> xr.Dataset:
        """The result in a `.nc` file, or that of the entry which `find` finds. Raises ValueError if there is none."""
        return netcdf.read(text) if Path(text).suffix.lower() == ".nc" else self.read(self.find(str(text)).key)

    def parts(self, study: Study) -> Parts:
        """The outcomes of tasks that are kept until a study is finished."""
        return Parts(self.root / PARTS / study.key, study)

    def begun(self) -> list[Study]:
        """The studies that were begun and not finished, as far as this version can read what is kept of them."""
        readable = (filter(None, map(study_of, folders(folder))) for folder in _keyed(self.root / PARTS))
        studies = (next(studies, None) for studies in readable)
        return [study for study in studies if study and study.key not in self]

    def partial(self, study: Study) -> xr.Dataset:
        """The result so far. What has not been computed is NaN, or −1 in variables of integers."""
        return schema.assemble(study, self.parts(study).results())

    def _folder(self, key: str) -> Path:
        if KEY.fullmatch(key) is None:
            raise ValueError(f"a key is 16 hexadecimal digits; got {key!r}")
        if os.path.lexists(self.root / key):
            return self.root / key
        for folder in self._published():
            record = _record_or_damage(folder, _fingerprint(folder))
            if not isinstance(record, DamagedEntry) and record["key"] == key:
                return folder
        raise ValueError(f"no result with key {key} in {self.root}")

    def _published(self) -> Iterable[Path]:
        """The entries of both galleries; one in this folder's own replaces a shipped one of the same name."""
        galleries = (places.GALLERY, self.root / "gallery")
        return {folder.name: folder for gallery in galleries for folder in folders(gallery)}.values()


def _keyed(parent: Path) -> list[Path]:
    """What a folder holds under the name of a key, sorted, be it a folder or not; all else there is not ours."""
    return [path for path in children(parent) if KEY.fullmatch(path.name)]


def _entry(folder: Path, *, shipped: bool) -> Entry:
    """The entry in a folder, whose files are verified first. Raises DamagedEntry."""
    record = _record_or_damage(folder, _fingerprint(folder))
    if isinstance(record, DamagedEntry):
        raise record
    if not shipped and record["key"] != folder.name:
        raise DamagedEntry(folder.name, f"it holds the result with key {record['key']}")
    return Entry(record["key"], record["name"], record["title"], folder, shipped, record)


def _fingerprint(folder: Path) -> Fingerprint:
    """Times of modification and sizes of an entry's files, which differ once a file has changed."""
    try:
        stats = [(folder / name).stat() for name in (RECORD, RESULT)]
    except OSError:
        return ()
    return tuple((stat.st_mtime_ns, stat.st_size) for stat in stats)


@lru_cache(maxsize=4096)
def _record_or_damage(folder: Path, fingerprint: Fingerprint) -> Record | DamagedEntry:
    """The verified record of an entry, or what is wrong with the entry.

    Verifying reads all its files, so the outcome is remembered until the fingerprint changes.
    """
    try:
        record, _ = read_sealed(folder)
        _check_fields(record)
        study = recorded(record["study"])
    except DamagedEntry as damage:
        return damage
    except ValueError as error:
        return DamagedEntry(folder.name, f"{RECORD}: {error}")
    if study.key != record.get("key"):
        return DamagedEntry(folder.name, "it was computed by another version of this program")
    return record


def _check_fields(record: Record) -> None:
    """Raises ValueError that names the first field of a record that is missing, or is not what lists can show."""
    for name, kind in FIELDS.items():
        if not isinstance(record.get(name), kind):
            raise ValueError(f"{name} must be {KINDS[kind]}; it is {record.get(name)!r:.80}")
    if not 0 <= record["seconds"] < float("inf"):
        raise ValueError(f"seconds must be a finite number from 0 on; it is {record['seconds']!r:.80}")


def _read_verified(folder: Path, key: str) -> xr.Dataset:
    """The result in a folder. Raises DamagedEntry unless files, schema and both keys are what they must be."""
    record, files = read_sealed(folder)
    try:
        _check_fields(record)
        dataset = netcdf.decode(files[RESULT])
        keys = {recorded(record["study"]).key, record["key"], dataset.attrs["key"]}
    except (ValueError, KeyError) as error:
        raise DamagedEntry(folder.name, str(error)) from None
    if keys != {key}:
        raise DamagedEntry(folder.name, f"it holds the result with key {', '.join(keys - {key})}")
    return dataset


def open_study(text: str | Path, cache: str | Path | None = None) -> xr.Dataset:
    """Opens a stored result. Nothing is computed; `landscape.run` does that.

    Everything that is read is verified first: the files against the checksums of their record, the dataset against
    its study and the schema (`landscape.study.schema`, which defines each variable and its unit).

    Example:
        >>> import landscape as ll
        >>> result = ll.open_study("digits-mlp")
        >>> dict(result.barrier.sizes)
        {'seed': 10, 'candidate': 5, 'checkpoint': 9, 'permutation': 1000}
        >>> result.barrier.attrs["units"]
        'nats'

    Args:
      text: the name of a study, as `python -m landscape list` prints it; a key of 16 hexadecimal digits, or at least
        its first four; or the path of a `.nc` file that `python -m landscape export` wrote.
      cache: the folder of stored results. By default the one that `LANDSCAPE_CACHE` names, else `cache/` of the
        checkout that the current directory lies in, else the user's cache directory. Shipped results are found
        with any folder.

    Returns:
      The result, with all its numbers in memory. Its attributes hold the study, as JSON, and the study's key.

    Raises:
      ValueError: if nothing has that name or several results do, which the message lists, or if a file is no result.
      DamagedEntry: (a ValueError) if the entry does not fit its checksums; it is set aside and can be computed again.
    """
    return Store(cache).open(text)
