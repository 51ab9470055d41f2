"""Arrays of one's own: a `.npz` file of NumPy, as `numpy.savez` writes it, read without pickle.

It holds `inputs` and `labels`, of which a study draws both its splits; or `train_inputs`, `train_labels`,
`validation_inputs` and `validation_labels`. Inputs are (examples, features) for tables, (examples, height, width,
channels) for images, or have any other axes that the model reads. Labels are (examples,), whole numbers.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from landscape.data.own.checks import Labelled, Part, check_arrays, labelled
from landscape.study.user_files import opened

WHOLE = (("inputs", "labels"),)
SPLIT = (("train_inputs", "train_labels"), ("validation_inputs", "validation_labels"))
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}

Header = tuple[tuple[int, ...], np.dtype]


def read(path: Path) -> Labelled:
    """The examples of a `.npz` file.

    Raises ValueError that names the file and what is wrong with it: other arrays than those above, objects, shapes that
    do not fit, values that are not finite, labels that are no classes. Shapes and types are checked before any array is
    read.
    """
    with faults(path):
        headers = read_headers(path)
        pairs = _pairs(headers)
        for inputs, labels in pairs:
            check_arrays(inputs, headers[inputs], labels, headers[labels])
        if len({(shape[1:], dtype) for shape, dtype in (headers[inputs] for inputs, _ in pairs)}) > 1:
            shown = (f"{name} has shape {headers[name][0]} of {headers[name][1]}" for name, _ in pairs)
            raise ValueError(f"{' and '.join(shown)}; their examples must be alike")
        with np.load(path, allow_pickle=False) as content:
            return labelled([Part(inputs, content[inputs], labels, content[labels]) for inputs, labels in pairs])


@contextmanager
def faults(path: Path) -> Iterator[None]:
    """Raises ValueError, which names the file, for whatever a damaged file leads to."""
    try:
        yield
    except zipfile.BadZipFile:
        raise ValueError(f"{path} is no `.npz` file, as `numpy.savez` writes it") from None
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    except (ValueError, EOFError, zlib.error, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"{path}: {error}") from None


def read_headers(path: Path) -> dict[str, Header]:
    """The shape and the type of each array of a `.npz` file, by name.

    Raises ValueError for an array of objects, and for one that is not as long as its header says.
    """
    with opened(path) as content, zipfile.ZipFile(content) as archive:
        headers = {}
        for member in archive.infolist():
            with archive.open(member) as file:
                name = member.filename.removesuffix(".npy")
                headers[name] = shape, dtype = _header(name, file)
                if file.tell() + dtype.itemsize * int(np.prod(shape, dtype=object)) != member.file_size:
                    raise ValueError(f"{name} is damaged: it is not as long as its shape {shape} says")
        return headers


def _header(name: str, file: Any) -> Header:
    version = np.lib.format.read_magic(file)
    if version not in HEADERS:
        raise ValueError(f"{name} has a format that is not known, {version}")
    shape, _, dtype = HEADERS[version](file)
    if dtype.hasobject:
        raise ValueError(f"{name} holds objects of Python, which are not read; save it as numbers")
    return shape, dtype


def _pairs(headers: Mapping[str, Header]) -> tuple[tuple[str, str], ...]:
    for pairs in (WHOLE, SPLIT):
        if {name for pair in pairs for name in pair} == headers.keys():
            return pairs
    raise ValueError(
        f"it has {', '.join(headers) or 'no arrays'}; it must have either inputs and labels, or train_inputs, "
        "train_labels, validation_inputs and validation_labels, and no others"
    )
