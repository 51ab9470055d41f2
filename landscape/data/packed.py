"""Image sets packed into one NumPy file, for machines that have no tensorflow-datasets.

`python -m landscape data NAME --pack` writes the file, `NAME.npz`, into the folder of prepared sets; on another machine
it is read from that machine's folder. It holds all training images in the order of the prepared set, so a study draws
the same splits from it.
"""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int, UInt8

from landscape.data.prepared import data_folder


class Pack(NamedTuple):
    """A packed set: all its training images of 8 bits, their labels, and how many classes there are."""

    images: UInt8[np.ndarray, "n h w c"]
    labels: Int[np.ndarray, " n"]
    classes: int


def pack_path(name: str) -> Path:
    """Where the pack of a set lies: `NAME.npz` in the folder of prepared sets; a "/" in the name becomes "-"."""
    return data_folder() / f"{name.replace('/', '-')}.npz"


def write_pack(name: str, pack: Pack) -> Path:
    """Write the pack of a set, compressed without loss, and return its path: the whole file or nothing.

    Raises:
      ValueError: if the folder of prepared sets cannot be written to.
    """
    path = pack_path(name)
    temporary = path.with_name(f".{os.getpid()}-{path.name}")  # NumPy adds .npz to other names
    try:
        try:
            np.savez_compressed(temporary, **pack._asdict())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise ValueError(f"cannot write {path}: {error.strerror or error}") from None
    return path


def read_pack(name: str) -> Pack | None:
    """The pack of a set, or None where there is none.

    Raises:
      ValueError: if the file is no pack; the message names it.
    """
    path = pack_path(name)
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as content:
            images, labels, classes = (content[field] for field in Pack._fields)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is not a packed set of images: {error}") from None
    if images.dtype != np.uint8 or images.ndim != 4 or labels.shape != images.shape[:1]:
        raise ValueError(f"{path} is not a packed set of images: it has {images.dtype} of shape {images.shape}")
    return Pack(images, labels.astype(np.int32), int(classes))
