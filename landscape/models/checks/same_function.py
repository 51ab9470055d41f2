"""Whether two networks compute the same function, tried on examples."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array

from landscape.models.batch_norm import is_reestimated
from landscape.models.functional import Network, split
from landscape.numerics.structure import once_a_structure

FEW = 64  # examples on which networks are compared, so that a check costs little beside a walk


def few(examples: Any) -> Any:
    """The first examples of a batch."""
    return jax.tree.map(itemgetter(slice(FEW)), examples)


def is_own(model: nnx.Module | Network) -> bool:
    """Whether a network is a user's. Those of the package have tests in place of checks."""
    kind = class_of(model) if isinstance(model, Network) else type(model)
    return not kind.__module__.startswith("landscape.models.")


@once_a_structure
def class_of(network: Network) -> type[nnx.Module]:
    """The class of a network's module."""
    return type(network.module())


def check_preserved(before: nnx.Module, after: nnx.Module, inputs: Any, what: str) -> None:
    """Raises ValueError, which begins with `what`, unless an expanded network has the logits of the one before."""
    own = logits(split(before), few(inputs))
    try:
        other = logits(split(after), few(inputs))
    except (TypeError, ValueError, AssertionError) as error:
        raise ValueError(f"{what} gives a network that cannot be run: {error}") from error
    if own.shape != other.shape or not alike(own, other):
        apart = f"by up to {jnp.abs(own - other).max():.3g}" if own.shape == other.shape else f"to shape {other.shape}"
        raise ValueError(f"{what} changes its function: logits move {apart}")


def check_alone(network: Network, inputs: Any) -> None:
    """Raises ValueError where what a network says of an example depends on the others, or on its place among them.

    Losses are sums over slices of a batch, which only then are those of the batch. The first half of the examples is
    tried beside itself, by the program that all of them run. Networks that are meant to read the statistics of their
    batch are never sliced.
    """
    model = network.module()
    if is_reestimated(model):
        return
    count = len(jax.tree.leaves(inputs)[0])
    twice = np.arange(count) % max(1, count // 2)
    own, other = (logits(network, each) for each in (inputs, jax.tree.map(itemgetter(twice), inputs)))
    if not alike(own[twice], other):
        raise ValueError(
            f"the logits of {type(model).__name__} for an example depend on the other examples of the batch, or on "
            "chance"
        )


def alike(own: Array, other: Array) -> bool:
    """Whether two sets of logits agree to half of their digits: rounding changes fewer, a wrong table or cut more."""
    most = jnp.sqrt(jnp.finfo(own.dtype).eps) * jnp.abs(own).max()
    return bool(jnp.all((jnp.abs(own - other) <= most) | jnp.isnan(own)))


logits = jax.jit(Network.logits)
