"""Products in full precision, by a compiler whose sums have been tried.

On a CPU, jaxlib 0.10.2 and 0.11.0 get batched weighted sums wrong from row 32,768 on, without an error
(jax-ml/jax issue 39103): midpoint barriers were off by whole nats. Versions prove nothing, so the sum is tried.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import ParamSpec, TypeVar

import jax
import jax.numpy as jnp
import jaxlib
import numpy as np

from landscape._xla import warn_without_flag

P = ParamSpec("P")
R = TypeVar("R")

SHAPE = (2, 2**15, 3)  # the second half came out wrong


@cache
def check_sums() -> None:
    """Raises RuntimeError where a jitted weighted sum is wrong; tried once a process, in a tenth of a second."""
    warn_without_flag()
    x = np.linspace(0, 1, np.prod(SHAPE), dtype=np.float32).reshape(SHAPE)
    weights = np.linspace(1, 2, x[0].size, dtype=np.float32).reshape(SHAPE[1:])
    summed = jax.jit(lambda x, weights: jnp.log(jnp.sum(weights * jnp.exp(x), axis=-1)))(x, weights)
    if not np.allclose(summed, np.log((weights * np.exp(x)).sum(-1)), atol=1e-4):
        raise RuntimeError(
            f"jaxlib {jaxlib.__version__} computes wrong sums on this {jax.default_backend()} (jax issue 39103). "
            "Install jaxlib 0.10.1, or set XLA_FLAGS=--xla_cpu_experimental_ynn_fusion_type=-reduce before JAX starts"
        )


def exact(measure: Callable[P, R]) -> Callable[P, R]:
    """The same function, run only by a compiler that sums correctly, and with matrix products in full precision.

    By default accelerators round the factors of a product, by more than the height of a small barrier. Training keeps
    that default.
    """

    @wraps(measure)
    def exactly(*args: P.args, **kwargs: P.kwargs) -> R:
        check_sums()
        with jax.default_matmul_precision("highest"):
            return measure(*args, **kwargs)

    return exactly
