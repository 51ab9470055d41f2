"""By how much the loss of networks near a given one exceeds its own, on one batch.

Networks are compared by their features where a large last layer, the head, is the same for all of them
(`landscape.models.cut.Cut.head`), and by their logits elsewhere.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
from jaxtyping import Array, Float, Int

from landscape.numerics.loss import at_least_float32, in_blocks, loss_change, loss_change_of_features, scaled_softmax

Head = tuple[Float[Array, "d k"], Float[Array, " k"]]  # kernel and bias


class Origin(NamedTuple):
    """What the network computes on the batch from which the others are measured."""

    features: Float[Array, "*b d"]  # the logits where there is no head
    logits: Float[Array, "*b k"]
    # of the logits: its logarithm, (... k b) as `loss_change` reads it; where there is a head, scaled and in blocks
    softmax: Float[Array, ...]

    def change_to(self, features: Float[Array, "n *b d"]) -> Float[Array, "n *b d"]:
        """By how much other features exceed these."""
        return at_least_float32(features) - self.features


def origin_at(features: Float[Array, "*b d"], head: Head | None) -> Origin:
    """The origin at a network with these features, in float32 at least."""
    features = at_least_float32(features)
    if head is None:
        return Origin(features, features, jax.nn.log_softmax(features).mT)
    kernel, bias = head
    logits = features @ kernel + bias  # *b k
    return Origin(features, logits, in_blocks(scaled_softmax(logits)))


def loss_excess(
    origin: Origin, head: Head | None, change: Float[Array, "n *b d"], targets: Int[Array, "*b"], by_logs: bool
) -> Float[Array, " n *b"]:
    """How much the loss of n networks exceeds that at the origin, in nats, target by target.

    `change` is by how much their features exceed the origin's; `by_logs` as `loss_change` reads it.
    """
    if head is None:
        return loss_change(origin.softmax.mT, change, targets, by_logs)
    return loss_change_of_features(head[0], origin.logits, origin.softmax, change, targets)
