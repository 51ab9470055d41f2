"""Results on disk: `<cache>/<key>/` for what was computed here, `gallery/<name>/` for what is shipped.

An entry is a sealed folder (`landscape.store.sealed`) that holds `result.nc`, a NetCDF-4 file, and `record.json`, which
says which study it is a result of, and by which versions and on which device it was computed. Files are verified
before anything in them is used. A damaged entry is named and set aside, and its numbers are never shown.
`landscape.store.places` says where the cache folder and the gallery are; `landscape.store.parts.kept` keeps what there
is of unfinished studies, in `<cache>/.parts/<key>/<task>/`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import xarray as xr

from landscape.store import netcdf, places
from landscape.store.entries import KEY, RESULT, Entry, Listing, entry_in, titled, verified
from landscape.store.fields import described
from landscape.store.parts.kept import Parts, begun_study
from landscape.store.places import barred, children
from landscape.store.sealed import (
    DamagedEntry,
    Record,
    discard,
    folders,
    read_sealed,
    remove_folder,
    reseal,
    write_sealed,
)
from landscape.study import Study, schema
from landscape.study.presets import label, means, none_of, one_of, presets

PARTS = ".parts"


class Store:
    """The results in one cache folder, and the shipped ones, which every store sees.

    `root` is the cache folder; None is the one that `landscape.store.places` finds. The folder is made when something
    is first written to it. Only `publish` writes to a gallery.
    """

    def __init__(self, root: str | Path | None = None):
        self.root = places.cache_folder(root)

    def write(self, dataset: xr.Dataset, record: Record) -> Entry:
        """Store a result with its record, whose fields `Entry` names.

        An intact entry with the same key stays as it is, and one that another process removes meanwhile is written
        again. Raises Unwritable where the folder cannot be written to.
        """
        folder, files = self.root / record["key"], {RESULT: netcdf.encode(dataset)}
        while True:
            write_sealed(folder, files, record)
            try:
                return self.entry(record["key"])
            except ValueError:  # also of a damaged entry
                if os.path.lexists(folder):
                    raise

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
        return verified(entry_in(folder, shipped=True))

    def read(self, key: str) -> xr.Dataset:
        """The result with this key, verified against its record, its study and the schema.

        Raises ValueError where there is none, and DamagedEntry after the entry was set aside (a shipped one stays).
        """
        folder = self._folder(key)
        try:
            return _read_verified(folder, key)
        except DamagedEntry:
            if not os.path.lexists(folder):
                raise DamagedEntry(key, "it has been removed while it was read") from None
        try:
            return _read_verified(folder, key)  # another process may have put it there while the one before was read
        except DamagedEntry as damage:
            if folder.parent == self.root:
                discard(folder, damage)
            raise

    def entry(self, key: str) -> Entry:
        """The entry with this key, all of it verified. Raises DamagedEntry, and ValueError where there is none."""
        folder = self._folder(key)
        return verified(entry_in(folder, shipped=folder.parent != self.root))

    def remove(self, key: str) -> None:
        """Remove a result that was computed here or uploaded. Raises ValueError for any other key, and Unwritable."""
        remove_folder(self._own(key))

    def retitle(self, key: str, title: str) -> None:
        """Give a result of this folder another title; its key and its numbers stay.

        Raises ValueError for a result that is not of this folder and for a title that lists cannot show, DamagedEntry,
        and Unwritable.
        """
        folder = self._own(key)
        entry = verified(entry_in(folder, shipped=False))
        reseal(folder, titled(entry.record, title))

    def _own(self, key: str) -> Path:
        folder = self._folder(key)
        if folder.parent != self.root:
            raise ValueError(f"{key} is shipped with the program, and cannot be changed")
        return folder

    def __contains__(self, key: str) -> bool:
        try:
            return self.entry(key).key == key
        except ValueError:
            return False

    def entries(self) -> Listing:
        """Everything that was computed here or is shipped. Damage is listed, not raised.

        Only records are read, so that a thousand results are listed at once; numbers are verified before they are used.
        """
        return self._listing(lambda entry: entry)

    def verify(self) -> Listing:
        """As `entries`, once all files have been read: compared with their checksums, and checked as results."""
        return self._listing(_read_through)

    def _listing(self, checked: Callable[[Entry], Entry]) -> Listing:
        closed = ((folder, barred(folder)) for folder in (self.root, *self._galleries()))
        listing = Listing([], [DamagedEntry(str(folder), f"it cannot be read: {why}") for folder, why in closed if why])
        for folder in (*_keyed(self.root), *self._published()):
            try:
                listing.entries.append(checked(entry_in(folder, shipped=folder.parent != self.root)))
            except DamagedEntry as damage:
                listing.damaged.append(damage)
        return listing

    def find(self, text: str) -> Entry:
        """The entry that `text` stands for: the name of a study, a key or its first four or more digits, or a label.

        The name of a preset stands for the preset at its own size, and for another study of that name only if
        there is exactly one. Raises DamagedEntry, and ValueError where no entry fits or several do; the message
        has those, or the nearest ones.
        """
        listing = self.entries()
        for damage in listing.damaged:
            if damage.name == text:
                raise damage
        entries = {entry.key: entry for entry in reversed(listing.entries)}
        exact = presets().get(text)
        if exact and exact.key in entries:
            return entries[exact.key]
        found = [entry for entry in entries.values() if entry.name == text]
        found = found or [entry for entry in entries.values() if means(text, entry.name, entry.key)]
        if len(found) == 1:
            return found[0]
        if found:
            raise ValueError(f"{text!r} names several results: {one_of([f'{e.name} ({e.key})' for e in found])}")
        known = [label(entry.name, entry.key) for entry in entries.values()]
        way = f"it is computed by: python -m landscape run {text}" if exact else none_of(known, text)
        raise ValueError(f"{text!r} names no result; {way}")

    def open(self, text: str | Path) -> xr.Dataset:
        """The result in a `.nc` file, or that of the entry which `find` finds. Raises ValueError if there is none."""
        return netcdf.read(text) if Path(text).suffix.lower() == ".nc" else self.read(self.find(str(text)).key)

    def parts(self, study: Study) -> Parts:
        """The outcomes of tasks that are kept until a study is finished."""
        return Parts(self.root / PARTS / study.key, study)

    def begun(self) -> list[Study]:
        """The studies that were begun and not finished, as far as this version can read what is kept of them."""
        studies = map(begun_study, _keyed(self.root / PARTS))
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
            with contextlib.suppress(DamagedEntry):
                if entry_in(folder, shipped=True).key == key:
                    return folder
        raise ValueError(f"no result with key {key} in {self.root}")

    def _published(self) -> Iterable[Path]:
        """The entries of both galleries; one in this folder's own replaces a shipped one of the same name."""
        return {folder.name: folder for gallery in self._galleries() for folder in folders(gallery)}.values()

    def _galleries(self) -> tuple[Path, Path]:
        return places.GALLERY, self.root / "gallery"


def _keyed(parent: Path) -> list[Path]:
    """What a folder holds under the name of a key, sorted, be it a folder or not; all else there is not ours."""
    return [path for path in children(parent) if KEY.fullmatch(path.name)]


def _read_through(entry: Entry) -> Entry:
    """The entry, once its result has been read. Raises DamagedEntry."""
    _read_verified(entry.folder, entry.key)
    return entry


def _read_verified(folder: Path, key: str) -> xr.Dataset:
    """The result in a folder. Raises DamagedEntry unless files, schema and both keys are what they must be."""
    record, files = read_sealed(folder)
    try:
        study, dataset = described(record), netcdf.decode(files[RESULT])
    except ValueError as error:
        raise DamagedEntry(folder.name, str(error)) from None
    keys = {study.key, record["key"], dataset.attrs["key"]}
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
      text: the name of a study, as `python -m landscape list` prints it, with or without the digits of its key; a key
        of 16 hexadecimal digits, or at least its first four; or the path of a `.nc` file that `python -m landscape
        export` wrote.
      cache: the folder of stored results. By default the one that `LANDSCAPE_CACHE` names, else `cache/` of the
        checkout that the current directory lies in, else the user's cache directory. Shipped results are found
        with any folder.

    Returns:
      The result, with all its numbers in memory. Its attributes hold the study, as JSON, and the study's key.

    Raises:
      ValueError: if nothing has that name or several results do, with the nearest ones, or if a file is no result.
      DamagedEntry: (a ValueError) if the entry does not fit its checksums; it is set aside and can be computed again.
    """
    return Store(cache).open(text)
