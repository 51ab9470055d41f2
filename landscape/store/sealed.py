"""Sealed folders: a few files and a record of them that shows any later change.

`record.json` holds the SHA-256 of every other file and a seal over itself. A sealed folder is written beside
its place and moved there in one step, so a reader finds all of it or nothing, and a crash leaves nothing that
could pass for it.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import logging
import os
import shutil
import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

RECORD = "record.json"

Record = dict[str, Any]

log = logging.getLogger(__name__)


class DamagedEntry(ValueError):
    """Something stored that must not be used: which one it is, and what is wrong with it."""

    def __init__(self, name: str, reason: str):
        super().__init__(f"{name} is damaged: {reason}")
        self.name, self.reason = name, reason

    def __reduce__(self) -> tuple[type[DamagedEntry], tuple[str, str]]:
        return DamagedEntry, (self.name, self.reason)


class Unwritable(OSError):
    """A folder that cannot be written to, and why: full, read-only, no folder at all."""


def write_sealed(folder: Path, files: Mapping[str, bytes], record: Record) -> None:
    """Write the files and their record as `folder`; an intact folder that is there already stays.

    Several processes may write the same folder at once: the first one wins. A damaged folder in its place is
    set aside. Raises Unwritable that names the folder and the reason.
    """
    sealed = {**record, "sha256": {name: _hash(content) for name, content in files.items()}}
    sealed["seal"] = _seal(sealed)
    content = json.dumps(sealed, indent=1, ensure_ascii=False).encode()
    temporary = folder.parent / f".tmp-{uuid.uuid4().hex}"
    try:
        temporary.mkdir(parents=True)
        for name, data in {**files, RECORD: content}.items():
            _write(temporary / name, data)
        _install(temporary, folder)
    except OSError as error:
        raise Unwritable(f"cannot write to {folder.parent}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _install(temporary: Path, folder: Path) -> None:
    """Move into place, unless an intact folder stands there."""
    while True:
        try:
            return os.replace(temporary, folder)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR) or not os.path.lexists(folder):
                raise
        if intact(folder):
            return None
        set_aside(folder)


def read_sealed(folder: Path, names: Iterable[str] | None = None) -> tuple[Record, dict[str, bytes]]:
    """The record and the files of these names, all by default, read once and verified.

    Raises DamagedEntry named after the folder.
    """
    try:
        record = _unsealed((folder / RECORD).read_bytes())
        files = {name: (folder / name).read_bytes() for name in names or record["sha256"]}
    except OSError as error:
        raise DamagedEntry(folder.name, f"{Path(error.filename or folder).name}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DamagedEntry(folder.name, f"{RECORD}: {error}") from None
    for name, content in files.items():
        if _hash(content) != record["sha256"].get(name):
            raise DamagedEntry(folder.name, f"{name} does not have the checksum of its record")
    return record, files


def intact(folder: Path) -> bool:
    """Whether `read_sealed` would succeed."""
    try:
        read_sealed(folder)
    except DamagedEntry:
        return False
    return True


def set_aside(folder: Path) -> None:
    """Move a folder, or whatever stands in its place, to `.damaged` beside it, under its name and the time."""
    shelf = folder.parent / ".damaged"
    shelf.mkdir(exist_ok=True)
    os.replace(folder, shelf / f"{folder.name}-{datetime.now():%Y%m%dT%H%M%S.%f}")


def discard(folder: Path, damage: DamagedEntry) -> None:
    """Set aside and say so in the log; where that is not allowed, say so only."""
    log.warning("%s; it is set aside", damage)
    with contextlib.suppress(OSError):
        set_aside(folder)


def folders(parent: Path) -> list[Path]:
    """The sealed folders in `parent` by name, intact or not, and files that stand in the place of one."""
    try:
        return sorted(path for path in parent.iterdir() if path.name[0] != "." and (path.is_dir() or not path.suffix))
    except OSError:
        return []


def _unsealed(content: bytes) -> Record:
    record = json.loads(content)
    if record["seal"] != _seal(record):
        raise ValueError("it was changed after it was written")
    return record


def _seal(record: Record) -> str:
    """SHA-256 over all of the record but the seal itself."""
    sealed = {name: value for name, value in record.items() if name != "seal"}
    return _hash(json.dumps(sealed, sort_keys=True, separators=(",", ":")).encode())


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
