"""Mean cross-entropy, by Optax, and its change between two sets of logits.

The change has a form of its own, since the difference of two losses would cancel: in float32 it loses barriers below
2e-7 nats, of which this form keeps four digits (`tests/test_midpoint.py`).
"""

from __future__ import annotations

import math
from itertools import count

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int

from landscape.data.split import IGNORED

# The unit in which probabilities are summed. Normal float32 numbers go from 2**-126 to 2**128, so that a probability is
# kept down to 2**-183 in this unit: a smaller one adds at most 2**-55 to 1 + Σ p·(exp(c) − 1), whatever finite exp(c)
# it meets. At the other end sums stay finite up to 2**71, 49 nats, from where the difference of two losses is exact.
UNIT = 2.0**-57
# Where Σ p·(exp(c) − 1) is below −0.9, 1 + sum has lost a decimal digit, and the loss has changed by more than ln 10
# nats, which the difference of two losses gives to more digits.
CANCELLING = 0.9
SERIES = 0.5  # changes up to which exp(c) − 1 is summed as a series; beyond, the difference loses two bits at most

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
    return array.astype(jnp.promote_types(array.dtype, jnp.float32))


def scaled_softmax(logits: Float[Array, "*b k"]) -> Float[Array, "*b k"]:
    """softmax(logits) / UNIT: in this unit no probability is lost to underflow that a change could make count again."""
    return _scaled(jax.nn.log_softmax(logits))


def _scaled(log_p: Float[Array, ...]) -> Float[Array, ...]:
    return jnp.where(log_p > math.log(UNIT), jnp.exp(log_p) / UNIT, jnp.exp(log_p - math.log(UNIT)))


def loss_change(
    log_softmax: Float[Array, "*b k"], change: Float[Array, "*n b k"], targets: Int[Array, "*b"]
) -> Float[Array, "*n b"]:
    """For each target, how much the cross-entropy of `logits + change` exceeds that of `logits`, in nats.

    It is 0 for targets that do not count. `log_softmax` is that of the logits.

    With p the softmax, and the change c taken relative to that of the target, it is log(1 + Σ p·(exp(c) − 1)), so that
    a change far below the rounding of the loss itself keeps its digits. Where that sum overflows or loses digits, it
    is log Σ exp(log p + c), which is computed only then. Targets are on the last axis, where processors take several
    numbers at a time.
    """
    log_p, change = log_softmax.mT, change.mT  # k b, *n k b
    places = jnp.broadcast_to(jnp.maximum(targets, 0)[..., None, :], (*change.shape[:-2], 1, change.shape[-1]))
    change -= jnp.take_along_axis(change, places, axis=-2, mode="promise_in_bounds")
    growth = jnp.where(jnp.abs(change) < SERIES, _expm1_series(change), jnp.exp(change) - 1)  # *n k b
    grown = UNIT * jnp.sum(_scaled(log_p) * growth, axis=-2)  # *n b
    counted = targets != IGNORED
    keeps = _keeps_digits(grown) | ~counted

    def with_logs() -> Array:
        return jnp.where(keeps, jnp.log1p(grown), jax.nn.logsumexp(log_p + change, axis=-2))

    logs = jax.lax.cond(jnp.all(keeps), lambda: jnp.log1p(grown), with_logs)
    return jnp.where(counted, logs, 0)


def _keeps_digits(grown: Float[Array, ...]) -> Bool[Array, ...]:
    """Whether log(1 + grown) is as exact as its type; not so where 1 + grown cancels, or where grown has overflowed."""
    return (grown > -CANCELLING) & jnp.isfinite(grown)


def _expm1_series(x: Float[Array, ...]) -> Float[Array, ...]:
    """exp(x) − 1 = Σ xⁿ/n! for |x| < `SERIES`, to the rounding of its type."""
    terms = next(n for n in count(1) if SERIES**n / math.factorial(n + 1) < jnp.finfo(x.dtype).eps / 4)
    nested = jnp.full_like(x, 1 / math.factorial(terms))
    for n in range(terms - 1, 0, -1):
        nested = nested * x + 1 / math.factorial(n)
    return nested * x


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
