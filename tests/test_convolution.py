"""The convolution with its own gradient against JAX's, and where it leaves the work to JAX."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from landscape.training import convolution as convolutions
from landscape.training.convolution import convolution, with_fast_gradients

pytestmark = [pytest.mark.slow, pytest.mark.compiled_quickly]

LAYOUT = {"dimension_numbers": ("NHWC", "HWIO", "NHWC")}
PLAIN = LAYOUT | {"lhs_dilation": (1, 1), "rhs_dilation": (1, 1), "feature_group_count": 1}


def drawn(*shape: int) -> jax.Array:
    return jnp.asarray(np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32))


@pytest.mark.parametrize("examples", [1, 7, 8, 17])
@pytest.mark.parametrize("sides", [(1, 1), (3, 3), (5, 3)])
@pytest.mark.parametrize("bytes_of_a_slice", [1, 10_000, 2**30])
def test_values_and_gradients_are_jaxs(examples, sides, bytes_of_a_slice, monkeypatch):
    """Examples one by one, some at once, and all: more outputs than what a row of the kernel sees, and fewer."""
    monkeypatch.setattr(convolutions, "SLICE_BYTES", bytes_of_a_slice)
    x, kernel = drawn(examples, 6, 7, 3), drawn(*sides, 3, 4)
    slopes = drawn(examples, 6, 7, 4)
    found, expected = (
        jax.vjp(lambda x, kernel, form=form: form(x, kernel, (1, 1), "SAME", **PLAIN), x, kernel)
        for form in (convolution, jax.lax.conv_general_dilated)
    )
    np.testing.assert_array_equal(found[0], expected[0])
    for a, b in zip(found[1](slopes), expected[1](slopes), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    "changes",
    [
        {"strides": (2, 2)},
        {"padding": "VALID"},
        {"padding": [(2, 2), (2, 2)]},
        {"rhs_dilation": (2, 2)},
        {"kernel": drawn(2, 2, 4, 4)},
        {"kernel": drawn(3, 3, 2, 4), "feature_group_count": 2},
    ],
)
def test_other_convolutions_are_left_to_jax(changes):
    """Forward-mode differentiation tells: the own gradient has none."""
    case = PLAIN | {"kernel": drawn(3, 3, 4, 4), "strides": (1, 1), "padding": "SAME"} | changes
    x, (kernel, strides, padding) = drawn(2, 6, 7, 4), (case.pop(name) for name in ("kernel", "strides", "padding"))
    _, slope = jax.jvp(lambda x: convolution(x, kernel, strides, padding, **case), (x,), (x,))
    np.testing.assert_array_equal(slope, jax.lax.conv_general_dilated(x, kernel, strides, padding, **case))


def test_a_padding_of_the_same_size_is_known_by_its_numbers():
    """As a ResNet gives it; and layers keep their values."""
    layer = nnx.Conv(3, 4, (3, 3), padding=1, use_bias=False, rngs=nnx.Rngs(0))
    x = drawn(2, 6, 7, 3)
    before = layer(x)
    np.testing.assert_array_equal(with_fast_gradients(layer)(x), before)
    with pytest.raises(TypeError, match="custom_vjp"):
        jax.jvp(layer, (x,), (x,))
