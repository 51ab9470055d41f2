"""Loss and accuracy of a network on many examples, a batch after the other."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from landscape.data import Split
from landscape.models.functional import Network
from landscape.numerics.loss import IGNORED, accuracy, cross_entropy
from landscape.numerics.memory import device_bytes
from landscape.numerics.microbatch import stacked

EVALUATION_LOGITS = 2**24  # at most so many at once: 64 MiB
ON_A_PROCESSOR, ON_AN_ACCELERATOR = 128, 1024  # examples at once; more do not pay


@jax.jit
def evaluate(network: Network, examples: Split) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Mean cross-entropy in nats, and accuracy, in evaluation mode."""
    one = jax.eval_shape(Network.logits, network, jax.tree.map(lambda array: array[:1], examples.inputs))
    most = ON_A_PROCESSOR if device_bytes() is None else ON_AN_ACCELERATOR
    size = min(max(1, EVALUATION_LOGITS // one.size), most, len(examples))

    def sums(batch: tuple[Any, Array]) -> tuple[Array, Array, Array]:
        outputs = network.logits(batch[0])
        counted = jnp.sum(batch[1] != IGNORED)
        return counted * cross_entropy(outputs, batch[1]), counted * accuracy(outputs, batch[1]), counted

    losses, correct, counted = jax.lax.map(sums, stacked(*examples, size))
    return losses.sum() / counted.sum(), correct.sum() / counted.sum()
