"""Files that users bring, kept in the cache folder under the hash of their content: `.weights/<sha256>.safetensors`.

What the user calls it lies beside it, in `.weights/<sha256>.name`, for lists to show.

The vocabulary that a network reads lies beside it, as `.weights/<sha256>.txt`. A study knows both by their hash. So
they are found again when it is continued or its link is opened, whatever became of the file that they came from, and no
name that a user chose becomes part of a path.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, TypeVar

from landscape.store.places import children
from landscape.store.sealed import Unwritable
from landscape.store.sealed.temporary import temporary_name
from landscape.study import Study
from landscape.study.examples import TextSpec
from landscape.study.sources import Brought, Vocabulary, Weights
from landscape.study.user_files import content_of

FOLDER = ".weights"
KINDS: tuple[type[Brought], ...] = (Weights, Vocabulary)
File = TypeVar("File", bound=Brought)
SHA256 = re.compile("[0-9a-f]{64}")
NAME, LONGEST = ".name", 60  # the suffix of the file that holds a name, and as many characters of that as are shown


class Origin(NamedTuple):
    """What is known of a file that is kept: its own name, its size in bytes, and when it was last brought."""

    name: str
    size: int
    when: datetime


def keep(root: Path, kind: type[File], content: bytes, name: str) -> File:
    """Keep the content of a file, and its name, in a cache folder. Raises Unwritable."""
    file = _in_folder(root, kind, hashlib.sha256(content).hexdigest())
    place = Path(file.file)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        _write(place.with_suffix(NAME), name.encode("utf-8", "replace"))
        if _is_intact(file):
            os.utime(place)
        else:
            _write(place, content)
    except OSError as error:
        raise Unwritable(f"cannot write to {place.parent}: {error.strerror or error}") from error
    return file


def _write(place: Path, content: bytes) -> None:
    """Put a file in place as a whole. Raises OSError."""
    temporary = place.with_name(temporary_name())
    try:
        temporary.write_bytes(content)
        os.replace(temporary, place)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def origin(file: Brought) -> Origin:
    """What is known of a file that is kept. Its name is one line that can be read, without folders."""
    place = Path(file.file)
    try:
        name = content_of(place.with_suffix(NAME)).decode("utf-8", "replace")
    except OSError:  # it was kept before names were
        name = ""
    found, last = place.stat(), re.split(r"[/\\]", name)[-1]
    readable = "".join(each for each in last if each.isprintable())[:LONGEST].strip()
    return Origin(readable or "without a name", found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))


def forget_name(place: Path) -> None:
    """Remove the name of a file that is kept no longer."""
    with contextlib.suppress(OSError):
        place.with_suffix(NAME).unlink(missing_ok=True)


def kept(root: Path, kind: type[File]) -> dict[str, File]:
    """The files of a kind that a cache folder keeps, by their hash, the newest first."""
    found = [path for path in children(root / FOLDER) if SHA256.fullmatch(path.stem) and path.suffix == kind.suffix]
    newest = sorted(found, key=lambda path: -path.stat().st_mtime)
    return {path.stem: _in_folder(root, kind, path.stem) for path in newest}


def brought(study: Study) -> list[Brought]:
    """The files that a study names: its weights, and the tokens of its text."""
    tokens = study.data.tokens if isinstance(study.data, TextSpec) else None
    return [each for each in (study.weights, tokens) if each]


def with_kept_files(root: Path, study: Study) -> Study:
    """The study whose weights and tokens, if it names any, lie in the cache folder, where every worker finds them.

    Raises ValueError where they are neither there nor in their file, and Unwritable.
    """
    changes: dict[str, object] = {}
    if study.weights:
        changes["weights"] = _kept_copy(root, study.weights)
    if isinstance(study.data, TextSpec) and study.data.tokens:
        changes["data"] = study.data.model_copy(update={"tokens": _kept_copy(root, study.data.tokens)})
    return study.model_copy(update=changes)


def _kept_copy(root: Path, file: File) -> File:
    """The same file in the cache folder, where it is put unless it lies there intact."""
    here = _in_folder(root, type(file), file.sha256)
    return here if _is_intact(here) else keep(root, type(file), file.content(), Path(file.file).name)


def _is_intact(file: Brought) -> bool:
    place = Path(file.file)
    return place.is_file() and hashlib.sha256(place.read_bytes()).hexdigest() == file.sha256


def _in_folder(root: Path, kind: type[File], sha256: str) -> File:
    """The file of this hash in the cache folder, be it there or not."""
    return kind(sha256=sha256, file=str(root / FOLDER / f"{sha256}{kind.suffix}"))
