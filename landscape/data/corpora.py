"""Where text comes from: WikiText, as prepared by tensorflow-datasets or as raw files, and Python's own manual.

WikiText is that of Merity et al., "Pointer Sentinel Mixture Models" (2016), arXiv 1609.07843, with its official
training and validation texts.
"""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from landscape.data.prepared import Prepared, data_folder, find

EMBEDDED = "python-docs"
PREPARED = {"wikitext-2": "wikitext/wikitext-2-v1", "wikitext-103": "wikitext/wikitext-103-v1"}
RAW = {"train": "wiki.train.tokens", "validation": "wiki.valid.tokens"}
HELD_OUT = 6  # every sixth topic of the manual is for validation, which is a tenth of its text


class Corpus(NamedTuple):
    """Lines of text, without blanks at their ends and without empty lines."""

    train: list[str]
    validation: list[str]


def names() -> list[str]:
    """The names of the corpora that are on this computer."""
    return [EMBEDDED, *(name for name in PREPARED if _raw(name) or _prepared(name))]


def summary_line(name: str) -> str:
    """What the corpus is and where it lies, in one line. It raises what `locate` raises."""
    if name == EMBEDDED:
        return f"{name}: the reference manual that ships with Python (pydoc_data.topics)"
    place = locate(name)
    return f"{name}: {place.folder if isinstance(place, Prepared) else place}"


def read(name: str) -> Corpus:
    """The training and the validation text of a corpus.

    Raises:
      ValueError: if the corpus is not on this computer, in which case the message says where to place it, or if a file
        is not UTF-8.

    Example:
      >>> from landscape.data.corpora import read
      >>> read("python-docs").validation[0]
      'The "assert" statement'
    """
    if name == EMBEDDED:
        return _manual()
    place = locate(name)
    return Corpus(*(lines(_text(place, split)) for split in RAW))


def locate(name: str) -> Path | Prepared:
    """The folder of a WikiText's raw files, or else its prepared set.

    Raises:
      ValueError: if neither is on this computer; the message says where to place them.
    """
    found = _raw(name) or _prepared(name)
    if found is None:
        raise ValueError(
            f"{name} was not found, and tensorflow-datasets cannot download it. Place {' and '.join(RAW.values())} in "
            f"the folder that WIKITEXT_DIR names, which is {os.environ.get('WIKITEXT_DIR') or 'not set'}, or in its "
            f"folder {name}/; or place the prepared set at {data_folder() / PREPARED[name]}. {EMBEDDED} needs no "
            "download"
        )
    return found


def _raw(name: str) -> Path | None:
    """`WIKITEXT_DIR/name` or WIKITEXT_DIR itself, the first that has the raw files."""
    top = os.environ.get("WIKITEXT_DIR")
    places = [Path(top).expanduser() / name, Path(top).expanduser()] if top else []
    return next((place for place in places if all((place / file).is_file() for file in RAW.values())), None)


def _prepared(name: str) -> Prepared | None:
    found = find(PREPARED[name])
    if found is None or found.format != "array_record" or "text" not in found.features:
        return None
    return found if RAW.keys() <= found.sizes.keys() else None


def _text(place: Path | Prepared, split: str) -> str:
    if isinstance(place, Path):
        return decoded((place / RAW[split]).read_bytes(), place / RAW[split])
    chunks = place.read(split, np.arange(place.sizes[split]))
    return "\n".join(decoded(record["text"], place.folder) for records in chunks for record in records)


def decoded(content: bytes, source: Path) -> str:
    """The text of a file in UTF-8. Raises ValueError that names the file if it is not."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{source} is not UTF-8 text: {error.reason} at byte {error.start}") from None


def lines(text: str) -> list[str]:
    """The lines of a text, without blanks at their ends and without those that hold nothing else."""
    return [line for line in map(str.strip, text.split("\n")) if line]


def _manual() -> Corpus:
    topics = importlib.import_module("pydoc_data.topics").topics
    texts = [lines(topics[topic]) for topic in sorted(topics)]
    held_out = [line for text in texts[::HELD_OUT] for line in text]
    rest = [line for i, text in enumerate(texts) if i % HELD_OUT for line in text]
    return Corpus(rest, held_out)
