"""Convolutions of our own, of few channels and with their own gradient, against JAX's, and what they leave to JAX."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st

from landscape.models.functional import split
from landscape.numerics import convolution as summed
from landscape.numerics.multiply_adds import multiply_adds
from landscape.training import convolution as convolutions
from landscape.training.convolution import convolution, with_fast_gradients

pytestmark = [pytest.mark.slow, pytest.mark.compiled_quickly]


@pytest.fixture(autouse=True)
def sums_of_few_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the tests' images are few."""
    monkeypatch.setattr(summed, "LEAST", 0)


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
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-5, atol=1e-5)
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
    made, slope = jax.jvp(lambda x: convolution(x, kernel, strides, padding, **case), (x,), (x,))
    expected = jax.lax.conv_general_dilated(x, kernel, strides, padding, **case)
    np.testing.assert_allclose(made, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(slope, expected)


def test_a_padding_of_the_same_size_is_known_by_its_numbers():
    """As a ResNet gives it; and layers keep their values."""
    layer = nnx.Conv(3, 4, (3, 3), padding=1, use_bias=False, rngs=nnx.Rngs(0))
    x = drawn(2, 6, 7, 3)
    before = layer(x)
    np.testing.assert_allclose(with_fast_gradients(layer)(x), before, rtol=1e-5, atol=1e-6)
    with pytest.raises(TypeError, match="custom_vjp"):
        jax.jvp(layer, (x,), (x,))


def loops(function: Callable[..., jax.Array], *arguments: jax.Array) -> int:
    """How many loops a compiled function has: what is written down takes one each."""
    return jax.jit(function).lower(*arguments).compile().as_text().count(" while(")


SIZES = st.tuples(st.integers(1, 4), st.integers(5, 9), st.integers(5, 9), st.integers(1, 17), st.integers(1, 33))


@given(SIZES, st.tuples(st.integers(1, 5), st.integers(1, 5)), st.sampled_from(["SAME", "VALID", [(2, 1), (0, 3)]]))
@settings(max_examples=12)
def test_few_channels_are_summed_to_what_jax_convolves(sizes, sides, padding):
    """Values, slopes in both directions, and values for several kernels at once; all in float32."""
    b, h, w, entering, leaving = sizes
    x, kernel = drawn(b, h, w, entering), drawn(*sides, entering, leaving)
    few, plain = (
        lambda x, kernel, form=form: form(x, kernel, (1, 1), padding, **LAYOUT)
        for form in (summed.convolution, jax.lax.conv_general_dilated)
    )
    close = partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-4)
    (value, back), (expected, expected_back) = (jax.vjp(form, x, kernel) for form in (few, plain))
    close(value, expected)
    for a, b in zip(back(expected), expected_back(expected), strict=True):
        close(a, b)
    directions = (drawn(*x.shape), drawn(*kernel.shape))
    close(jax.jvp(few, (x, kernel), directions)[1], jax.jvp(plain, (x, kernel), directions)[1])
    several = jnp.stack([kernel, 2 * kernel])
    close(jax.vmap(few, (None, 0))(x, several), jax.vmap(plain, (None, 0))(x, several))
    assert multiply_adds(few, x, kernel) == multiply_adds(plain, x, kernel)


@pytest.mark.parametrize("shape", [(3, 3, 4, 8), (5, 5, 1, 6), (3, 3, 3, 32), (3, 3, 16, 4)])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_which_convolutions_are_summed(shape, dtype):
    """Few channels in float32; an accelerator gets JAX's convolution, whatever the sizes."""
    x, kernel = drawn(2, 8, 8, shape[2]).astype(dtype), drawn(*shape).astype(dtype)
    assert (loops(summed.same_size, x, kernel) > 0) == (dtype == jnp.float32)
    for_gpu = jax.jit(summed.same_size).trace(x, kernel).lower(lowering_platforms=("cuda",)).as_text()
    assert "stablehlo.convolution" in for_gpu and "stablehlo.while" not in for_gpu


@pytest.mark.parametrize("shape", [(3, 3, 8, 16), (3, 3, 4, 32), (1, 1, 3, 8), (7, 7, 3, 16), None])
def test_other_sizes_are_convolved(shape, monkeypatch):
    """And small ones where few numbers leave."""
    if shape is None:
        shape = (3, 3, 3, 8)
        monkeypatch.setattr(summed, "LEAST", 2 * 8 * 8 * 8 + 1)
    assert loops(summed.same_size, drawn(2, 8, 8, shape[2]), drawn(*shape)) == 0


def test_what_a_convolution_reads_is_computed_once():
    """However many products read it: a mixture of kernels or of images costs its own operations and no more."""
    x, kernel = drawn(8, 8, 8, 4), drawn(3, 3, 4, 8)

    def mixture(array: jax.Array) -> jax.Array:
        return 0.3 * array + 0.7 * array[::-1]

    def of_image(x: jax.Array, kernel: jax.Array) -> jax.Array:
        return summed.same_size(mixture(x), kernel)

    def of_kernel(x: jax.Array, kernel: jax.Array) -> jax.Array:
        return summed.same_size(x, mixture(kernel))

    alone = operations(summed.same_size, x, kernel)
    assert operations(of_image, x, kernel) <= alone + 3 * x.size
    assert operations(of_kernel, x, kernel) <= alone + 3 * kernel.size


def operations(function: Callable[..., jax.Array], *arguments: jax.Array) -> float:
    """How many operations XLA counts in a compiled function."""
    return jax.jit(function).lower(*arguments).compile().cost_analysis()["flops"]


def test_a_layer_keeps_a_convolution_of_its_own():
    """As one that pads a torus; networks are traced as their author wrote them."""

    def doubled(*arguments: Any, **settings: Any) -> jax.Array:
        return 2 * jax.lax.conv_general_dilated(*arguments, **settings)

    x = drawn(2, 6, 6, 3)
    for own in (doubled, jax.lax.conv_general_dilated):
        layer = nnx.Conv(3, 4, (3, 3), conv_general_dilated=own, rngs=nnx.Rngs(0))
        expected = layer(x)
        network = split(layer)
        np.testing.assert_allclose(network.logits(x), expected, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(with_fast_gradients(layer)(x), expected, rtol=1e-5, atol=1e-5)
        assert network.evaluating(as_written=True).conv_general_dilated is own
