"""A network cut open at one unit group, which is what makes exact midpoints cheap.

With z the pre-activations of the group, h = σ(z) and W the next layer's kernel, the network is

    inputs → z = before(inputs) → h = activation(z) → y = linear(h, W) → settle(y) → after(…) → head → logits.

A permutation of the group's units changes z and W in the same way, and behind W nothing, unless layers there touch
the group as well. So every interpolation between a network and its permuted copy can be evaluated from this network's
own z and W up to y, and mostly up to the logits (see `landscape.barriers.by_activations`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from jaxtyping import Array

Head = tuple[Array, Array]  # kernel and bias of the last layer: logits = features @ kernel + bias


class Cut(NamedTuple):
    """The parts of a network around one group of l units, from which all its midpoints follow exactly.

    A model that has a method `cut(group)` returning this is walked by the fast form of `landscape.midpoint_barriers`;
    others are walked by running the networks that lie at the midpoints. b is the number of examples.

    Attributes:
      before: inputs -> (z, carry); z has shape (b, ..., l). The carry is whatever else the later parts need, such as
        the residual stream of a Transformer block. z must be linear in the group's incoming weights: parameters of a
        normalisation behind them come as further rows of z, so that they are interpolated too.
      activation: z -> h, which acts on every unit by itself: any subset of units may be passed.
      linear: (h, kernel) -> y, bilinear, without a bias; a subset of units may be passed in both.
      kernel: the next layer's weights, with the group's units on axis -2.
      after: (s, carry) -> features f, which are the logits where there is no `head`. It reads y where there is no
        `settle`.
      settle: (y, carry) -> s; it adds the bias first. It holds what works on images or tokens, whose activations
        outgrow the weights: midpoints go through it one by one, one slice of the batch after another, and through
        `after`, whose weights outgrow the activations, together. Without it they go from `linear` to `after` together.
      head: the last layer, (kernel, bias) with logits = f @ kernel + bias, where it is large: a change of the features
        then becomes one of the loss without all logits being written down. The group touches neither `after` nor the
        head.
      tied: whether `settle` touches the group as well, as where skip connections tie layers. It is then taken from the
        network in between, and is given that network's h for the carry.

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> from landscape.models.mlp import mlp
      >>> model, x = mlp(4, (8,), 3, nnx.Rngs(0)), jnp.ones((2, 4))
      >>> cut = model.cut("hidden1")
      >>> z, carry = cut.before(x)
      >>> y = cut.linear(cut.activation(z), cut.kernel)
      >>> z.shape, y.shape
      ((2, 8), (2, 3))
      >>> bool(jnp.allclose(cut.features(y, carry), model(x), atol=1e-6))
      True

    References:
      The midpoint barrier is that of Malviya et al. (2024), section 3.2; evaluating it from activations is ours
      (`landscape.barriers.by_activations`).
    """

    before: Callable[[Any], tuple[Array, Any]]
    activation: Callable[[Array], Array]
    linear: Callable[[Array, Array], Array]
    kernel: Array
    after: Callable[[Array, Any], Array]
    settle: Callable[[Array, Any], Array] | None = None
    head: Head | None = None
    tied: bool = False

    def settled(self, y: Array, carry: Any) -> Array:
        """s, which is y where there is no `settle`."""
        return y if self.settle is None else self.settle(y, carry)

    def features(self, y: Array, carry: Any) -> Array:
        """f, from what `linear` makes."""
        return self.after(self.settled(y, carry), carry)


class Opened(NamedTuple):
    """A network opened around all that a group touches, where it cannot be cut at one layer.

    inputs → carry = before(inputs) → f = between(carry) → head → logits. The group touches nothing in `before` and
    `head`, which is (kernel, bias); without a head, f are the logits.
    """

    between: Callable[[Any], Array]
    before: Callable[[Any], Any] = lambda inputs: inputs
    head: Head | None = None
