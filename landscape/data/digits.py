"""Handwritten digits that ship with scikit-learn: 1,797 images of 8×8 (UCI Optical Recognition)."""

from __future__ import annotations

import numpy as np

from landscape.data.split import Data, Split, divide
from landscape.study.examples import DataSpec

NAME = "digits"


def describe() -> str:
    """What the set is."""
    return "digits: 1,797 images of 8×8×1 in 10 classes, part of scikit-learn"


def load(spec: DataSpec) -> Data:
    """Images (examples, 8, 8, 1) in [0, 1] and their labels. Raises ValueError for too few examples."""
    from sklearn.datasets import load_digits  # 0.5 s to import

    pixels, labels = load_digits(return_X_y=True)
    images, labels = (pixels / 16).reshape(-1, 8, 8, 1).astype(np.float32), labels.astype(np.int32)
    validation, train = (Split(images[rows], labels[rows]) for rows in divide(len(labels), spec))
    return Data(train, validation, 10)
