"""Training and validation examples, and how a specification chooses them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

from landscape.study.examples import DataSpec

IGNORED = -1  # a target that does not count: padding of a list of masked positions


class Split(NamedTuple):
    """Examples along the first axis.

    Attributes:
      inputs: an array (examples, ...), or for masked text {"tokens": (examples, s), "positions": (examples, p)}.
      targets: classes (examples,), or for masked text the tokens (examples, p) at the masked positions, where
        `IGNORED` does not count.
    """

    inputs: Any
    targets: Int[np.ndarray, examples * p]

    def __len__(self) -> int:
        return len(self.targets)


class Data(NamedTuple):
    """The examples of a study.

    Attributes:
      train: what the networks are trained on; the walks and the proxies take a batch of it.
      validation: what performance is measured on.
      classes: how many classes there are, or how many tokens the vocabulary has.
      remask: for text, a function that returns the training examples in the same order with new masks, called once an
        epoch; None for images.
    """

    train: Split
    validation: Split
    classes: int
    remask: Callable[[np.random.Generator], Split] | None = None


def divide(count: int, spec: DataSpec) -> tuple[Int[np.ndarray, " validation"], Int[np.ndarray, " train"]]:
    """Disjoint rows of a set for validation and for training, drawn by the seed of the specification.

    Args:
      count: how many examples the set has.
      spec: how many of them to draw, and the seed.

    Returns:
      The rows for validation, which are drawn first, and those for training.

    Raises:
      ValueError: if the specification asks for more examples than there are.

    Example:
      >>> from landscape.data.split import divide
      >>> from landscape.study.examples import DataSpec
      >>> validation, train = divide(5, DataSpec(validation_size=2))
      >>> sorted([*validation.tolist(), *train.tolist()])
      [0, 1, 2, 3, 4]
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


def drawn(
    train: int, validation: int, spec: DataSpec
) -> tuple[Int[np.ndarray, " validation"], Int[np.ndarray, " train"]]:
    """Rows for validation and for training of a set that has a part for each, drawn by the seed of the specification.

    Args:
      train: how many examples the part for training has.
      validation: how many examples the part for validation has.
      spec: how many of each to draw, and the seed.

    Raises:
      ValueError: if the specification asks for more examples than there are.

    Example:
      >>> from landscape.data.split import drawn
      >>> from landscape.study.examples import DataSpec
      >>> [len(rows) for rows in drawn(5, 3, DataSpec(validation_size=2))]
      [2, 5]
    """
    asked = (("train_size", spec.train_size or 1, train), ("validation_size", spec.validation_size, validation))
    for name, wanted, count in asked:
        if wanted > count:
            enough = f"; set {name} to {count} or less" if count else ""
            raise ValueError(f"{spec.name} has {count} examples for {name} = {wanted}{enough}")
    rng = np.random.default_rng(spec.seed)
    return rng.permutation(validation)[: spec.validation_size], rng.permutation(train)[: spec.train_size]
