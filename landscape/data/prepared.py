"""Sets that tensorflow-datasets has prepared on disk, found without importing it and read without TensorFlow."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

CHUNK = 1000  # records decoded at a time: as uint8, CIFAR's take 3 MB


def data_folder() -> Path:
    """The folder of prepared sets: the environment variable TFDS_DATA_DIR, or the default of tensorflow-datasets."""
    return Path(os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser()


class Prepared(NamedTuple):
    """The newest prepared version of a set.

    Attributes:
      name: `set` or `set/config`.
      folder: where its files lie.
      features: what each feature of a record is, by its name, as in `features.json`.
      sizes: the number of records of each split.
      format: that of the files, as "array_record".
    """

    name: str
    folder: Path
    features: dict[str, dict[str, Any]]
    sizes: dict[str, int]
    format: str

    def read(self, split: str, rows: Int[np.ndarray, " rows"]) -> Iterator[list[dict[str, Any]]]:
        """The decoded records of some rows in their order, in lists of at most `CHUNK`.

        Raises:
          ValueError: if a file is missing or damaged; the message names the folder.
        """
        import tensorflow_datasets as tfds  # takes 0.5 s to import

        builder = tfds.builder_from_directory(str(self.folder))
        try:
            source = builder.as_data_source(split=split)
            for start in range(0, len(rows), CHUNK):
                yield source.__getitems__([int(row) for row in rows[start : start + CHUNK]])
        except (RuntimeError, OSError, IndexError) as error:
            raise ValueError(f"{self.folder} cannot be read: {error}") from error


def find(name: str) -> Prepared | None:
    """The set with this name, `set` or `set/config`; None if it is not prepared, or its description is damaged."""
    if re.fullmatch(r"\w+(/\w[\w.-]*)?", name) is None:
        return None
    versions = sorted((data_folder() / name).glob("*/dataset_info.json"), key=lambda path: _version(path.parent.name))
    return _read_description(name, versions[-1].parent) if versions else None


def all_prepared() -> Iterator[Prepared]:
    """Every prepared set whose description is intact, in the order of the names."""
    top = data_folder()
    paths = (*top.glob("*/*/dataset_info.json"), *top.glob("*/*/*/dataset_info.json"))
    names = sorted({path.parent.parent.relative_to(top).as_posix() for path in paths})
    return (found for found in map(find, names) if found is not None)


def _version(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)]


def _read_description(name: str, place: Path) -> Prepared | None:
    try:
        info = json.loads((place / "dataset_info.json").read_text(encoding="utf-8"))
        features = json.loads((place / "features.json").read_text(encoding="utf-8"))
        sizes = {split["name"]: sum(map(int, split["shardLengths"])) for split in info["splits"]}
        form = info.get("fileFormat", "tfrecord")  # what sets have that are older than the field
        return Prepared(name, place, features["featuresDict"]["features"], sizes, form)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
