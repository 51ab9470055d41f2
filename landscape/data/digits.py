"""Handwritten digits that ship with scikit-learn: 1,797 images of 8×8 pixels (UCI Optical Recognition, 1998)."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from landscape.data.registry import ImageSet, register_images
from landscape.study.examples import Examples

FILE = "datasets/data/digits.csv.gz"  # in scikit-learn


def read() -> tuple[Float[np.ndarray, "1797 8 8 1"], Int[np.ndarray, " 1797"]]:
    """The images, with pixels from 0 to 1, and their labels."""
    pixels, labels = np.split(_table(), [-1], axis=1)  # examples 64, from 0 to 16; examples 1
    return (pixels / 16).reshape(-1, 8, 8, 1).astype(np.float32), labels[:, 0].astype(np.int32)


def _table() -> Float[np.ndarray, "1797 65"]:
    """Pixels and labels from scikit-learn's file; by scikit-learn itself, which takes 0.5 s to import, if it moved."""
    found = find_spec("sklearn")
    file = Path(found.origin).parent / FILE if found and found.origin else None
    if file and file.exists():
        return np.loadtxt(file, delimiter=",")
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    return np.column_stack([pixels, labels])


register_images(
    "digits",
    ImageSet(
        read=read,
        examples=Examples((8, 8, 1), 10, 1797),
        summary="1,797 images of 8×8×1 in 10 classes, part of scikit-learn",
    ),
)
