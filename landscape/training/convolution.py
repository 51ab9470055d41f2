"""Convolution with a gradient by its kernel that is fast on a processor.

XLA's CPU backend takes that gradient as a convolution with the examples for channels. Here it is products of shifted
copies of the input with the slopes, a few examples after the other, so that the copies stay in the cache.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

SLICE_BYTES = 2 * 2**20  # of what is multiplied at once


def with_fast_gradients(model: nnx.Module) -> nnx.Module:
    """The same module; its convolutions can be differentiated in reverse mode only, until it is merged anew."""
    model.set_attributes(nnx.Conv, conv_general_dilated=convolution, raise_if_not_found=False)
    return model


def convolution(x: Array, kernel: Array, strides: Any, padding: Any, **settings: Any) -> Array:
    """As `jax.lax.conv_general_dilated`, which takes over wherever there is more to it than stride 1 and same size."""
    sides = [(size // 2, size // 2) for size in kernel.shape[:2]]
    odd = all(size % 2 for size in kernel.shape[:2])
    same = odd and (padding == "SAME" or list(padding) == sides) and tuple(strides) == (1, 1) and x.ndim == 4
    dilated = any(tuple(settings[name]) != (1, 1) for name in ("lhs_dilation", "rhs_dilation"))
    if same and not dilated and settings["feature_group_count"] == 1:
        return same_size(x, kernel)
    return jax.lax.conv_general_dilated(x, kernel, strides, padding, **settings)


@jax.custom_vjp
def same_size(x: Float[Array, "b h w c"], kernel: Float[Array, "i j c o"]) -> Float[Array, "b h w o"]:
    """Stride 1, zeros around the image, a kernel of odd sides."""
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def _forward(x: Array, kernel: Array) -> tuple[Array, tuple[Array, Array]]:
    return same_size(x, kernel), (x, kernel)


def _backward(known: tuple[Array, Array], slopes: Array) -> tuple[Array, Array]:
    x, kernel = known
    by_x = same_size(slopes, kernel[::-1, ::-1].swapaxes(2, 3))
    size = _slice_size(x, slopes, kernel.shape[1])
    missing = -len(x) % size
    padded = [jnp.pad(each, [(0, missing)] + [(0, 0)] * 3) for each in (x, slopes)]
    parts = tuple(each.reshape(-1, size, *each.shape[1:]) for each in padded)

    def add(total: Array, part: tuple[Array, ...]) -> tuple[Array, None]:
        some, their_slopes = part
        return total + by_kernel(some, their_slopes, *kernel.shape[:2]), None

    return by_x, jax.lax.scan(add, jnp.zeros_like(kernel), parts)[0]


same_size.defvjp(_forward, _backward)


def _slice_size(x: Array, slopes: Array, wide: int) -> int:
    """Examples whose shifted copies and slopes are so many bytes, a power of two or all."""
    one = (wide * x[0].size + slopes[0].size) * x.dtype.itemsize
    return min(len(x), 2 ** int(math.log2(max(1, SLICE_BYTES // one))))


def by_kernel(
    x: Float[Array, "b h w c"], slopes: Float[Array, "b h w o"], high: int, wide: int
) -> Float[Array, "i j c o"]:
    """Of a kernel of these sides: each shifted input times the slopes, summed over pixels.

    The copies shifted along a row stand side by side; those shifted by rows are parts of them.
    """
    b, h, w, c = x.shape
    padded = jnp.pad(x, ((0, 0), (high // 2, high // 2), (wide // 2, wide // 2), (0, 0)))
    shifted = jnp.concatenate([padded[:, :, j : j + w] for j in range(wide)], axis=-1)
    by_pixel = slopes.reshape(b * h * w, -1)

    def product(rows: Array) -> Array:
        """The longer side comes last, which is faster."""
        return (by_pixel.T @ rows).T if rows.shape[1] > by_pixel.shape[1] else rows.T @ by_pixel

    found = [product(shifted[:, i : i + h].reshape(b * h * w, wide * c)) for i in range(high)]
    return jnp.stack(found).reshape(high, wide, c, -1)
