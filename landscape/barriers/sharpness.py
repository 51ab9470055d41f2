"""How sharp the loss is around a network: the largest eigenvalue and the trace of its Hessian."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Int, PRNGKeyArray

from landscape.models.batch_norm import is_reestimated
from landscape.models.functional import Network, Weights, split, trainable, wide
from landscape.models.prng import host_generator
from landscape.numerics.batch import checked_batch
from landscape.numerics.eigenvalues import hutchinson_trace, largest_eigenvalue
from landscape.numerics.loss import IGNORED, cross_entropies
from landscape.numerics.memory import largest_array
from landscape.numerics.microbatch import slice_size, stacked
from landscape.numerics.precision import exact


class Sharpness(NamedTuple):
    """The Hessian of a loss in nats, whose parameters have no unit.

    largest: λ_max, NaN where it was not found; trace: by Hutchinson's estimator; trace_error: its standard error.
    """

    largest: float
    trace: float
    trace_error: float


@exact
def sharpness(
    model: nnx.Module, inputs: Any, targets: Int[Array | np.ndarray, "*b"], *, key: PRNGKeyArray
) -> Sharpness:
    r"""The largest eigenvalue and the trace of the Hessian of the loss at a network.

    .. math:: H = \nabla_\theta^2 L(\theta), \qquad \lambda_{\max}(H), \qquad \operatorname{tr} H = \sum_i \lambda_i

    L is the mean cross-entropy on the one batch given, in evaluation mode, as in barriers, and θ are all trainable
    parameters. Under full-batch gradient descent of step η, λ_max rises to 2/η and stays about there.

    Args:
      model: the network θ.
      inputs: a batch of b examples: an array, or a tree of arrays, with the examples on the first axis.
      targets: classes of shape (b,), or (b, p) for p positions of a text; −1 does not count.
      key: draws the vectors that Lanczos starts from and Hutchinson probes with.

    Returns:
      λ_max by ARPACK, to a thousandth or better, and the trace from 64 probes with its standard error, in nats. All
      are NaN where the network or its derivatives are not finite.

    Raises:
      ValueError: if targets are not classes, one for each vector of logits.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from flax import nnx
      >>> from landscape.barriers.sharpness import sharpness
      >>> from landscape.models.mlp import mlp
      >>> model = mlp(4, (8,), 3, nnx.Rngs(0))
      >>> found = sharpness(model, jnp.eye(4), jnp.array([0, 1, 2, 0]), key=jax.random.key(0))
      >>> 0 < found.largest < found.trace
      True

    References:
      Malviya et al. (2024), section 4.3; Cohen et al. (2021), "Gradient Descent on Neural Networks Typically Occurs at
      the Edge of Stability", arXiv 2103.00065; Hutchinson (1989).
    """
    network = split(model)
    network = network.replace({path: wide(array) for path, array in network.weights.items()})
    inputs, targets = checked_batch(network, inputs, targets)
    parameters = {path: network.weights[path] for path in sorted(trainable(model))}
    flat, unravel = ravel_pytree(parameters)
    slices = stacked(jax.tree.map(jnp.asarray, inputs), jnp.asarray(targets), _examples_at_once(model, inputs, targets))

    def product(vector: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        direction = unravel(jnp.asarray(vector, flat.dtype))
        return np.asarray(ravel_pytree(_product(network, parameters, direction, slices))[0], np.float64)

    generator = host_generator(key)
    largest = largest_eigenvalue(product, flat.size, generator)
    return Sharpness(largest, *hutchinson_trace(product, flat.size, generator))


@jax.jit
def _product(network: Network, parameters: Weights, direction: Weights, slices: tuple[Any, Array]) -> Weights:
    """The Hessian times a direction: the sum over slices of the batch of a derivative along it of the gradient."""
    counted = jnp.sum(slices[1] != IGNORED)

    def loss(examples: tuple[Any, Array], parameters: Weights) -> Array:
        logits = network.replace(network.weights | parameters).logits(examples[0])
        return jnp.sum(cross_entropies(logits, examples[1])) / counted

    def add(found: Weights, examples: tuple[Any, Array]) -> tuple[Weights, None]:
        gradient = jax.grad(partial(loss, examples))
        return jax.tree.map(jnp.add, found, jax.jvp(gradient, (parameters,), (direction,))[1]), None

    return jax.lax.scan(add, jax.tree.map(jnp.zeros_like, parameters), slices)[0]


def _examples_at_once(model: nnx.Module, inputs: Any, targets: np.ndarray) -> int:
    """How many examples a slice holds; a network that reads the statistics of its batch needs the whole of it."""
    if is_reestimated(model):
        return len(targets)
    largest = largest_array(Network.logits, {}, self=split(model), inputs=inputs)
    return slice_size(len(targets), 4 * largest)  # with its gradient, and the derivatives of both
