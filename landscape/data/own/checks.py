"""What examples of one's own must be: checked once for arrays and for images, with one sentence for each fault."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

from landscape.data.split import Split

FLOATS = ("float16", "float32", "float64")


class Labelled(NamedTuple):
    """Examples with their labels as they lie in a file or folder.

    Attributes:
      train: inputs (examples, ...) of 8 bits or float32, and classes from 0 on. Both splits of a study are drawn from
        them unless there is a part for validation.
      validation: the part for validation, or None.
      classes: how many classes there are.
    """

    train: Split
    validation: Split | None
    classes: int


class Part(NamedTuple):
    """One part of the examples as it was read; `inputs_name` and `labels_name` are what messages call its arrays."""

    inputs_name: str
    inputs: np.ndarray
    labels_name: str
    labels: np.ndarray


def labelled(parts: Sequence[Part]) -> Labelled:
    """The examples of one part, or of a part for training and one for validation.

    Labels may begin at any number from 0 on, and the smallest one of the training part becomes class 0.

    Raises ValueError for inputs that are not finite, and for labels that leave a class without a training example or
    are not classes at all.
    """
    train, *others = parts
    present = np.unique(train.labels)
    first, classes = int(present[0]), int(present[-1]) - int(present[0]) + 1
    _check_classes(train, present, first, classes)
    for part in others:
        outside = part.labels[(part.labels < first) | (part.labels > present[-1])]
        if outside.size:
            raise ValueError(f"{part.labels_name} has {outside[0]}, which {train.labels_name} does not have")
    found = [Split(_finite(part), _classes_from(part.labels, first)) for part in parts]
    return Labelled(found[0], found[1] if others else None, classes)


def _check_classes(train: Part, present: np.ndarray, first: int, classes: int) -> None:
    if first < 0:
        raise ValueError(f"{train.labels_name} must hold whole numbers from 0 on; it has {first}")
    if classes < 2:
        raise ValueError(f"{train.labels_name} holds one class only, {first}; there must be at least two")
    if len(present) < classes:
        missing = next(label for i, label in enumerate(range(first, first + classes)) if present[i] != label)
        raise ValueError(
            f"{train.labels_name} runs from {first} to {first + classes - 1} without {missing}, and each class needs a "
            "training example; `numpy.unique(labels, return_inverse=True)` numbers the classes that there are"
        )


def _classes_from(labels: np.ndarray, first: int) -> Int[np.ndarray, " examples"]:
    return (labels - np.asarray(first, labels.dtype)).astype(np.int32)


def _finite(part: Part) -> np.ndarray:
    """The inputs, of 8 bits as they are and all others in float32."""
    if part.inputs.dtype == np.uint8:
        return part.inputs
    with np.errstate(over="ignore"):
        inputs = part.inputs.astype(np.float32)
    wrong = np.flatnonzero(~np.isfinite(inputs).reshape(len(inputs), -1).all(1))
    if wrong.size:
        raise ValueError(
            f"{part.inputs_name} must be finite in float32; example {wrong[0]} holds NaN, an infinity or too much"
        )
    return inputs


def check_arrays(
    inputs_name: str, inputs: tuple[tuple[int, ...], Any], labels_name: str, labels: tuple[tuple[int, ...], Any]
) -> None:
    """Check the shapes and the types of inputs and labels, which a file tells before they are read.

    Raises ValueError that names the array and what is allowed.
    """
    (shape, dtype), (targets, kind) = inputs, labels
    if dtype.name not in ("uint8", *FLOATS):
        raise ValueError(f"{inputs_name} is of {dtype}; allowed are uint8, {', '.join(FLOATS)}")
    if len(shape) < 2 or 0 in shape:
        raise ValueError(f"{inputs_name} has shape {shape}; it must be (examples, features) or longer, no axis 0")
    if kind.kind not in "iu" or len(targets) != 1:
        raise ValueError(
            f"{labels_name} is of {kind} and shape {targets}; it must be one whole number for each example, (examples,)"
        )
    if targets[0] != shape[0]:
        raise ValueError(f"{inputs_name} has {shape[0]} examples and {labels_name} {targets[0]}; they must be equal")
