"""The one check of a batch: whether each target is a class that the network has a logit for."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import jax
import numpy as np
from jaxtyping import Array, Float, Int

from landscape.data.split import IGNORED
from landscape.numerics.structure import once_a_structure


@runtime_checkable
class Classifier(Protocol):
    """A pytree that gives each class a logit, as `landscape.models.functional.Network` does."""

    def logits(self, inputs: Any) -> Float[Array, "*b k"]:
        """The logits of a batch."""


def checked_batch(network: Classifier, inputs: Any, targets: Any) -> tuple[Any, Int[np.ndarray, "*b"]]:
    """A batch whose targets are classes of the network, in int32: a narrower type might not hold `IGNORED`.

    JAX would not complain: it takes the class beside one that does not exist, and repeats a single target.

    Args:
      network: it is traced, once for each of its structures, and not run.
      inputs: an array, or a tree of arrays, with the examples on the first axis.
      targets: a class from 0 on for each vector of logits; −1 does not count.

    Returns:
      The inputs as they are, and the targets.

    Raises:
      ValueError: if inputs and targets differ in number, if the network does not take the inputs, or if the targets do
        not have the shape of its logits without the classes, are no integers, or none of them counts, or if one is
        neither a class nor −1.

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> from landscape.models.functional import split
      >>> from landscape.models.mlp import mlp
      >>> from landscape.numerics.batch import checked_batch
      >>> checked_batch(split(mlp(4, (5,), 3, nnx.Rngs(0))), jnp.ones((2, 4)), [0, 2])[1]
      array([0, 2], dtype=int32)
    """
    targets = np.asarray(targets)
    counts = {len(leaf) if np.ndim(leaf) else 1 for leaf in jax.tree.leaves(inputs)}
    if not targets.ndim or counts != {len(targets)}:
        raise ValueError(
            f"inputs and targets must be equally many; got {sorted(counts)} and {len(targets) if targets.ndim else 1}"
        )
    *shape, classes = _shape_of_logits(network, inputs)
    if targets.shape != (*shape,):
        raise ValueError(
            f"targets must be one class for each of the logits' {classes}-vectors, of shape {(*shape,)}; "
            f"got {targets.shape}"
        )
    return inputs, checked_classes(targets, classes)


def checked_classes(targets: np.ndarray, classes: int) -> Int[np.ndarray, "*b"]:
    """Targets in int32, which must be classes from 0 to `classes` − 1 or −1. Raises ValueError, as `checked_batch`."""
    if not np.issubdtype(targets.dtype, np.integer):
        raise ValueError(f"targets must be whole numbers, the classes; got {targets.dtype}")
    if wrong := [int(each) for each in (targets.min(initial=0), targets.max(initial=0)) if not -1 <= each < classes]:
        raise ValueError(
            f"targets must be classes from 0 to {classes - 1}, or {IGNORED} to be left out; got {wrong[0]}"
        )
    if not np.any(targets != IGNORED):
        raise ValueError(f"at least one target must count; all {targets.size} are {IGNORED}")
    return targets.astype(np.int32)


@once_a_structure
def _shape_of_logits(network: Classifier, inputs: Any) -> tuple[int, ...]:
    try:
        outputs = jax.eval_shape(type(network).logits, network, inputs)
    except (TypeError, ValueError) as error:
        shapes = jax.tree.map(np.shape, inputs)
        raise ValueError(f"the network does not take inputs of shape {shapes}: {error}") from error
    if not isinstance(outputs, jax.ShapeDtypeStruct) or outputs.ndim < 2:
        raise ValueError(f"the network must return logits, an array with the classes on its last axis; got {outputs}")
    return outputs.shape
