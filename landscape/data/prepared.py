"""Sets that tensorflow-datasets has prepared on disk, found without importing it and read without TensorFlow."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

CHUNK = 1000  # records decoded at a time


def folder() -> Path:
    """Where sets are: the environment variable TFDS_DATA_DIR, or the default of tensorflow-datasets."""
    return Path(os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser()


class Prepared(NamedTuple):
    """The newest prepared version of a set.

    features: by name, as in `features.json`; sizes: records a split; format: of the files.
    """

    name: str
    folder: Path
    features: dict[str, dict[str, Any]]
    sizes: dict[str, int]
    format: str

    def read(self, split: str, rows: np.ndarray) -> Iterator[list[dict[str, Any]]]:
        """The decoded records of some rows, in their order, a chunk after the other.

        Raises ValueError naming the folder where a file is missing or damaged.
        """
        import tensorflow_datasets as tfds  # 0.5 s to import

        builder = tfds.builder_from_directory(str(self.folder))
        try:
            source = builder.as_data_source(split=split)
            for start in range(0, len(rows), CHUNK):
                yield source.__getitems__([int(row) for row in rows[start : start + CHUNK]])
        except (RuntimeError, OSError, IndexError) as error:
            raise ValueError(f"{self.folder} cannot be read: {error}") from error


def find(name: str) -> Prepared | None:
    """A set by its name, `set` or `set/config`; None where it is not there or its description is damaged."""
    if re.fullmatch(r"\w+(/\w[\w.-]*)?", name) is None:
        return None
    described = sorted((folder() / name).glob("*/dataset_info.json"), key=lambda path: _version(path.parent.name))
    return _described(name, described[-1].parent) if described else None


def everything() -> Iterable[Prepared]:
    """Every prepared set, by name."""
    top = folder()
    paths = (*top.glob("*/*/dataset_info.json"), *top.glob("*/*/*/dataset_info.json"))
    names = sorted({path.parent.parent.relative_to(top).as_posix() for path in paths})
    return (found for found in map(find, names) if found is not None)


def _version(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)]


def _described(name: str, place: Path) -> Prepared | None:
    try:
        info = json.loads((place / "dataset_info.json").read_text(encoding="utf-8"))
        features = json.loads((place / "features.json").read_text(encoding="utf-8"))
        sizes = {split["name"]: sum(map(int, split["shardLengths"])) for split in info["splits"]}
        form = info.get("fileFormat", "tfrecord")  # the default of the time before the field existed
        return Prepared(name, place, features["featuresDict"]["features"], sizes, form)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
