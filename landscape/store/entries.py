"""Entries of the store: a sealed folder with `record.json`, which lists need, and `result.nc`, which is read later."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, TypeAlias

from landscape.store.fields import EARLIER, TAKEN, UPLOADED, described
from landscape.store.sealed import RECORD, DamagedEntry, Record, read_sealed
from landscape.study import Study
from landscape.study.limits import MOST_LINE

RESULT = "result.nc"
KEY = re.compile("[0-9a-f]{16}")
MOST_ENTRIES = 8192  # whose records are remembered

Fingerprint: TypeAlias = tuple[tuple[int, int], ...]


class Entry(NamedTuple):
    """One stored result.

    Attributes:
      key, name, title: of its study.
      folder: where its files are.
      shipped: whether it lies in a gallery.
      record: the content of `record.json`: key, name, title, study, schema, versions, device, seconds, computed,
        sha256 and seal.
      study: the one that the record names.
    """

    key: str
    name: str
    title: str
    folder: Path
    shipped: bool
    record: Record
    study: Study

    @property
    def path(self) -> Path:
        """The NetCDF file."""
        return self.folder / RESULT

    @property
    def timed_here(self) -> bool:
        """Whether its time says how long such a study takes here: it was computed here, or shipped from a processor.

        Where some of it had been computed before, it says little.
        """
        if self._continued:
            return False
        return self.record["device"].endswith("cores") if self.shipped else not self.uploaded

    @property
    def timed_on_gpu(self) -> bool:
        """Whether its time says how long such a study takes on a GPU."""
        return not (self._continued or self.uploaded or self.record["device"].endswith("cores"))

    @property
    def _continued(self) -> bool:
        """Whether some of it had been computed before: by another study, or for fewer seeds."""
        return bool(self.record.get(TAKEN) or self.record.get(EARLIER))

    @property
    def uploaded(self) -> bool:
        """Whether somebody brought its file, so that only that file says where its numbers come from."""
        return UPLOADED in self.record

    @property
    def size(self) -> int:
        """The bytes of its files."""
        return sum(size for _, size in fingerprint(self.folder))


class Listing(NamedTuple):
    """What a store holds: the intact entries, those computed here before those shipped, and the damaged ones."""

    entries: list[Entry]
    damaged: list[DamagedEntry]


def entry_in(folder: Path, *, shipped: bool) -> Entry:
    """The entry in a folder by its record, which is verified; its result is not read. Raises DamagedEntry."""
    found = _record_or_damage(folder, fingerprint(folder))
    if isinstance(found, DamagedEntry):
        raise found
    record, study = found
    if not shipped and record["key"] != folder.name:
        raise DamagedEntry(folder.name, f"it holds the result with key {record['key']}")
    return Entry(record["key"], record["name"], record["title"], folder, shipped, record, study)


def verified(entry: Entry) -> Entry:
    """The entry, once all its files have been compared with their checksums. Raises DamagedEntry."""
    if damage := _damage(entry.folder, fingerprint(entry.folder)):
        raise damage
    return entry


def fingerprint(folder: Path) -> Fingerprint:
    """Times of modification and sizes of an entry's files, which differ once a file has changed."""
    try:
        stats = [(folder / name).stat() for name in (RECORD, RESULT)]
    except OSError:
        return ()
    return tuple((stat.st_mtime_ns, stat.st_size) for stat in stats)


@lru_cache(maxsize=MOST_ENTRIES)
def _record_or_damage(folder: Path, fingerprint: Fingerprint) -> tuple[Record, Study] | DamagedEntry:
    """The record of an entry and its study, or what is wrong with them; remembered until the fingerprint changes."""
    try:
        record, _ = read_sealed(folder, () if fingerprint else None)  # all, where one is missing, to name it
        study = described(record)
    except DamagedEntry as damage:
        return damage
    except ValueError as error:
        return DamagedEntry(folder.name, f"{RECORD}: {error}")
    if study.key != record.get("key"):
        return DamagedEntry(folder.name, "it was computed by another version of this program")
    return record, study


@lru_cache(maxsize=MOST_ENTRIES)
def _damage(folder: Path, fingerprint: Fingerprint) -> DamagedEntry | None:
    """What is wrong with the files of an entry; None if nothing is, until the fingerprint changes."""
    try:
        read_sealed(folder)
    except DamagedEntry as damage:
        return damage
    return None


def titled(record: Record, title: str) -> Record:
    """A record with another title. Raises ValueError for a title that is empty, too long, or not one line of text."""
    text = " ".join(title.split())
    if not 0 < len(text) <= MOST_LINE or not text.isprintable():
        raise ValueError(f"a title is one line of 1 to {MOST_LINE} printable characters; got {title!r:.80}")
    return record | {"title": text, "study": record["study"] | {"title": text}}
