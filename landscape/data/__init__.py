"""Examples to train on and to measure with: images and text by name, split and masked by seed.

Needs NumPy only; whatever is slow to import is imported when a set is loaded.
"""

from __future__ import annotations

from landscape.data import digits, images, text
from landscape.data.catalogue import Status, available, prepare, status
from landscape.data.split import Data, Split
from landscape.study.examples import DataSpec, TextSpec

__all__ = ["Data", "Split", "Status", "available", "load", "prepare", "status"]


def load(spec: DataSpec) -> Data:
    """The examples of a specification, chosen by its seed: for validation first, then for training.

    Raises ValueError for a set that is not here, saying how to get it, or one with too few examples.
    """
    if isinstance(spec, TextSpec):
        return text.load(spec)
    return digits.load(spec) if spec.name == digits.NAME else images.load(spec)
