"""Text of one's own: a file of UTF-8, whose last tenth of the lines is for validation."""

from __future__ import annotations

from pathlib import Path

from landscape.data.corpora import Corpus, decoded, lines

HELD_OUT = 10  # one line of so many is for validation, all of them at the end: neighbours would tell each other


def read(path: Path) -> Corpus:
    """The training and the validation text of a file.

    Raises ValueError for a file that is not UTF-8, or has fewer than ten lines that are not blank.
    """
    found = lines(decoded(path.read_bytes(), path))
    if len(found) < HELD_OUT:
        raise ValueError(
            f"{path} has {len(found)} lines that are not blank; the last tenth is for validation, so it needs at "
            f"least {HELD_OUT}"
        )
    end = len(found) - len(found) // HELD_OUT
    return Corpus(found[:end], found[end:])
