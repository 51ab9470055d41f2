"""Sealed folders: files with a record of their checksums, by which any later change is noticed.

`record.json` holds the SHA-256 of every other file, and a seal, which is the SHA-256 of the rest of the record. A
sealed folder is written under a temporary name beside its place and then moved there in one step. A reader therefore
finds the whole folder or none, and what a crash leaves behind is never taken for one.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from landscape.store.places import children
from landscape.store.sealed.temporary import temporary_name
from landscape.study.user_files import content_of

RECORD = "record.json"

Record = dict[str, Any]
log = logging.getLogger(__name__)


class DamagedEntry(ValueError):
    """A sealed folder that must not be used. `name` is the folder's, `reason` says what is wrong with it."""

    def __init__(self, name: str, reason: str):
        super().__init__(f"{name} is damaged: {reason}")
        self.name, self.reason = name, reason

    def __reduce__(self) -> tuple[type[DamagedEntry], tuple[str, str]]:
        return DamagedEntry, (self.name, self.reason)


class Unwritable(OSError):
    """A folder cannot be written to: it is full, read-only, or no folder. The message names it and the reason."""


def write_sealed(folder: Path, files: Mapping[str, bytes], record: Record, *, lasting: bool = True) -> dict[str, str]:
    """Writes files and their record as a sealed folder: the checksum of each file.

    Several processes may write it at once: the first one wins. An intact folder stays, a damaged one is set aside.

    Args:
      folder: where the sealed folder is to be; its parents are made.
      files: the content of each file, by name.
      record: what else `record.json` says about them, as a dictionary that JSON can hold.
      lasting: whether it outlasts a power failure; otherwise nobody waits for the disk, and it may then be damaged.

    Raises:
      Unwritable: if the folder cannot be written to.
    """
    checksums = {name: _hash(content) for name, content in files.items()}
    with _installed(folder, {**record, "sha256": checksums}, lasting) as temporary:
        for name, data in files.items():
            _write(temporary / name, data, lasting)
    return checksums


def link_sealed(source: Path, folder: Path, names: Iterable[str], record: Record) -> None:
    """Seals the files of a sealed folder once more, under another record, so that each folder can go by itself.

    The files are hard links where the file system has them, and copies elsewhere. They are not compared with their
    checksums, as whoever reads them will do, and nobody waits for the disk.

    Raises:
      DamagedEntry: if the source is not sealed, or has no such files.
      Unwritable: if the folder cannot be written to.
    """
    found, names = read_sealed(source, ())[0], list(names)
    if missing := [name for name in names if name not in found["sha256"] or not (source / name).is_file()]:
        raise DamagedEntry(source.name, f"it has no {missing[0]}")
    with _installed(folder, {**record, "sha256": {name: found["sha256"][name] for name in names}}, False) as temporary:
        for name in names:
            _link(source / name, temporary / name)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


@contextlib.contextmanager
def _installed(folder: Path, record: Record, lasting: bool) -> Iterator[Path]:
    """A folder to be filled, which gets its record and its place afterwards. Raises Unwritable."""
    temporary = folder.parent / temporary_name()
    try:
        temporary.mkdir(parents=True)
        yield temporary
        _write(temporary / RECORD, _sealed(record), lasting)
        _install(temporary, folder)
    except OSError as error:
        raise Unwritable(f"cannot write to {folder.parent}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def reseal(folder: Path, record: Record) -> None:
    """Puts another record in place of that of a sealed folder, whose other files stay. Raises Unwritable."""
    temporary = folder.parent / temporary_name()
    try:
        _write(temporary, _sealed({name: value for name, value in record.items() if name != "seal"}))
        os.replace(temporary, folder / RECORD)
    except OSError as error:
        raise Unwritable(f"cannot write to {folder}: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def remove_folder(folder: Path) -> None:
    """Removes a folder so that others see all of it or nothing. Raises Unwritable."""
    gone = folder.parent / temporary_name()
    try:
        os.replace(folder, gone)
    except OSError as error:
        raise Unwritable(f"cannot remove {folder}: {error.strerror or error}") from error
    shutil.rmtree(gone, ignore_errors=True) if gone.is_dir() else gone.unlink(missing_ok=True)


def _write(path: Path, data: bytes, lasting: bool = True) -> None:
    with path.open("wb") as file:
        file.write(data)
        if lasting:
            file.flush()
            os.fsync(file.fileno())


def _install(temporary: Path, folder: Path) -> None:
    """Moves the temporary folder to its place, unless there is an intact one by now, which others may remove."""
    while True:
        try:
            return os.replace(temporary, folder)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR) or not folder.parent.is_dir():
                raise
        if intact(folder):
            return None
        with contextlib.suppress(FileNotFoundError):
            set_aside(folder)


def read_sealed(folder: Path, names: Iterable[str] | None = None) -> tuple[Record, dict[str, bytes]]:
    """The record of a sealed folder, and the content of its files by name; both are verified.

    `names` limits which files are read and verified; by default all of them are. Raises DamagedEntry.
    """
    try:
        record = _unsealed(content_of(folder / RECORD))
        files = {name: content_of(folder / name) for name in (record["sha256"] if names is None else names)}
    except OSError as error:
        raise DamagedEntry(folder.name, f"{Path(error.filename or folder).name}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DamagedEntry(folder.name, f"{RECORD}: {error}") from None
    for name, content in files.items():
        if _hash(content) != record["sha256"].get(name):
            raise DamagedEntry(folder.name, f"{name} does not have the checksum of its record")
    return record, files


def intact(folder: Path) -> bool:
    """Whether a folder is sealed and none of its files has changed."""
    try:
        read_sealed(folder)
    except DamagedEntry:
        return False
    return True


def set_aside(folder: Path) -> None:
    """Moves a folder, or a file in its place, into the folder `.damaged` beside it, with the time in its name."""
    shelf = folder.parent / ".damaged"
    os.lstat(folder)  # fails before there is a shelf, where there is nothing to move
    shelf.mkdir(exist_ok=True)
    os.replace(folder, shelf / f"{folder.name}-{datetime.now():%Y%m%dT%H%M%S.%f}")


def discard(folder: Path, damage: DamagedEntry) -> None:
    """Sets a damaged folder aside and logs a warning. Where the folder cannot be moved, only the warning remains."""
    log.warning("%s; it is set aside", damage)
    with contextlib.suppress(OSError):
        set_aside(folder)


def folders(parent: Path) -> list[Path]:
    """The sealed folders in `parent`, sorted by name, whether they are intact or not.

    They are those that hold a record or a NetCDF file. Whatever else lies there, such as what a file system or a
    backup keeps beside the files, is not ours.
    """
    return [path for path in children(parent) if path.name[0] != "." and _looks_sealed(path)]


def _looks_sealed(folder: Path) -> bool:
    return any(path.name == RECORD or path.suffix == ".nc" for path in children(folder))


def _unsealed(content: bytes) -> Record:
    record = json.loads(content)
    if record["seal"] != _seal(record):
        raise ValueError("it was changed after it was written")
    return record


def _sealed(record: Record) -> bytes:
    """The content of a record's file, with its seal."""
    return json.dumps({**record, "seal": _seal(record)}, indent=1, ensure_ascii=False).encode()


def _seal(record: Record) -> str:
    """The SHA-256 of a record without its seal."""
    sealed = {name: value for name, value in record.items() if name != "seal"}
    return _hash(json.dumps(sealed, sort_keys=True, separators=(",", ":")).encode())


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
