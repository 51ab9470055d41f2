"""A convolution of few channels as a sum of products, beside XLA's: each runs in turns, many times in one program.

It says for which sizes `landscape.numerics.convolution` should choose which.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from benchmarks._measure import digits, in_turns
from landscape.numerics.convolution import LAYOUT, is_small, sum_of_products

EXAMPLES = 64
RUNS = 50  # in one program, so that no time goes into calls and fresh memory
SIZES = [  # pixels of a side, side of the kernel, channels that enter and leave
    *((8, 3, 1, 4), (8, 3, 4, 8), (8, 3, 8, 8), (8, 3, 16, 4), (8, 3, 8, 12), (8, 3, 4, 32)),
    *((32, 3, 1, 8), (32, 3, 3, 8), (32, 3, 3, 16), (32, 3, 3, 32), (32, 3, 3, 64), (32, 3, 6, 32)),
    *((28, 5, 1, 6), (14, 5, 6, 16), (28, 1, 4, 16), (32, 7, 3, 16)),
]


def run(quick: bool) -> list[dict[str, Any]]:
    """One row for each size."""
    return [_measured(*size, *((2, 2) if quick else (EXAMPLES, RUNS))) for size in (SIZES[:2] if quick else SIZES)]


def _measured(pixels: int, side: int, entering: int, leaving: int, examples: int, runs: int) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    x, kernel = (
        jnp.asarray(rng.normal(size=shape).astype(np.float32))
        for shape in ((examples, pixels, pixels, entering), (side, side, entering, leaving))
    )
    ends = (side // 2, side // 2)
    forms = {
        "XLA (ms)": lambda x, kernel: jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=LAYOUT),
        "sum (ms)": lambda x, kernel: sum_of_products(x, kernel, (ends, ends)),
    }
    times = in_turns({name: _repeated(form, x, kernel, runs) for name, form in forms.items()}, 5)
    row: dict[str, Any] = {
        "image": f"{pixels}×{pixels}",
        "kernel": f"{side}×{side}",
        "channels": f"{entering} to {leaving}",
    }
    row |= {name: digits(1e3 * time.seconds / runs) for name, time in times.items()}
    return row | {"XLA over sum": digits(row["XLA (ms)"] / row["sum (ms)"]), "chosen": is_small(x, kernel)}


def _repeated(form: Callable[[Array, Array], Array], x: Array, kernel: Array, runs: int) -> Callable[[], Array]:
    """So many convolutions, each of an input that depends on the outcome of the one before."""

    def once_more(_: Any, state: tuple[Array, Array]) -> tuple[Array, Array]:
        x, made = state
        x = x.at[0, 0, 0, 0].add(1e-9 * made[0, 0, 0, 0])
        return x, form(x, kernel)

    begun = (x, jnp.zeros(jax.eval_shape(form, x, kernel).shape))
    compiled = jax.jit(lambda state: jax.lax.fori_loop(0, runs, once_more, state))
    return lambda: compiled(begun)
