"""Training and validation examples, and how a specification chooses them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from landscape.study.examples import DataSpec


class Split(NamedTuple):
    """Examples along the first axis.

    inputs: an array (examples, ...), or for masked text {"tokens": (examples, s), "positions": (examples, p)}.
    targets: integers, (examples,) or (examples, p) for the masked positions, where −1 does not count.
    """

    inputs: Any
    targets: np.ndarray

    def __len__(self) -> int:
        return len(self.targets)


class Data(NamedTuple):
    """Training and validation examples, and how many classes (or vocabulary entries) there are.

    remask: for text, the training examples in the same order with masks drawn anew, one call an epoch;
    None for images.
    """

    train: Split
    validation: Split
    classes: int
    remask: Callable[[np.random.Generator], Split] | None = None


def divide(count: int, spec: DataSpec) -> tuple[np.ndarray, np.ndarray]:
    """Disjoint rows out of `count` for validation and for training, drawn by the seed: validation first.

    Raises ValueError where the specification asks for more than there are.
    """
    wanted = spec.validation_size + (spec.train_size or 1)
    if wanted > count:
        raise ValueError(
            f"{spec.name} has {count} examples; {spec.train_size or 'some'} for training "
            f"and {spec.validation_size} for validation were asked for"
        )
    order = np.random.default_rng(spec.seed).permutation(count)
    validation, rest = order[: spec.validation_size], order[spec.validation_size :]
    return validation, rest[: spec.train_size]
