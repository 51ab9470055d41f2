"""Loss and accuracy of a network on many examples, one batch after another."""

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

EVALUATION_LOGITS = 2**24  # the most logits at once: 64 MiB
ON_A_PROCESSOR, ON_AN_ACCELERATOR = 128, 1024  # the most examples at once; more are no faster


@jax.jit
def evaluate(network: Network, examples: Split) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Mean cross-entropy in nats, and accuracy from 0 to 1, in evaluation mode."""
    one = jax.eval_shape(Network.logits, network, jax.tree.map(lambda array: array[:1], examples.inputs))
    most = ON_A_PROCESSOR if device_bytes() is None else ON_AN_ACCELERATOR
    size = min(max(1, EVALUATION_LOGITS // one.size), most, len(examples))

    def sums(batch: tuple[Any, Array]) -> tuple[Array, Array, Array]:
        outputs = network.logits(batch[0])
        counted = jnp.sum(batch[1] != IGNORED)
        return counted * cross_entropy(outputs, batch[1]), counted * accuracy(outputs, batch[1]), counted

    losses, correct, counted = jax.lax.map(sums, stacked(*examples, size))
    return losses.sum() / counted.sum(), correct.sum() / counted.sum()
