"""Mean cross-entropy, by Optax, and its change between two sets of logits.

The change has a form of its own, since the difference of two losses would cancel: in float32 it loses barriers below
2e-7 nats, of which this form keeps four digits (`tests/test_midpoint.py`).
"""

from __future__ import annotations

import math
from functools import reduce
from operator import add

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int

from landscape.data.split import IGNORED
from landscape.numerics.loss.exponential import exponentials

# The unit in which probabilities are summed. Normal float32 numbers go from 2**-126 to 2**128, so that a probability is
# kept down to 2**-183 in this unit: a smaller one adds at most 2**-55 to 1 + Σ p·(exp(c) − 1), whatever finite exp(c)
# it meets. At the other end sums stay finite up to 2**71, 49 nats, from where the difference of two losses is exact.
UNIT = 2.0**-57
# Where Σ p·(exp(c) − 1) is below −0.9, 1 + sum has lost a decimal digit, and the loss has changed by more than ln 10
# nats, which the difference of two losses gives to more digits.
CANCELLING = 0.9
# Σ p·exp(c) from here on has lost nothing to underflow: a probability below 2**-183 adds at most 2**-55. Below it, the
# loss has fallen by more than 21 nats.
LEAST = 2.0**-31
FEW = 16  # classes up to which both sums are made in one pass

WRITTEN = 64  # targets whose logits are written down together, where sums over classes lose digits
BLOCK = 2048  # classes whose logits are computed together: 8 KiB a target, which stay in a processor's first cache


def cross_entropy(logits: Float[Array, "*b k"], targets: Int[Array, "*b"]) -> Float[Array, ""]:
    """Mean over the targets that count of log Σ exp(logits) − logit of the target, in nats."""
    return jnp.sum(cross_entropies(logits, targets)) / jnp.sum(targets != IGNORED)


def cross_entropies(logits: Float[Array, "*b k"], targets: Int[Array, "*b"]) -> Float[Array, "*b"]:
    """The cross-entropy of every target, in nats and at least float32; 0 for those that do not count."""
    losses = optax.softmax_cross_entropy_with_integer_labels(at_least_float32(logits), jnp.maximum(targets, 0))
    return jnp.where(targets != IGNORED, losses, 0)


def at_least_float32(array: Float[Array, ...]) -> Float[Array, ...]:
    """The same numbers in float32, or in float64 if they are: a loss has more digits than short types hold."""
    kind = jnp.promote_types(array.dtype, jnp.float32)
    return array if array.dtype == kind else array.astype(kind)


def scaled_softmax(logits: Float[Array, "*b k"]) -> Float[Array, "*b k"]:
    """softmax(logits) / UNIT: in this unit no probability is lost to underflow that a change could make count again."""
    return _scaled(jax.nn.log_softmax(logits))


def _scaled(log_p: Float[Array, ...]) -> Float[Array, ...]:
    return jnp.where(log_p > math.log(UNIT), jnp.exp(log_p) / UNIT, jnp.exp(log_p - math.log(UNIT)))


def loss_change(
    log_softmax: Float[Array, "*b k"], change: Float[Array, "*n b k"], targets: Int[Array, "*b"], by_logs: bool = True
) -> Float[Array, "*n b"]:
    """For each target, how much the cross-entropy of `logits + change` exceeds that of `logits`, in nats.

    It is 0 for targets that do not count. `log_softmax` is that of the logits.

    With p the softmax, and the change c taken relative to that of the target, it is log(1 + Σ p·(exp(c) − 1)), so that
    a change far below the rounding of the loss itself keeps its digits. Where that sum loses digits, it is
    log Σ p·exp(c), and where a sum overflows or underflows log Σ exp(log p + c). That takes as long as everything else
    and is hardly ever needed: without `by_logs` it is left out, and NaN where it would be needed. Targets are on the
    last axis, where processors take several numbers at a time.
    """
    log_p, change = log_softmax.mT, change.mT  # k b, *n k b
    places = jnp.broadcast_to(jnp.maximum(targets, 0)[..., None, :], (*change.shape[:-2], 1, change.shape[-1]))
    of_target = jnp.take_along_axis(change, places, axis=-2, mode="promise_in_bounds")  # *n 1 b
    grown, total = _sums(_scaled(log_p), change - of_target)  # *n b
    counted, keeps = targets != IGNORED, _keeps_digits(grown)
    exact = keeps | (jnp.isfinite(total) & (total > LEAST)) | ~counted
    whole = jnp.where(keeps, 1 + grown, total)
    lost = jnp.where(keeps, (grown - (whole - 1)) / whole, 0)  # by rounding 1 + grown
    logs = jnp.where(exact, jnp.log(whole) + lost, jnp.nan)
    if by_logs:
        differences = jax.nn.logsumexp(log_p + change, axis=-2) - of_target[..., 0, :]
        logs = jnp.where(jnp.isnan(logs), differences, logs)
    return jnp.where(counted, logs, 0)


def _sums(scaled: Float[Array, "*b k t"], change: Float[Array, "*nb k t"]) -> tuple[Array, Array]:
    """Σ p·(exp(c) − 1) and Σ p·exp(c) over the classes, where p is `scaled`; class by class where these are few.

    One loop over targets then makes both sums, where XLA's CPU backend makes two for sums over an axis, and takes one
    number at a time in longer ones.
    """
    classes = scaled.shape[-2]
    if classes > FEW:
        both = [jnp.sum(scaled * each, axis=-2) for each in (jnp.expm1(change), jnp.exp(change))]
    else:
        terms = [[scaled[..., k, :] * each for each in exponentials(change[..., k, :])] for k in range(classes)]
        both = [reduce(add, of_classes) for of_classes in zip(*terms, strict=True)]
    return UNIT * both[0], UNIT * both[1]


def _keeps_digits(grown: Float[Array, ...]) -> Bool[Array, ...]:
    """Whether log(1 + grown) is as exact as its type; not so where 1 + grown cancels, or where grown has overflowed."""
    return (grown > -CANCELLING) & jnp.isfinite(grown)


def hits(logits: Float[Array, "*b k"], targets: Int[Array, "*b"]) -> Bool[Array, "*b"]:
    """Whether the class of each target has the largest logit; False for targets that do not count."""
    return jnp.argmax(logits, axis=-1) == targets


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
    """`loss_change` of logits that change by `change @ head`, in blocks of classes; `blocks` are those of `softmax`.

    Where the blocks' sums lose digits, the logits of these targets alone are written down.
    """
    counted, target = targets != IGNORED, jnp.maximum(targets, 0)
    of_target = jnp.einsum("n...d,d...->n...", change, head[:, target])  # n *b: change of the target's own logit

    def add(grown: Array, block: tuple[Array, Array]) -> tuple[Array, None]:
        kernel, softmax = block  # d block, *b block

        def growth(one: tuple[Array, Array]) -> Array:
            change, of_target = one  # *b d, *b
            return jnp.sum(softmax * jnp.expm1(change @ kernel - of_target[..., None]), axis=-1)  # *b

        return grown + jax.lax.map(growth, (change, of_target)), None

    grown = UNIT * jax.lax.scan(add, jnp.zeros(change.shape[:-1]), (in_blocks(head), blocks))[0]  # n *b
    keeps = _keeps_digits(grown) | ~counted
    logs = jnp.log1p(jnp.where(keeps, grown, 0)).ravel()  # n·b
    rest, tokens = jnp.argsort(keeps, axis=None), targets.size  # n·b: those that lose digits come first
    own, changes = logits.reshape(tokens, -1), change.reshape(-1, change.shape[-1])  # b k, n·b d

    def write_down(i: Array, logs: Array) -> Array:
        rows = jax.lax.dynamic_slice_in_dim(rest, i * size, size)
        before = own[rows % tokens]  # size k
        sums = [jax.nn.logsumexp(each, axis=-1) for each in (before + changes[rows] @ head, before)]
        differences = sums[0] - of_target.ravel()[rows] - sums[1]
        return logs.at[rows].set(jnp.where(keeps.ravel()[rows], logs[rows], differences))

    size = min(WRITTEN, len(rest))
    logs = jax.lax.fori_loop(0, -(-jnp.sum(~keeps) // size), write_down, logs)
    return jnp.where(counted, logs.reshape(grown.shape), 0)
