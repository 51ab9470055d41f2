"""Which data sets are here, what is missing for the others, and how they get here."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from importlib.util import find_spec
from typing import NamedTuple

from landscape.data import corpora, digits, images
from landscape.data.prepared import find, folder
from landscape.study.examples import TEXTS


class Status(NamedTuple):
    """Whether a set can be loaded; text: what and where it is, or what is missing and how to get it."""

    present: bool
    text: str


def available() -> list[str]:
    """The data sets that can be loaded here and now, by name."""
    return [digits.NAME, *corpora.names(), *images.names()]


def status(name: str) -> Status:
    """Whether a set is here. Looks at the disk only: neither slow imports nor the network."""
    try:
        return Status(True, _describe(name))
    except ValueError as error:
        return Status(False, str(error))


def _describe(name: str) -> str:
    if name == digits.NAME:
        return digits.describe()
    return corpora.describe(name) if name in TEXTS else images.describe(name)


def prepare(name: str, report: Callable[[str], None] = print) -> str:
    """Download and prepare a set with tensorflow-datasets unless it is here; returns where it is.

    `report` receives a line before the network is used. Raises ValueError saying what to install or to place where.
    """
    here = status(name)
    if here.present:
        return here.text
    if name in TEXTS or find(name) is not None:
        raise ValueError(here.text)
    _require(name, "tensorflow_datasets")
    import tensorflow_datasets as tfds

    known = tfds.list_builders(with_community_datasets=False)
    if name.split("/")[0] not in known:
        close = difflib.get_close_matches(name, known)
        meant = f"; did you mean {' or '.join(close)}?" if close else ""
        raise ValueError(f"tensorflow-datasets has no data set {name!r}{meant}")
    _require(name, "tensorflow", "importlib_resources")  # tensorflow-datasets needs both and declares neither
    report(f"preparing {name} in {folder()}: this downloads, for minutes or hours; offline it gives up in minutes")
    try:
        tfds.builder(name, data_dir=str(folder()), file_format="array_record").download_and_prepare()
    except Exception as error:  # builders raise whatever their sources, formats and licences demand
        raise ValueError(f"{name} could not be prepared: {error}") from error
    return _describe(name)


def _require(name: str, *packages: str) -> None:
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise ValueError(
            f"preparing {name} needs {' and '.join(missing)}, once: `pip install {' '.join(missing)}`, "
            f"then `python -m landscape data {name}`"
        )
