"""How a proxy is compiled, and in which precision it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from landscape.models.functional import split
from landscape.numerics.batch import checked_batch
from landscape.numerics.precision import check_sums

Kernel = Callable[..., Float[Array, ""]]  # of network, inputs, targets, reference


class Score:
    """A proxy as a pure function of (network, inputs, targets, reference), compiled by structure.

    double: whether 64-bit numbers are allowed in it. They are allowed nowhere else on its account, and arrays
        come in with the precision that they have outside.
    """

    def __init__(self, kernel: Kernel, *, double: bool = False):
        self.jitted = jax.jit(kernel, static_argnums=3)
        self.double = double

    def __call__(self, model: nnx.Module, inputs: Any, targets: Any, *, reference: bool = False) -> float:
        arguments = _arguments(model, inputs, targets, reference)
        with self._precision():
            return float(self.jitted(*arguments))

    def check(self, model: nnx.Module, inputs: Any, targets: Any) -> None:
        """Trace the proxy, which computes nothing; raises whatever the network raises in this precision."""
        *arguments, reference = _arguments(model, inputs, targets, False)
        with self._precision():
            jax.eval_shape(lambda *traced: self.jitted(*traced, reference), *arguments)

    @contextmanager
    def _precision(self) -> Iterator[None]:
        """Products keep the digits of their factors on accelerators too, where the default rounds them."""
        wide = jax.enable_x64(True) if self.double else nullcontext()
        with wide, jax.default_matmul_precision("highest"):
            yield


def _arguments(model: nnx.Module, inputs: Any, targets: Any, reference: bool) -> tuple:
    """The kernel's arguments; targets are None where it reads none."""
    check_sums()
    network = split(model)
    batch = (inputs, None) if targets is None else checked_batch(network, inputs, targets)
    return network, *jax.tree.map(jnp.asarray, batch), reference
