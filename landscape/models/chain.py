"""Networks that are a chain of linear layers, each followed by operations that act unit by unit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
from flax import nnx

from landscape.models.cut import Cut
from landscape.models.initializers import identity
from landscape.models.symmetry import Axis, Group
from landscape.numerics.convolution import same_size


def max_pool(x: jax.Array) -> jax.Array:
    """2×2 max-pooling, stride 2: (b, h, w, c) -> (b, h/2, w/2, c); an odd last row or column is dropped.

    It is a reshape and a maximum, whose gradient a CPU computes faster than that of `reduce_window`.
    """
    b, h, w, c = x.shape
    return x[:, : h // 2 * 2, : w // 2 * 2].reshape(b, h // 2, 2, w // 2, 2, c).max((2, 4))


def flatten(x: jax.Array) -> jax.Array:
    """(b, ..., c) -> (b, pixels · c), channels fastest."""
    return x.reshape(x.shape[0], -1)


OPERATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {"relu": nnx.relu, "pool": max_pool}


@dataclass(frozen=True)
class Link:
    """A layer of a chain: its name, and the operations behind it by their keys in `OPERATIONS`."""

    name: str
    operations: tuple[str, ...] = ()

    def activate(self, z: jax.Array) -> jax.Array:
        """The operations applied to z; each acts on every unit (the last axis) by itself."""
        for operation in self.operations:
            z = OPERATIONS[operation](z)
        return z


class Chain(nnx.Module):
    """x -> layer 1 -> operations 1 -> ... -> last layer -> logits.

    Every layer but the last is a unit group with its own name. A dense layer behind a convolution reads the flattened
    image.

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> from landscape.models.chain import Chain, Link
      >>> inner, head = nnx.Linear(4, 3, rngs=nnx.Rngs(0)), nnx.Linear(3, 2, rngs=nnx.Rngs(1))
      >>> model = Chain([(Link("inner", ("relu",)), inner), (Link("head"), head)])
      >>> model(jnp.ones((5, 4))).shape
      (5, 2)
    """

    dead_units_stay: ClassVar[bool] = True  # see `landscape.models.expansion.filling`: all operations map 0 to 0

    def __init__(self, layers: Sequence[tuple[Link, nnx.Linear | nnx.Conv]]):
        self.links = tuple(link for link, _ in layers)
        for link, layer in layers:
            setattr(self, link.name, layer)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Inputs (b, ...) to logits (b, classes)."""
        return self._run(x, 0)

    def _run(self, x: jax.Array, start: int, end: int | None = None) -> jax.Array:
        for link in self.links[start:end]:
            x = link.activate(self._linear(link.name, x))
        return x

    def _linear(self, name: str, x: jax.Array) -> jax.Array:
        layer = getattr(self, name)
        return layer(flatten(x) if isinstance(layer, nnx.Linear) else x)

    def _first_dense(self, start: int) -> int:
        """The place of the first dense layer from `start` on, or the number of layers where there is none."""
        places = range(start, len(self.links))
        return next((i for i in places if isinstance(getattr(self, self.links[i].name), nnx.Linear)), len(self.links))

    def _position(self, group: str) -> int:
        names = [link.name for link in self.links[:-1]]
        if group not in names:
            raise ValueError(f"no unit group {group!r}; the groups are {', '.join(names)}")
        return names.index(group)

    def groups(self) -> dict[str, Group]:
        """One group for each hidden layer: the outputs of its kernel, its bias, and the inputs of the next kernel."""
        return {
            link.name: Group(
                produces=(Axis(f"{link.name}.kernel", -1), Axis(f"{link.name}.bias", 0)),
                consumes=(Axis(f"{following.name}.kernel", -2),),
            )
            for link, following in zip(self.links[:-1], self.links[1:], strict=True)
        }

    def cut(self, group: str) -> Cut:
        """The network cut open at one group; see `landscape.models.cut`. Raises ValueError for an unknown group."""
        i = self._position(group)
        link, following = self.links[i : i + 2]
        consumer = getattr(self, following.name)
        units = getattr(self, link.name).bias.shape[0]

        def before(x: jax.Array) -> tuple[jax.Array, None]:
            for earlier in self.links[:i]:
                x = earlier.activate(self._linear(earlier.name, x))
            return self._linear(link.name, x), None

        def read(y: jax.Array) -> jax.Array:
            return following.activate(y + consumer.bias[...])

        if isinstance(consumer, nnx.Linear):
            kernel = consumer.kernel[...].reshape(-1, units, consumer.kernel.shape[-1])  # pixels l out
            return Cut(before, link.activate, _contract, kernel, lambda y, _: self._run(read(y), i + 2))
        dense = self._first_dense(i + 2)
        return Cut(
            before,
            link.activate,
            same_size,
            consumer.kernel[...],
            after=lambda x, _: self._run(x, dense),
            settle=lambda y, _: self._run(read(y), i + 2, dense),
        )

    def deepened(self, after: str, name: str) -> Chain:
        """The chain with an identity layer behind `after` (Net2DeeperNet): relu ∘ identity ∘ relu = relu.

        The new layer stands right behind the relu and before the pooling, if there is any. Raises ValueError for an
        unknown layer.
        """
        i = self._position(after)
        link, own = self.links[i], nnx.clone(self)
        layers = [(each, getattr(own, each.name)) for each in self.links]
        inserted = (Link(name, link.operations), identity_like(getattr(self, after)))
        layers[i : i + 1] = [(Link(after, ("relu",)), layers[i][1]), inserted]
        return Chain(layers)


def identity_like(layer: nnx.Linear | nnx.Conv) -> nnx.Linear | nnx.Conv:
    """A layer of the same kind that maps the outputs of `layer` to themselves."""
    units = layer.out_features
    settings: dict[str, Any] = {"kernel_init": identity, "rngs": nnx.Rngs(0)}
    if isinstance(layer, nnx.Linear):
        return nnx.Linear(units, units, **settings)
    return nnx.Conv(units, units, layer.kernel_size, **settings)


def _contract(h: jax.Array, kernel: jax.Array) -> jax.Array:
    """(b, ..., l), (pixels, l, out) -> (b, out)."""
    return flatten(h) @ kernel.reshape(-1, kernel.shape[-1])
