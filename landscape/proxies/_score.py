"""How a proxy is compiled, in which precision it runs, and how long it takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from landscape.models.functional import split
from landscape.numerics.precision import check_sums

Kernel = Callable[..., Float[Array, ""]]  # of graphdef, weights, inputs, targets, reference


class Measurement(NamedTuple):
    """A predictor's value and its wall time, without and with what compilation adds once."""

    value: float
    seconds: float
    compile_seconds: float


class Score:
    """A proxy as a pure function of (graphdef, weights, inputs, targets, reference), compiled by structure.

    double: whether 64-bit numbers are allowed in it. They are allowed nowhere else on its account, and arrays
        come in with the precision that they have outside.
    """

    def __init__(self, kernel: Kernel, *, double: bool = False):
        self.jitted = jax.jit(kernel, static_argnums=(0, 4))
        self.double = double

    def __call__(self, model: nnx.Module, inputs: Any, targets: Array | None, *, reference: bool = False) -> float:
        arguments = _arguments(model, inputs, targets, reference)
        with self._precision():
            return float(self.jitted(*arguments))

    def timed(
        self, model: nnx.Module, inputs: Any, targets: Array | np.ndarray, *, reference: bool = False
    ) -> Measurement:
        """The value with the time of a warm run, and what the run before it took more: to trace and compile.

        Networks of equal structure share a program, so that a second one costs next to nothing to compile.
        """
        arguments = _arguments(model, inputs, targets, reference)
        laps = [time.perf_counter()]
        with self._precision():
            for _ in range(2):
                value = jax.block_until_ready(self.jitted(*arguments))
                laps.append(time.perf_counter())
        cold, warm = laps[1] - laps[0], laps[2] - laps[1]
        return Measurement(float(value), warm, max(0.0, cold - warm))

    @contextmanager
    def _precision(self) -> Iterator[None]:
        """Products keep the digits of their factors on accelerators too, where the default rounds them."""
        wide = jax.enable_x64(True) if self.double else nullcontext()
        with wide, jax.default_matmul_precision("highest"):
            yield


def _arguments(model: nnx.Module, inputs: Any, targets: Array | np.ndarray | None, reference: bool) -> tuple:
    check_sums()
    graphdef, weights = split(model)
    return graphdef, weights, *jax.tree.map(jnp.asarray, (inputs, targets)), reference
