"""Convolution with a gradient by its kernel that is fast on a processor.

XLA's CPU backend takes that gradient as a convolution with the examples for channels. Here it is the product of the
input's patches with the slopes, a few examples after the other, so that patches stay in the cache.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

SLICE = 8  # examples whose patches are there at once


def with_fast_gradients(model: Any) -> Any:
    """The same module; its convolutions can be differentiated in reverse mode only, until it is merged anew."""
    for _, layer in nnx.iter_modules(model):
        if isinstance(layer, nnx.Conv):
            layer.conv_general_dilated = convolution
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
    missing = -len(x) % SLICE
    padded = [jnp.pad(each, [(0, missing)] + [(0, 0)] * 3) for each in (x, slopes)]
    parts = tuple(each.reshape(-1, SLICE, *each.shape[1:]) for each in padded)

    def add(total: Array, part: tuple[Array, ...]) -> tuple[Array, None]:
        x, slopes = part
        found = patches(x, *kernel.shape[:2]).T @ slopes.reshape(-1, slopes.shape[-1])
        return total + found, None

    flat = jnp.zeros((kernel[..., 0].size, kernel.shape[-1]), kernel.dtype)
    return by_x, jax.lax.scan(add, flat, parts)[0].reshape(kernel.shape)


same_size.defvjp(_forward, _backward)


def patches(x: Float[Array, "b h w c"], high: int, wide: int) -> Float[Array, "pixels ijc"]:
    """What a kernel of these sides sees around each pixel."""
    b, h, w, c = x.shape
    padded = jnp.pad(x, ((0, 0), (high // 2, high // 2), (wide // 2, wide // 2), (0, 0)))
    seen = [padded[:, i : i + h, j : j + w] for i in range(high) for j in range(wide)]
    return jnp.concatenate(seen, axis=-1).reshape(b * h * w, high * wide * c)
