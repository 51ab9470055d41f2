"""Loss and accuracy of a network on many examples, one batch after another."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from landscape.data import Split
from landscape.models.functional import Network
from landscape.numerics.loss import IGNORED, cross_entropies, hits
from landscape.numerics.memory import device_bytes
from landscape.numerics.microbatch import stacked
from landscape.numerics.precision import exact

EVALUATION_LOGITS = 2**24  # the most logits at once: 64 MiB
ON_A_PROCESSOR, ON_AN_ACCELERATOR = 128, 1024  # the most examples at once; more are no faster


@exact
@jax.jit
def evaluate(network: Network, examples: Split) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Mean cross-entropy in nats, and accuracy from 0 to 1, in evaluation mode; over the targets that count.

    A network whose loss is not finite has no accuracy (NaN): the largest of logits that are NaN would be the first.
    Products are in full precision, since the performance gain is a difference of two evaluations.
    """
    one = jax.eval_shape(Network.logits, network, jax.tree.map(lambda array: array[:1], examples.inputs))
    most = ON_A_PROCESSOR if device_bytes() is None else ON_AN_ACCELERATOR
    size = min(max(1, EVALUATION_LOGITS // one.size), most, len(examples))

    def sums(batch: tuple[Any, Array]) -> tuple[Array, Array, Array]:
        outputs, targets = network.logits(batch[0]), batch[1]
        return cross_entropies(outputs, targets).sum(), hits(outputs, targets).sum(), jnp.sum(targets != IGNORED)

    losses, right, counted = (each.sum() for each in jax.lax.map(sums, stacked(*examples, size)))
    return losses / counted, jnp.where(jnp.isfinite(losses), right / counted, jnp.nan)
