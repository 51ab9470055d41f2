"""Handwritten digits that ship with scikit-learn: 1,797 images of 8×8 pixels (UCI Optical Recognition, 1998)."""

from __future__ import annotations

import numpy as np

from landscape.data.split import Data, Split, divide
from landscape.study.examples import DataSpec

NAME = "digits"
SUMMARY_LINE = "digits: 1,797 images of 8×8×1 in 10 classes, part of scikit-learn"


def load(spec: DataSpec) -> Data:
    """The digits of a specification: images (examples, 8, 8, 1) with pixels from 0 to 1, and their labels.

    Raises:
      ValueError: if the specification asks for more than 1,797 examples.
    """
    from sklearn.datasets import load_digits  # takes 0.5 s to import

    pixels, labels = load_digits(return_X_y=True)  # examples 64, from 0 to 16
    images, labels = (pixels / 16).reshape(-1, 8, 8, 1).astype(np.float32), labels.astype(np.int32)
    validation, train = (Split(images[rows], labels[rows]) for rows in divide(len(labels), spec))
    return Data(train, validation, 10)
