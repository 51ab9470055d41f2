"""Multi-layer perceptron with relu."""

from __future__ import annotations

from itertools import pairwise

from flax import nnx

from landscape.models.chain import Chain, Link


def mlp(features: int, hidden: tuple[int, ...], classes: int, rngs: nnx.Rngs) -> Chain:
    """features → hidden1 → relu → ... → head; flattens images. Hidden layer i is the group `hidden{i}`."""
    sizes = list(pairwise((features, *hidden)))
    layers = [(Link(f"hidden{i}", ("relu",)), nnx.Linear(*size, rngs=rngs)) for i, size in enumerate(sizes, 1)]
    return Chain([*layers, (Link("head"), nnx.Linear(hidden[-1], classes, rngs=rngs))])
