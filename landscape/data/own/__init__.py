"""Data of one's own: arrays in a `.npz` file, images in folders, and text, which a study names by their path."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np

from landscape.data.images import moments, normalised
from landscape.data.own import arrays, folders, prose
from landscape.data.own.checks import Labelled
from landscape.data.split import Data, Split, divide, drawn
from landscape.study.examples import ArraysSpec, FolderSpec, Found, OwnData, ProseSpec

READERS: dict[type[OwnData], Callable[[Path], Labelled]] = {ArraysSpec: arrays.read, FolderSpec: folders.read}


def surveyed(spec: OwnData) -> OwnData:
    """The specification with what was found at its path: shapes, classes and counts.

    Raises:
      ValueError: if the file cannot be used, or has fewer examples than the specification asks for; the message names
        it and says what is allowed.
    """
    path = spec.unchanged_path()
    if isinstance(spec, ProseSpec):
        prose.read(path)
        return spec
    whole = _examples(type(spec), path, spec.content)
    train, validation = _splits(whole, spec)
    count = len(whole.train) + (0 if whole.validation is None else len(validation))
    found = Found(shape=train.inputs.shape[1:], classes=whole.classes, labelled=count)
    return spec.model_copy(update={"found": found})


def load(spec: OwnData) -> Data:
    """The examples of a file or folder, drawn by the seed of the specification.

    Inputs of 8 bits get mean 0 and variance 1 in each channel, which is their last axis, over the training examples
    that are drawn. Inputs of floats are taken as they are.

    Raises ValueError as `surveyed` does, and where the content is not what it was when the study was read.

    Example:
      >>> import numpy as np
      >>> from landscape.data import load
      >>> from landscape.study.examples import ArraysSpec
      >>> np.savez("table.npz", inputs=np.ones((6, 4)), labels=[1, 2, 3, 1, 2, 3])
      >>> data = load(ArraysSpec(file="table.npz", validation_size=2).identified())
      >>> data.train.inputs.shape, data.classes
      ((4, 4), 3)
    """
    whole = _examples(type(spec), spec.unchanged_path(), spec.content)
    train, validation = _splits(whole, spec)
    _examples.cache_clear()  # from here on, memory holds what was drawn
    if train.inputs.dtype == "uint8":
        scale = moments(train.inputs)
        train, validation = normalised(train, *scale), normalised(validation, *scale)
    return Data(train, validation, whole.classes)


@lru_cache(maxsize=1)
def _examples(kind: type[OwnData], path: Path, content: str | None) -> Labelled:
    """What lies at a path, read once for a survey and for the training after it; another content is read anew."""
    return READERS[kind](path)


def _splits(whole: Labelled, spec: OwnData) -> tuple[Split, Split]:
    """The training and the validation examples of a specification."""
    if whole.validation is None:
        validation, train = divide(len(whole.train), spec)
        return _rows(whole.train, train), _rows(whole.train, validation)
    validation, train = drawn(len(whole.train), len(whole.validation), spec)
    return _rows(whole.train, train), _rows(whole.validation, validation)


def _rows(part: Split, rows: np.ndarray) -> Split:
    return Split(part.inputs[rows], part.targets[rows])


def summary_line(path: Path) -> str:
    """What a file or folder holds, in one line. Raises ValueError that says why a study could not use it."""
    if path.suffix.lower() != ".npz" and path.is_file():
        corpus = prose.read(path)
        return f"{path}: text of {len(corpus.train):,} lines for training and {len(corpus.validation):,} for validation"
    whole = (folders if path.is_dir() else arrays).read(path)
    shape = "×".join(map(str, whole.train.inputs.shape[1:]))
    counts = f"{len(whole.train):,} examples"
    if whole.validation is not None:
        counts = f"{len(whole.train):,} training and {len(whole.validation):,} validation examples"
    return f"{path}: {counts} of {shape}, {whole.train.inputs.dtype}, in {whole.classes} classes"
