"""Convolutions of few channels as sums of products, which a processor computes several times as fast.

XLA's CPU backend makes a product of matrices of every convolution. Where channels are few, that moves numbers about
more than it multiplies them: on one core, three channels to eight on 32 × 32 pixels take six times as long as the sum
below, and four to eight on 8 × 8 pixels five times (`python -m benchmarks convolutions`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial, reduce
from itertools import product, starmap
from operator import add
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Float

LAYOUT = ("NHWC", "HWIO", "NHWC")
AT_ONCE = 4  # channels that enter one loop: the weights of more do not stay in a processor's registers
FEW, MOST = 64, 16  # up to so many pairs of channels, and channels that enter, sums are faster
COLOURS, OF_COLOURS = 3, 32  # and where so many enter, up to so many that leave
AREA = 25  # and up to so many places of the kernel
LEAST = 2**14  # numbers that leave: below, a sum saves less than it takes to compile


def convolution(x: Array, kernel: Array, strides: Any, padding: Any, *, stored: bool = False, **settings: Any) -> Array:
    """`jax.lax.conv_general_dilated`, as a sum of products on a processor where that is faster.

    `stored` says that x is written down anyway, as a gradient needs it.
    """

    def plain(x: Array, kernel: Array) -> Array:
        return jax.lax.conv_general_dilated(x, kernel, strides, padding, **settings)

    if not is_small(x, kernel) or not is_simple(x, strides, settings):
        return plain(x, kernel)
    named = isinstance(padding, str)
    sides = jax.lax.padtype_to_pads(x.shape[1:3], kernel.shape[:2], (1, 1), padding) if named else padding

    @jax.custom_jvp
    def chosen(x: Array, kernel: Array) -> Array:
        return jax.lax.platform_dependent(
            x, kernel, cpu=partial(sum_of_products, sides=sides, stored=stored), default=plain
        )

    def slope(values: tuple[Array, Array], directions: tuple[Any, Any]) -> tuple[Array, Array]:
        """Slopes are XLA's own: a sum of products, differentiated in reverse, is a sum over pixels for each product."""
        made, terms = chosen(*values), ((directions[0], values[1]), (values[0], directions[1]))
        moved = [plain(*term) for term in terms if not any(isinstance(each, SymbolicZero) for each in term)]
        return made, reduce(add, moved)

    chosen.defjvp(slope, symbolic_zeros=True)
    return chosen(x, kernel)


def same_size(
    x: Float[Array, "b h w c"], kernel: Float[Array, "i j c o"], *, stored: bool = False
) -> Float[Array, "b h w o"]:
    """A convolution with stride 1 and zeros around the image, so that outputs have the size of inputs."""
    return convolution(x, kernel, (1, 1), "SAME", stored=stored, dimension_numbers=LAYOUT)


def is_small(x: Array, kernel: Array) -> bool:
    """Whether a sum of products is faster, by sizes and types alone."""
    if x.ndim != 4 or not x.dtype == kernel.dtype == jnp.float32:
        return False
    high, wide, entering, leaving = kernel.shape
    few = entering <= MOST and entering * leaving <= FEW
    few = few or (entering <= COLOURS and leaving <= OF_COLOURS)
    return few and 1 < high * wide <= AREA and math.prod(x.shape[:3]) * leaving >= LEAST


def is_simple(x: Array, strides: Any, settings: dict[str, Any]) -> bool:
    """Whether it has stride 1, no dilation and no groups, and channels last."""
    numbers, usual = (
        jax.lax.conv_dimension_numbers(x.shape, x.shape, layout)
        for layout in (settings.get("dimension_numbers"), LAYOUT)
    )
    grouped = any(settings.get(name, 1) != 1 for name in ("feature_group_count", "batch_group_count"))
    dilations = [settings.get(name) or (1, 1) for name in ("lhs_dilation", "rhs_dilation")]
    return numbers == usual and not grouped and all(tuple(each) == (1, 1) for each in (strides, *dilations))


def sum_of_products(
    x: Float[Array, "b h w c"],
    kernel: Float[Array, "i j c o"],
    sides: Sequence[tuple[int, int]],
    *,
    stored: bool = False,
) -> Float[Array, "b y x o"]:
    """Every shifted channel times its row of the kernel, in one loop over the outputs for some channels at a time.

    The loop reads each number many times. What makes the kernel, as a mixture of networks, or x, unless it is `stored`,
    would otherwise be computed anew each time.
    """
    kernel = written_down(kernel)
    high, wide, entering, _ = kernel.shape
    padding = [(0, 0, 0), *((before, behind, 0) for before, behind in sides), (0, 0, 0)]
    padded = jax.lax.pad(x, jnp.zeros((), x.dtype), padding)  # b y+high−1 x+wide−1 c
    padded = padded if stored else written_down(padded)
    h, w = padded.shape[1] - high + 1, padded.shape[2] - wide + 1

    def term(i: int, j: int, c: int) -> Array:
        return jax.lax.slice(padded, (0, i, j, c), (len(padded), i + h, j + w, c + 1)) * kernel[i, j, c]

    def products(channels: range) -> Array:
        return reduce(add, starmap(term, product(range(high), range(wide), channels)))

    def loop(total: Array, first: int) -> Array:
        return jax.lax.optimization_barrier(total + products(range(first, min(entering, first + AT_ONCE))))

    return written_down(reduce(loop, range(AT_ONCE, entering, AT_ONCE), products(range(min(entering, AT_ONCE)))))


def written_down(array: jax.Array) -> jax.Array:
    """The same array, written down: XLA would merge what makes it with what reads it, and make it anew for each reader.

    The array passes through a loop that runs once, which XLA does not know; behind its barriers, which are for the
    order of operations, it merges them all the same.
    """
    once = jax.lax.optimization_barrier(jnp.ones((), jnp.int32))
    return jax.lax.fori_loop(0, once, lambda _, __: array, jnp.zeros_like(array))
