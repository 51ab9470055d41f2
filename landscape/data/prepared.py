"""Sets that tensorflow-datasets has prepared on disk, found without importing it and read without TensorFlow."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from glob import glob
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

CHUNK = 1000  # records decoded at a time: as uint8, CIFAR's take 3 MB


def data_folder() -> Path:
    """The folder of prepared sets: the environment variable TFDS_DATA_DIR, or the default of tensorflow-datasets.

    Raises ValueError where it is in the home directory and the user has none.
    """
    named = os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    try:
        return Path(named).expanduser()
    except RuntimeError as error:
        raise ValueError(
            f"there is no folder of data sets, {named}: {error} Name one by the environment variable TFDS_DATA_DIR"
        ) from None


class Prepared(NamedTuple):
    """A prepared version of a set.

    Attributes:
      name: `set` or `set/config`.
      folder: where its files lie.
      features: what each feature of a record is, by its name, as in `features.json`.
      sizes: the number of records of each split.
      shards: the number of files of each split.
      format: that of the files, as "array_record".
    """

    name: str
    folder: Path
    features: dict[str, dict[str, Any]]
    sizes: dict[str, int]
    shards: dict[str, int]
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
    """The newest intact version of the set with this name, `set` or `set/config`.

    If no version has all its files, it is the newest whose description is intact, so that reading it names what is
    missing. None if there is no such version either.
    """
    top = _existing_folder()
    if top is None or re.fullmatch(r"\w+(/\w[\w.-]*)?", name) is None:
        return None
    folders = sorted(filter(_version, _there(top / name, "*.*.*")), key=_version, reverse=True)
    readable = [found for folder in folders if (found := _read_description(name, folder)) is not None]
    return next(filter(_complete, readable), readable[0] if readable else None)


def all_prepared() -> Iterator[Prepared]:
    """Every prepared set whose description is intact, in the order of the names."""
    top = _existing_folder()
    if top is None:
        return iter(())
    paths = _there(top, "*/*/dataset_info.json") + _there(top, "*/*/*/dataset_info.json")
    names = sorted({path.parent.parent.relative_to(top).as_posix() for path in paths if _version(path.parent)})
    return (found for found in map(find, names) if found is not None)


def _there(folder: Path, pattern: str) -> list[Path]:
    """What matches in a folder. `Path.glob` raises where a folder cannot be entered, in which nothing is found here."""
    return [folder / name for name in glob(pattern, root_dir=folder)]


def _existing_folder() -> Path | None:
    try:
        return data_folder()
    except ValueError:
        return None


def _version(folder: Path) -> tuple[int, ...]:
    """The version that a folder is named for, as 3.0.1; empty for others, as what an interrupted preparation leaves."""
    match = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)", folder.name)
    return tuple(map(int, match.groups())) if match else ()


def _complete(prepared: Prepared) -> bool:
    """Whether each split has as many files as its description says, none of them empty."""
    files = [path.name for path in prepared.folder.iterdir() if path.is_file() and path.stat().st_size]
    return all(
        sum(f"-{split}.{prepared.format}" in name and name.endswith(f"-of-{count:05}") for name in files) == count
        for split, count in prepared.shards.items()
    )


def _read_description(name: str, place: Path) -> Prepared | None:
    try:
        info = json.loads((place / "dataset_info.json").read_text(encoding="utf-8"))
        features = json.loads((place / "features.json").read_text(encoding="utf-8"))
        sizes = {split["name"]: sum(map(int, split["shardLengths"])) for split in info["splits"]}
        shards = {split["name"]: len(split["shardLengths"]) for split in info["splits"]}
        form = info.get("fileFormat", "tfrecord")  # what sets have that are older than the field
        return Prepared(name, place, features["featuresDict"]["features"], sizes, shards, form)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
