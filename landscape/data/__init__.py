"""Examples to train on and to measure with, by name and seed: images and text. Imports `store` and `study`; never JAX.

Packages that are slow to import, as scikit-learn, are imported when a set is loaded.
"""

from __future__ import annotations

from landscape.data import digits as digits  # registers itself
from landscape.data import images, own, registry, text
from landscape.data.catalogue import Status, available, prepare, status
from landscape.data.images import pack
from landscape.data.registry import IMAGE_SETS, ImageSet, register_images
from landscape.data.split import Data, Split
from landscape.study.examples import DataSpec, Examples, OwnData, TextSpec

__all__ = [
    "Data",
    "Examples",
    "ImageSet",
    "Split",
    "Status",
    "available",
    "load",
    "pack",
    "prepare",
    "register_images",
    "status",
]


def load(spec: DataSpec) -> Data:
    """The training and validation examples of a specification, drawn by its seed.

    The validation examples are drawn first, so they do not depend on the number of training examples.

    Args:
      spec: which set, how many examples of it, and the seed; a `TextSpec` for text.

    Returns:
      The two splits and the number of classes. Images have shape (examples, height, width, channels) and labels
      (examples,). Masked text has tokens (examples, s), masked positions (examples, p) and targets (examples, p).

    Raises:
      ValueError: if the set is not on this computer, in which case the message says how to get it, or if it has fewer
        examples than the specification asks for.

    Example:
      >>> from landscape.data import load
      >>> from landscape.study.examples import DataSpec
      >>> data = load(DataSpec(name="digits", train_size=1000, validation_size=797))
      >>> data.train.inputs.shape, data.train.targets.shape, data.classes
      ((1000, 8, 8, 1), (1000,), 10)

    References:
      Malviya et al. (2024), arXiv 2405.15895, Table 1, for the data sets of the paper and their sizes.
    """
    if isinstance(spec, TextSpec):
        return text.load(spec)
    if isinstance(spec, OwnData):
        return own.load(spec)
    return registry.load(spec) if spec.name in IMAGE_SETS else images.load(spec)
