"""Every registered proxy on one network and one batch, with its time: the rows of Table 4."""

from __future__ import annotations

from collections.abc import Callable
from pkgutil import resolve_name
from typing import Any, NamedTuple

import numpy as np
from flax import nnx
from jaxtyping import Array, Int

from landscape.models.functional import split
from landscape.numerics.batch import checked_batch
from landscape.numerics.compiling import timed
from landscape.study.predictors import proxies


class Measurement(NamedTuple):
    """The value of a proxy and its wall time (Table 4).

    Attributes:
      value: the score itself.
      seconds: the wall time of a run whose programs were compiled already.
      compile_seconds: what the run before it took more, to trace and to compile; 0 where another network of equal
        structure had left its programs behind.

    Example:
      >>> from landscape.proxies import Measurement
      >>> Measurement(value=1.5, seconds=0.01, compile_seconds=2.0).seconds
      0.01
    """

    value: float
    seconds: float
    compile_seconds: float


def timed_scores(model: nnx.Module, inputs: Any, targets: Int[Array | np.ndarray, "*b"]) -> dict[str, Measurement]:
    """The zero-cost proxies that are registered, each with its time.

    Where a run compiles the programs of a proxy, a second one is timed.

    Args:
      model: the network; the proxies get a copy of it in evaluation mode.
      inputs: one batch, the examples on the first axis of each array.
      targets: a class for each vector of logits.

    Returns:
      A measurement for each of `landscape.study.predictors.proxies()`, by key and in their order.

    Raises:
      ValueError: if targets are not classes, one for each vector of logits, and where a proxy does, for instance for a
        network without dense or convolution layers.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from flax import nnx
      >>> from landscape import proxies
      >>> from landscape.models.mlp import mlp
      >>> model = mlp(4, (3,), 2, nnx.Rngs(0))
      >>> inputs, targets = jax.random.normal(jax.random.key(1), (5, 4)), jnp.array([0, 1, 1, 0, 1])
      >>> scores = proxies.timed_scores(model, inputs, targets)
      >>> list(scores)
      ['grad_norm', 'snip', 'grasp', 'synflow', 'jacov']
      >>> scores["snip"].value > 0
      True

    References:
      Malviya et al. (2024), arXiv 2405.15895, section A.2.3 and Table 4.
    """
    network = split(model)
    inputs, targets = checked_batch(network, inputs, targets)
    model = network.module()
    model.eval()
    functions = {key: proxy.function for key, proxy in proxies().items()}
    return {
        key: _timed(resolve_name(function) if isinstance(function, str) else function, model, inputs, targets)
        for key, function in functions.items()
        if function is not None
    }


def _timed(function: Callable[[Any, Any, Any], float], model: nnx.Module, inputs: Any, targets: Any) -> Measurement:
    return Measurement(*timed(lambda: float(function(model, inputs, targets))))  # waits for the device
