"""Safetensors files, read with care: nothing in them is run, and every number is looked at before it is used.

A file is a length, a header in JSON that names each tensor with its type, shape and place, and the numbers themselves.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from landscape.study.sources import Weights

LENGTH = 8  # bytes of the length of the header
MOST_HEADER = 2**22  # bytes: room for the names of 40,000 tensors
MOST_AXES = 8
METADATA = "__metadata__"
REAL = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}  # types that weights may have, as NumPy reads them
OTHER = {"I64": 8, "U64": 8, "I32": 4, "U32": 4, "I16": 2, "U16": 2, "I8": 1, "U8": 1, "BOOL": 1}  # bytes of a number
PICKLES = (b"\x80", b"PK\x03\x04")  # how a pickle begins, and a zip archive, in which PyTorch puts one


class Tensor(NamedTuple):
    """A tensor of a file: its name, its type and shape, and its numbers as they lie there."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    content: memoryview

    def __str__(self) -> str:
        return f"{self.name} of shape {self.shape}"

    @property
    def is_real(self) -> bool:
        """Whether it holds real numbers, as weights do; counters of steps and positions are integers."""
        return self.dtype in REAL

    def array(self) -> np.ndarray:
        """The numbers in float32: exact for float16 and bfloat16, rounded for float64.

        Raises ValueError for a tensor that holds no real numbers, or a number that is not finite in float32.
        """
        if not self.is_real:
            raise ValueError(f"{self.name} is of type {self.dtype}; weights are of type {', '.join(REAL)}")
        raw = np.frombuffer(self.content, REAL[self.dtype])
        with np.errstate(over="ignore"):
            numbers = (raw.astype("<u4") << 16).view("<f4") if self.dtype == "BF16" else raw.astype("<f4")
        if not (finite := np.isfinite(numbers)).all():
            count = len(finite) - finite.sum()
            raise ValueError(f"{self.name} holds {count} of {len(finite)} numbers that are NaN or infinite")
        return numbers.reshape(self.shape)


Tensors = Mapping[str, Tensor]  # by name


def tensors_of(content: bytes) -> Tensors:
    """The tensors in the content of a safetensors file.

    Args:
      content: the whole file, of at most 200 MiB.

    Raises:
      ValueError: in one sentence, for what is no such file: another format, a pickle, a header that is too long, no
        JSON, or names a tensor twice, a type that is not known, a file that is cut off, or tensors that overlap or do
        not fill it.

    Example:
      >>> import numpy as np
      >>> from safetensors.numpy import save
      >>> from landscape.models.weights.reader import tensors_of
      >>> tensors = tensors_of(save({"fc1.weight": np.ones((3, 2), np.float16)}))
      >>> tensors["fc1.weight"].shape, tensors["fc1.weight"].array().dtype
      ((3, 2), dtype('float32'))

    References:
      The format's own description, https://huggingface.co/docs/safetensors (2022).
    """
    if len(content) > Weights.most_bytes:
        raise ValueError(f"the file has {len(content):,} bytes; at most {Weights.most_bytes:,} are read")
    length = int.from_bytes(content[:LENGTH], "little")
    start = LENGTH + length
    if len(content) < LENGTH or length > MOST_HEADER or start > len(content):
        if content.startswith(PICKLES):  # as the length of a header that is not too long may begin, too
            raise ValueError(
                "the file is a pickle or an archive, as torch.save writes: it could run code and is never opened; "
                "write the state dictionary by safetensors.torch.save_file"
            )
        raise ValueError(
            f"the file is no safetensors file, or is cut off: it has {len(content):,} bytes, and its header "
            f"{'would have ' + format(length, ',') if len(content) >= LENGTH else 'needs at least 8'}"
        )
    header = _header(content[LENGTH:start])
    numbers = memoryview(content)[start:]
    spans = {name: _span(name, entry, len(numbers)) for name, entry in header.items()}
    _check_filled(spans, len(numbers))
    return {
        name: Tensor(name, header[name]["dtype"], tuple(header[name]["shape"]), numbers[begin:end])
        for name, (begin, end) in spans.items()
    }


def read(path: Any) -> Tensors:
    """The tensors of a file. Raises ValueError as `tensors_of` does, and for a file that cannot be read."""
    return tensors_of(Weights.read(path))


def _header(text: bytes) -> dict[str, Any]:
    """What the header says of each tensor. Raises ValueError."""

    def each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        if len(set(names)) < len(names):
            raise ValueError(f"it names {Counter(names).most_common(1)[0][0]} twice")
        return dict(pairs)

    try:
        header = json.loads(text, object_pairs_hook=each_once)
        if not isinstance(header, dict):
            raise ValueError("it is no table")
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the header of the safetensors file cannot be read: {str(error)[:200]}") from None
    header.pop(METADATA, None)
    if not header:
        raise ValueError("the safetensors file holds no tensors")
    return header


def _span(name: str, entry: Any, available: int) -> tuple[int, int]:
    """Where the numbers of a tensor begin and end. Raises ValueError for an entry that does not say so."""
    match entry:
        case {"dtype": str(dtype), "shape": list(shape), "data_offsets": [int(begin), int(end)]}:
            if len(shape) > MOST_AXES or not all(type(size) is int and size >= 0 for size in shape):
                raise ValueError(f"{name} has no shape of at most {MOST_AXES} whole numbers: {str(shape)[:80]}")
            itemsize = np.dtype(REAL[dtype]).itemsize if dtype in REAL else OTHER.get(dtype)
            if itemsize is None:
                raise ValueError(f"{name} is of type {dtype[:20]}, which is not read; {', '.join((*REAL, *OTHER))} are")
            if end - begin != math.prod(shape) * itemsize or not 0 <= begin <= end <= available:
                raise ValueError(
                    f"{name} of shape {tuple(shape)} and type {dtype} lies at bytes {begin} to {end} of {available}: "
                    "the file is cut off, or its header is wrong"
                )
            return begin, end
    raise ValueError(f"the header of the safetensors file does not say what {name} is: {str(entry)[:80]}")


def _check_filled(spans: Mapping[str, tuple[int, int]], available: int) -> None:
    """Raises ValueError where tensors overlap or leave a gap."""
    place = 0
    for name, (begin, end) in sorted(spans.items(), key=lambda each: each[1]):
        if begin != place:
            raise ValueError(f"{name} begins at byte {begin} of the numbers, and the tensor before it ends at {place}")
        place = end
    if place != available:
        raise ValueError(f"{available - place} bytes behind the last tensor belong to none")
