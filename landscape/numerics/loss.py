"""Mean cross-entropy, and its change between two sets of logits without cancellation."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

UNIT = 2.0**-57
CANCELLING = 0.9  # of a probability of 1, from where too few digits are left

IGNORED = -1  # a target that does not count: padding of a list of masked positions


def cross_entropy(logits: Float[Array, "*b k"], targets: Int[Array, "*b"]) -> Float[Array, ""]:
    """Mean over the counted targets of log Σ exp(logits) − logit of the target, in nats."""
    return jnp.sum(cross_entropies(logits, targets)) / jnp.sum(targets != IGNORED)


def cross_entropies(logits: Float[Array, "*b k"], targets: Int[Array, "*b"]) -> Float[Array, "*b"]:
    """Of every target, in nats; 0 for those that do not count."""
    chosen = jnp.take_along_axis(logits, jnp.maximum(targets, 0)[..., None], axis=-1)[..., 0]
    return jnp.where(targets != IGNORED, jax.nn.logsumexp(logits, axis=-1) - chosen, 0)


def shares(logits: Float[Array, "*b k"]) -> Float[Array, "*b k"]:
    """softmax(logits) / UNIT: in this unit none is lost to underflow that a change could make count again."""
    logs = jax.nn.log_softmax(logits)
    return jnp.where(logs > math.log(UNIT), jnp.exp(logs) / UNIT, jnp.exp(logs - math.log(UNIT)))


def loss_change(
    logits: Float[Array, "*b k"],
    shares: Float[Array, "*b k"],
    change: Float[Array, "*n b k"],
    targets: Int[Array, "*b"],
) -> Float[Array, "*n b"]:
    """For each target, how much the cross-entropy of `logits + change` exceeds that of `logits`, in nats; 0 where it
    does not count. `shares` are those of the logits.

    With the change taken relative to that of the target, it is log(1 + Σ softmax(logits)·(exp(change) − 1)): a change
    far below the rounding of the loss itself keeps its digits. Where the sum comes near −1, as a network that is sure
    and wrong loses its confidence, it is the sum that loses digits, and the difference of two losses stands in.
    """
    counted, places = targets != IGNORED, jnp.maximum(targets, 0)[..., None]
    change = change - jnp.take_along_axis(change, jnp.broadcast_to(places, (*change.shape[:-1], 1)), axis=-1)
    grown = UNIT * jnp.sum(shares * jnp.expm1(change), axis=-1)
    keeps = (grown > -CANCELLING) & jnp.isfinite(grown)

    def differences() -> Array:
        return jax.nn.logsumexp(logits + change, axis=-1) - jax.nn.logsumexp(logits, axis=-1)

    logs = jnp.log1p(jnp.where(keeps, grown, 0))
    logs = jax.lax.cond(jnp.all(keeps | ~counted), lambda: logs, lambda: jnp.where(keeps, logs, differences()))
    return jnp.where(counted, logs, 0)


def accuracy(logits: Float[Array, "*b k"], targets: Int[Array, "*b"]) -> Float[Array, ""]:
    """Share of the counted targets that have the largest logit."""
    counted = targets != IGNORED
    return jnp.sum(jnp.argmax(logits, axis=-1) == targets, where=counted) / jnp.sum(counted)


BLOCK = 2048  # classes whose logits are there at once: they stay in a processor's cache


def in_blocks(array: Float[Array, "*b k"]) -> Float[Array, "blocks *b block"]:
    """The last axis cut into blocks of classes of equal size, filled up with zeros."""
    size = min(BLOCK, array.shape[-1])
    count = -(-array.shape[-1] // size)
    padding = [(0, 0)] * (array.ndim - 1) + [(0, count * size - array.shape[-1])]
    return jnp.moveaxis(jnp.pad(array, padding).reshape(*array.shape[:-1], count, size), -2, 0)


def loss_change_of_features(
    head: Float[Array, "d k"],
    logits: Float[Array, "*b k"],
    blocks: Float[Array, "blocks *b block"],
    change: Float[Array, "n *b d"],
    targets: Int[Array, "*b"],
) -> Float[Array, "n ..."]:
    """`loss_change` of logits that change by `change @ head`, in blocks of classes; `blocks` are the shares in these.

    Where the blocks' sums lose digits, all logits of that change are written down, one change after the other.
    """
    counted, target = targets != IGNORED, jnp.maximum(targets, 0)
    of_target = jnp.einsum("n...d,d...->n...", change, head[:, target])

    def add(grown: Array, block: tuple[Array, Array]) -> tuple[Array, None]:
        kernel, share = block

        def growth(one: tuple[Array, Array]) -> Array:
            change, of_target = one
            return jnp.sum(share * jnp.expm1(change @ kernel - of_target[..., None]), axis=-1)

        return grown + jax.lax.map(growth, (change, of_target)), None

    grown = UNIT * jax.lax.scan(add, jnp.zeros(change.shape[:-1]), (in_blocks(head), blocks))[0]
    keeps = (grown > -CANCELLING) & jnp.isfinite(grown) | ~counted

    def one(case: tuple[Array, Array, Array]) -> Array:
        keeps, grown, change = case

        def written_down() -> Array:
            return loss_change(logits, shares(logits), change @ head, targets)

        return jax.lax.cond(jnp.all(keeps), lambda: jnp.log1p(grown), written_down)

    return jnp.where(counted, jax.lax.map(one, (keeps, grown, change)), 0)
