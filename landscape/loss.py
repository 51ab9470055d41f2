"""Mean cross-entropy, and its change between two sets of logits without cancellation."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

IGNORED = -1  # a target that does not count: padding of a list of masked positions


def cross_entropy(logits: Float[Array, "*b k"], targets: Int[Array, "*b"]) -> Float[Array, ""]:
    """Mean over the counted targets of log Σ exp(logits) − logit of the target, in nats."""
    counted, targets = targets != IGNORED, jnp.maximum(targets, 0)
    chosen = jnp.take_along_axis(logits, targets[..., None], axis=-1)[..., 0]
    losses = jax.nn.logsumexp(logits, axis=-1) - chosen
    return jnp.sum(losses, where=counted) / jnp.sum(counted)


def loss_change(
    probabilities: Float[Array, "*b k"], change: Float[Array, "*b k"], targets: Int[Array, "*b"]
) -> Float[Array, ""]:
    """cross_entropy(logits + change) − cross_entropy(logits) in nats, where `probabilities` = softmax(logits).

    Evaluated as log(1 + Σ probabilities·(exp(change) − 1)) − change of the target, so that a change far below
    the rounding of the loss itself keeps its digits.
    """
    return summed_loss_change(probabilities, change, targets) / jnp.sum(targets != IGNORED)


def summed_loss_change(
    probabilities: Float[Array, "*b k"], change: Float[Array, "*b k"], targets: Int[Array, "*b"]
) -> Float[Array, ""]:
    """`loss_change` summed over the counted targets, so that parts of a batch add up."""
    counted, targets = targets != IGNORED, jnp.maximum(targets, 0)
    grown = jnp.sum(probabilities * jnp.expm1(change), axis=-1)
    chosen = jnp.take_along_axis(change, targets[..., None], axis=-1)[..., 0]
    return jnp.sum(jnp.log1p(grown) - chosen, where=counted)


def accuracy(logits: Float[Array, "*b k"], targets: Int[Array, "*b"]) -> Float[Array, ""]:
    """Share of the counted targets that have the largest logit."""
    counted = targets != IGNORED
    return jnp.sum(jnp.argmax(logits, axis=-1) == targets, where=counted) / jnp.sum(counted)
