"""Image sets that a function returns as arrays: those that come with an installed package, and those users register."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from landscape.data.split import Data, Split, divide
from landscape.study.examples import TEXTS, DataSpec, Examples


@dataclass(frozen=True, kw_only=True)
class ImageSet:
    """A set of labelled images that one function returns whole.

    Attributes:
      read: returns the images, (examples, height, width, channels) of float32 on the scale that networks should see,
        and their labels, (examples,) of integers from 0 on. Both splits of a study are drawn from them. It may import
        what is slow to import: it is called only when a study is computed.
      examples: what one image looks like, how many classes there are and how many labelled images.
      summary: one line for lists, without the name of the set.

    Example:
      >>> import numpy as np
      >>> from landscape.data import Examples, ImageSet
      >>> blank = ImageSet(
      ...     read=lambda: (np.zeros((6, 4, 4, 1), "float32"), np.arange(6) % 2),
      ...     examples=Examples(shape=(4, 4, 1), classes=2, labelled=6),
      ...     summary="6 blank images in 2 classes",
      ... )
      >>> images, labels = blank.read()
      >>> images.shape
      (6, 4, 4, 1)
    """

    read: Callable[[], tuple[Float[np.ndarray, "examples h w c"], Int[np.ndarray, " examples"]]]
    examples: Examples
    summary: str


IMAGE_SETS: dict[str, ImageSet] = {}


def register_images(name: str, images: ImageSet) -> ImageSet:
    """Make a set of images known by name: studies, the form of the app and `landscape data` list it from now on.

    A study knows its data by name only, so other images need another name. Other processes, such as the app and Dask's
    workers, know a set only once they import the module that registers it.

    Args:
      name: what a study calls it, in `data.name`.
      images: its description and the function that reads it.

    Returns:
      The description itself.

    Raises:
      ValueError: if another set has that name.

    Example:
      >>> import numpy as np
      >>> from landscape.data import Examples, ImageSet, register_images
      >>> def noise():
      ...     generator = np.random.default_rng(0)
      ...     return generator.normal(size=(60, 4, 4, 1)).astype("float32"), generator.integers(0, 2, 60)
      >>> noisy = ImageSet(read=noise, examples=Examples((4, 4, 1), 2, 60), summary="60 images of noise in 2 classes")
      >>> register_images("noise", noisy).examples.classes
      2
    """
    known = IMAGE_SETS.get(name)
    if name in TEXTS or (known is not None and _place(known) != _place(images)):
        raise ValueError(f"a data set {name!r} is known already; choose another name")
    IMAGE_SETS[name] = images
    return images


def _place(images: ImageSet) -> tuple[str, str]:
    """Where the reading function is defined: a cell of a notebook that runs again replaces its own set."""
    return images.read.__module__, images.read.__qualname__


def load(spec: DataSpec) -> Data:
    """The examples of a registered set, drawn by the seed of the specification.

    Raises:
      ValueError: if the set has too few examples, or if its arrays are not what its description promises.
    """
    registered = IMAGE_SETS[spec.name]
    images, labels = registered.read()
    _check(spec.name, registered.examples, images, labels)
    images, labels = np.asarray(images, np.float32), np.asarray(labels, np.int32)
    validation, train = (Split(images[rows], labels[rows]) for rows in divide(len(labels), spec))
    return Data(train, validation, registered.examples.classes)


def _check(name: str, promised: Examples, images: np.ndarray, labels: np.ndarray) -> None:
    expected = (promised.labelled, *promised.shape)
    if np.shape(images) != expected or np.shape(labels) != expected[:1]:
        raise ValueError(
            f"the images of {name!r} have shape {np.shape(images)} and their labels {np.shape(labels)}; "
            f"its description promises {expected} and {expected[:1]}"
        )
    outside = np.setdiff1d(labels, np.arange(promised.classes))
    if outside.size or not np.issubdtype(np.asarray(labels).dtype, np.integer):
        found = f"{outside[0]}" if outside.size else f"labels of type {np.asarray(labels).dtype}"
        raise ValueError(f"the labels of {name!r} must be integers from 0 to {promised.classes - 1}; it has {found}")
