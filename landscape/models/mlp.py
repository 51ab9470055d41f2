"""Multi-layer perceptron with relu."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

from flax import nnx

from landscape.models.chain import Chain, Link
from landscape.models.initializers import LECUN_NORMAL


def mlp(features: int, hidden: tuple[int, ...], classes: int, rngs: nnx.Rngs) -> Chain:
    """features → hidden1 → relu → … → head, where hidden layer i is the unit group `hidden{i}`; images are flattened.

    Args:
      features: the number of inputs of one example.
      hidden: the width of each hidden layer.
      classes: the number of logits.
      rngs: what the initial weights are drawn from.

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> from landscape.models.mlp import mlp
      >>> model = mlp(64, (6, 5), 10, nnx.Rngs(0))
      >>> model(jnp.zeros((2, 8, 8, 1))).shape
      (2, 10)
      >>> list(model.groups())
      ['hidden1', 'hidden2']
    """
    sizes = list(pairwise((features, *hidden)))
    dense = partial(nnx.Linear, kernel_init=LECUN_NORMAL, rngs=rngs)
    layers = [(Link(f"hidden{i}", ("relu",)), dense(*size)) for i, size in enumerate(sizes, 1)]
    return Chain([*layers, (Link("head"), dense(hidden[-1], classes))])
