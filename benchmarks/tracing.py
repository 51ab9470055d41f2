"""Midpoint barriers of groups found by tracing: as fast as by hand in a chain, never slower than networks elsewhere.

The modules are written as users write them. Where the group is one layer of a chain, the peer is the network of the
package that has the same arrays, whose cut was written by hand. The other peer is one network a midpoint. Times are
medians of runs in turns, without compilation, for one of n = 1000 steps, of which the distinct ones are evaluated once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from benchmarks._measure import Aim, digits, in_turns, short_of
from benchmarks.barriers import one_by_one, walk
from landscape.barriers.midpoint import distinct_midpoints, midpoint_changes
from landscape.barriers.walk import seen_from_start
from landscape.models.cnn import cnn
from landscape.models.functional import split
from landscape.models.mlp import mlp
from landscape.models.site import Site
from landscape.models.tracing.analysis import Shapes
from landscape.models.tracing.module import Findings, attached
from landscape.numerics.precision import exact

IMAGE, CLASSES = (32, 32, 3), 10
VOCABULARY, LENGTH, HIDDEN = 8192, 128, 128


class Mlp(nnx.Module):
    """Dense, relu, dense."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.hidden1, self.head = nnx.Linear(3072, 60, rngs=rngs), nnx.Linear(60, CLASSES, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """(b, h, w, c) -> (b, classes)."""
        return self.head(nnx.relu(self.hidden1(x.reshape(len(x), -1))))


class Cnn(nnx.Module):
    """The paper's CNN for CIFAR-10."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.conv1, self.conv2 = nnx.Conv(3, 8, (3, 3), rngs=rngs), nnx.Conv(8, 32, (3, 3), rngs=rngs)
        self.dense1, self.head = nnx.Linear(32 * 16 * 16, 256, rngs=rngs), nnx.Linear(256, CLASSES, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """(b, h, w, c) -> (b, classes)."""
        x = nnx.max_pool(nnx.relu(self.conv2(nnx.relu(self.conv1(x)))), (2, 2), (2, 2))
        return self.head(nnx.relu(self.dense1(x.reshape(len(x), -1))))


class Residual(nnx.Module):
    """Two residual blocks of convolutions, each followed by a normalisation."""

    def __init__(self, norm: Callable[[], Callable[[jax.Array], jax.Array]], rngs: nnx.Rngs) -> None:
        self.stem, self.head = nnx.Conv(3, 32, (3, 3), rngs=rngs), nnx.Linear(32, CLASSES, rngs=rngs)
        self.convs = nnx.List([nnx.Conv(32, 32, (3, 3), rngs=rngs) for _ in range(4)])
        self.norms = nnx.List([norm() for _ in range(4)])

    def __call__(self, x: jax.Array) -> jax.Array:
        """(b, h, w, c) -> (b, classes)."""
        x = nnx.relu(self.stem(x))
        for i in (0, 2):
            y = nnx.relu(self.norms[i](self.convs[i](x)))
            x = nnx.relu(x + self.norms[i + 1](self.convs[i + 1](y)))
        return self.head(x.mean((1, 2)))


class Gpt(nnx.Module):
    """A pre-norm block with causal attention between embeddings and a large output layer."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.tokens, self.places = nnx.Embed(VOCABULARY, HIDDEN, rngs=rngs), nnx.Embed(LENGTH, HIDDEN, rngs=rngs)
        self.norm1, self.norm2, self.norm3 = (nnx.LayerNorm(HIDDEN, rngs=rngs) for _ in range(3))
        self.attention = nnx.MultiHeadAttention(4, HIDDEN, decode=False, rngs=rngs)
        self.up, self.down = nnx.Linear(HIDDEN, 4 * HIDDEN, rngs=rngs), nnx.Linear(4 * HIDDEN, HIDDEN, rngs=rngs)

    def __call__(self, tokens: jax.Array) -> jax.Array:
        """(b, s) -> (b, s, vocabulary)."""
        x = self.tokens(tokens) + self.places(jnp.arange(tokens.shape[1]))
        x = x + self.attention(self.norm1(x), mask=nnx.make_causal_mask(tokens))
        x = x + self.down(nnx.gelu(self.up(self.norm2(x))))
        return self.tokens.attend(self.norm3(x))


class Work(NamedTuple):
    """One row: a module, the group that is walked, and the number of examples.

    by_hand: the network of the package with the same arrays; midpoints: how many run.
    """

    name: str
    build: Callable[[nnx.Rngs], nnx.Module]
    group: str
    batch: int
    midpoints: int
    by_hand: Callable[[nnx.Rngs], nnx.Module] | None = None


HAND, ONE = "by hand", "one network"
AIMS = (Aim(f"× {HAND}", 0.8), Aim(f"× {ONE}", 1))
BATCH_NORMED = partial(Residual, partial(nnx.BatchNorm, 32, rngs=nnx.Rngs(0)))
GROUP_NORMED = partial(Residual, partial(nnx.GroupNorm, 32, num_groups=8, rngs=nnx.Rngs(0)))

WORKS = [
    Work("dense – relu – dense", Mlp, "hidden1", 512, 960, lambda rngs: mlp(3072, (60,), CLASSES, rngs)),
    Work("conv – relu – conv", Cnn, "conv1", 512, 64, lambda rngs: cnn(IMAGE, (8, 32), (256,), CLASSES, rngs)),
    Work("conv – BatchNorm – relu – conv", BATCH_NORMED, "convs.0", 64, 32),
    Work("channels of a residual stream", BATCH_NORMED, "stem", 64, 16),
    Work("conv – GroupNorm – relu – conv", GROUP_NORMED, "convs.0.blocks", 64, 16),
    Work("FFN of a language model", Gpt, "up", 8, 32),
    Work("heads of attention", Gpt, "attention.query.blocks", 8, 16),
    Work("features of attention", Gpt, "attention.query.within", 8, 16),
]


def run(quick: bool) -> Iterator[dict[str, Any]]:
    """One row for each module and group."""
    for work in WORKS[:1] if quick else WORKS:
        yield _measured(work, quick)


@exact
def _measured(work: Work, quick: bool) -> dict[str, Any]:
    model, inputs, targets = _case(work, 4 if quick else work.batch)
    traced = attached(model, Findings(Shapes.of(inputs)))
    site, steps = Site.of(traced, work.group), walk(traced, work.group)
    distinct, _ = distinct_midpoints(seen_from_start(steps))
    midpoints, few = distinct[: 4 if quick else work.midpoints], steps[:6]
    runs: dict[str, Callable[[], Any]] = {
        "traced": partial(midpoint_changes, site, midpoints, inputs, targets),
        ONE: partial(one_by_one, site, few, inputs, targets),
    }
    if work.by_hand is not None:
        same = split(work.by_hand(nnx.Rngs(0))).replace(split(model).weights).module()
        runs[HAND] = partial(midpoint_changes, Site.of(same, work.group), midpoints, inputs, targets)
    times = in_turns(runs, 1 if quick else 5)
    a_step = {name: len(distinct) / len(steps) / len(midpoints) * time.seconds for name, time in times.items()}
    a_step[ONE] = times[ONE].seconds / len(few)
    row = {
        "work": work.name,
        "batch": len(targets),
        "from activations": site.cut() is not None,
        **{f"{name} (ms)": digits(1e3 * a_step[name]) if name in a_step else None for name in ("traced", HAND, ONE)},
        **{f"× {name}": digits(a_step[name] / a_step["traced"]) if name in a_step else None for name in (HAND, ONE)},
        "compiling, traced (s)": digits(times["traced"].compile_seconds),
    }
    return row | {"short of its aim": short_of(row, AIMS)}


def _case(work: Work, batch: int) -> tuple[nnx.Module, Any, np.ndarray]:
    """An untrained module, and made-up examples."""
    rng = np.random.default_rng(0)
    if work.build is Gpt:
        tokens = rng.integers(VOCABULARY, size=(batch, LENGTH))
        return work.build(nnx.Rngs(0)), jnp.asarray(tokens), np.roll(tokens, -1, 1)
    images = jnp.asarray(rng.normal(size=(batch, *IMAGE)).astype(np.float32))
    return work.build(nnx.Rngs(0)), images, rng.integers(CLASSES, size=batch)
