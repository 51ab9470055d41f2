"""What a network computes on a batch, and how much the loss of a network near it exceeds its own.

Networks are compared where they are opened at a large last layer that does not change between them (`Cut.head`), and
else at their logits.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from landscape.numerics.loss import in_blocks, loss_change, loss_change_of_features, shares

Head = tuple[Array, Array] | None  # kernel and bias of the last layer, with logits = features @ kernel + bias


class Standing(NamedTuple):
    """A network on the batch, from where others are measured."""

    features: Float[Array, "*b d"]  # the logits where there is no head
    logits: Float[Array, "*b k"]
    shares: Array  # those of the logits (`landscape.numerics.loss`), in blocks where there is a head


def standing(features: Float[Array, "*b d"], head: Head) -> Standing:
    """Of a network with these features."""
    if head is None:
        return Standing(features, features, shares(features))
    kernel, bias = head
    logits = features @ kernel + bias
    return Standing(features, logits, in_blocks(shares(logits)))


def excess(
    start: Standing, head: Head, features: Float[Array, "n *b d"], targets: Int[Array, "*b"]
) -> Float[Array, " n"]:
    """How much the loss of networks with other features exceeds that of `start`, in nats, summed over the targets."""
    change = features - start.features
    if head is None:
        changes = loss_change(start.logits, start.shares, change, targets)
    else:
        changes = loss_change_of_features(head[0], start.logits, start.shares, change, targets)
    return jnp.sum(changes.reshape(len(change), -1), axis=1)
