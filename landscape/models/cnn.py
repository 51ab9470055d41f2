"""The paper's convolutional networks (Table 2)."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

from flax import nnx

from landscape.models.chain import Chain, Link
from landscape.models.initializers import LECUN_NORMAL


def cnn(
    shape: tuple[int, int, int], channels: tuple[int, ...], dense: tuple[int, ...], classes: int, rngs: nnx.Rngs
) -> Chain:
    """C1 – … – Cm – MaxPool(2) – F1 – … – head: 3×3 convolutions of stride 1 with padding, relu behind every layer.

    Convolution i is the unit group `conv{i}`, dense layer i the group `dense{i}`.

    Args:
      shape: (height, width, channels) of an image.
      channels: the number of channels of each convolution.
      dense: the width of each dense layer; may be empty.
      classes: the number of logits.
      rngs: what the initial weights are drawn from.

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> from landscape.models.cnn import cnn
      >>> model = cnn((8, 8, 1), (4, 6), (5,), 10, nnx.Rngs(0))
      >>> model(jnp.zeros((2, 8, 8, 1))).shape
      (2, 10)
      >>> list(model.groups())
      ['conv1', 'conv2', 'dense1']

    References:
      Malviya et al. (2024), arXiv 2405.15895, Table 2.
    """
    height, width, depth = shape
    conv = partial(nnx.Conv, kernel_size=(3, 3), kernel_init=LECUN_NORMAL, rngs=rngs)
    linear = partial(nnx.Linear, kernel_init=LECUN_NORMAL, rngs=rngs)
    features = (height // 2) * (width // 2) * channels[-1]
    convs = [(Link(f"conv{i}", ("relu",)), conv(*size)) for i, size in enumerate(pairwise((depth, *channels)), 1)]
    last, layer = convs[-1]
    convs[-1] = (Link(last.name, ("relu", "pool")), layer)
    fulls = [(Link(f"dense{i}", ("relu",)), linear(*size)) for i, size in enumerate(pairwise((features, *dense)), 1)]
    head = (Link("head"), linear((features, *dense)[-1], classes))
    return Chain([*convs, *fulls, head])
