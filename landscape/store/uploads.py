"""Files that users bring, kept in the cache folder under the hash of their content: `.weights/<sha256>.safetensors`.

A study knows its weights by their hash. So they are found again when it is continued or its link is opened, whatever
became of the file that they came from, and no name that a user chose becomes part of a path.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from pathlib import Path

from landscape.store.sealed import Unwritable, children, temporary_name
from landscape.study import Study
from landscape.study.sources import Weights

FOLDER, SUFFIX = ".weights", ".safetensors"
SHA256 = re.compile("[0-9a-f]{64}")


def keep_weights(root: Path, content: bytes) -> Weights:
    """Keep the content of a file of weights in a cache folder. Raises Unwritable."""
    sha256 = hashlib.sha256(content).hexdigest()
    place = _place(root, sha256)
    temporary = place.with_name(temporary_name())
    try:
        if not _intact(place, sha256):
            place.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(content)
            os.replace(temporary, place)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise Unwritable(f"cannot write to {place.parent}: {error.strerror or error}") from error
    return Weights(sha256=sha256, file=str(place))


def kept_weights(root: Path) -> dict[str, Weights]:
    """The weights that a cache folder keeps, by their hash, the newest first."""
    found = [path for path in children(root / FOLDER) if SHA256.fullmatch(path.stem)]
    newest = sorted(found, key=lambda path: -path.stat().st_mtime)
    return {path.stem: Weights(sha256=path.stem, file=str(path)) for path in newest if path.suffix == SUFFIX}


def with_kept_weights(root: Path, study: Study) -> Study:
    """The study whose weights, if it names any, lie in the cache folder, where every worker finds them.

    Raises ValueError where they are neither there nor in their file, and Unwritable.
    """
    if study.weights is None:
        return study
    place = _place(root, study.weights.sha256)
    kept = Weights(sha256=study.weights.sha256, file=str(place))
    if not _intact(place, study.weights.sha256):
        kept = keep_weights(root, study.weights.content())
    return study.model_copy(update={"weights": kept})


def _intact(place: Path, sha256: str) -> bool:
    return place.is_file() and hashlib.sha256(place.read_bytes()).hexdigest() == sha256


def _place(root: Path, sha256: str) -> Path:
    return root / FOLDER / f"{sha256}{SUFFIX}"
