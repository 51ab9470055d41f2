"""Which data sets are on this computer, what is missing for the others, and how to get them."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from importlib.util import find_spec
from typing import NamedTuple

from landscape.data import corpora, images
from landscape.data.prepared import data_folder, find
from landscape.data.registry import IMAGE_SETS
from landscape.study.examples import TEXTS


class Status(NamedTuple):
    """Whether a data set can be loaded, and a line about it.

    Attributes:
      present: whether the set can be loaded now.
      text: what the set is and where it lies; or what is missing, and how to get it.
    """

    present: bool
    text: str


def available() -> list[str]:
    """The names of the data sets that can be loaded now. It imports nothing slow.

    Example:
      >>> from landscape.data import available
      >>> available()[:2]
      ['digits', 'python-docs']
    """
    return [*IMAGE_SETS, *corpora.names(), *images.names()]


def status(name: str) -> Status:
    """Whether a data set can be loaded. It looks at the disk only, and imports nothing slow.

    Example:
      >>> from landscape.data import status
      >>> status("digits")
      Status(present=True, text='digits: 1,797 images of 8×8×1 in 10 classes, part of scikit-learn')
    """
    try:
        return Status(True, _summary_line(name))
    except ValueError as error:
        return Status(False, str(error))


def _summary_line(name: str) -> str:
    if name in IMAGE_SETS:
        return f"{name}: {IMAGE_SETS[name].summary}"
    return corpora.summary_line(name) if name in TEXTS else images.summary_line(name)


def prepare(name: str, announce: Callable[[str], None] = print) -> str:
    """Download and prepare a set of images with tensorflow-datasets, unless it is on this computer already.

    Args:
      name: of a set of tensorflow-datasets, `set` or `set/config`.
      announce: is called with one line before the download begins.

    Returns:
      A line that says what the set is and where it lies.

    Raises:
      ValueError: if the set cannot be prepared; the message says what to install, or which files to place where.

    Example:
      >>> from landscape.data import prepare
      >>> prepare("digits")
      'digits: 1,797 images of 8×8×1 in 10 classes, part of scikit-learn'
    """
    found = status(name)
    if found.present:
        return found.text
    if name in TEXTS or find(name) is not None:
        raise ValueError(found.text)
    _require(name, "tensorflow_datasets")
    import tensorflow_datasets as tfds

    known = tfds.list_builders(with_community_datasets=False)
    if name.split("/")[0] not in known:
        close = difflib.get_close_matches(name, known)
        suggestion = f"; did you mean {' or '.join(close)}?" if close else ""
        raise ValueError(f"tensorflow-datasets has no data set {name!r}{suggestion}")
    _require(name, "tensorflow", "importlib_resources")  # tensorflow-datasets needs both and declares neither
    announce(
        f"preparing {name} in {data_folder()}: the download takes minutes or hours, and gives up after some minutes "
        "if there is no network"
    )
    try:
        tfds.builder(name, data_dir=str(data_folder()), file_format="array_record").download_and_prepare()
    except Exception as error:  # builders raise whatever their sources, formats and licences demand
        raise ValueError(f"{name} could not be prepared: {error}") from error
    return _summary_line(name)


def _require(name: str, *packages: str) -> None:
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise ValueError(
            f"preparing {name} needs {' and '.join(missing)}: run `pip install {' '.join(missing)}`, "
            f"then `python -m landscape data {name}`"
        )
