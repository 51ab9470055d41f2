"""Handwritten digits that ship with scikit-learn: 1,797 images of 8×8 pixels (UCI Optical Recognition, 1998)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from landscape.data.registry import ImageSet, register_images
from landscape.study.examples import Examples


def read() -> tuple[Float[np.ndarray, "1797 8 8 1"], Int[np.ndarray, " 1797"]]:
    """The images, with pixels from 0 to 1, and their labels."""
    from sklearn.datasets import load_digits  # takes 0.5 s to import

    pixels, labels = load_digits(return_X_y=True)  # examples 64, from 0 to 16
    return (pixels / 16).reshape(-1, 8, 8, 1).astype(np.float32), labels.astype(np.int32)


register_images(
    "digits",
    ImageSet(
        read=read,
        examples=Examples((8, 8, 1), 10, 1797),
        summary="1,797 images of 8×8×1 in 10 classes, part of scikit-learn",
    ),
)
