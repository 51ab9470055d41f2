"""exp(x) and exp(x) − 1 at once, in few operations that a processor carries out on several numbers at a time."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

# Cody and Waite: ln 2 as a number of few bits, whose multiples are exact, and the rest
LN2, REST = np.float32(0.693359375), np.float32(math.log(2) - 0.693359375)
TERMS = 7  # of the series for |r| ≤ ½ ln 2, of which the eighth is below the rounding of the sum
LEAST, MOST = np.float32(-87), np.float32(88.9)  # beyond, 2ⁿ is no normal number: exp is nearly 0, or overflows
SHIFT = np.float32(1.5 * 2**23)  # added to a number, it leaves the nearest integer in the lowest bits
SHIFT_BITS, BIAS, MANTISSA = np.int32(0x4B400000), np.int32(127), np.int32(23)


def exponentials(x: Float[Array, ...]) -> tuple[Float[Array, ...], Float[Array, ...]]:
    """exp(x) − 1 and exp(x), each to three roundings, or to 2⁻¹²⁶ where x < −70; above 88.7 they are not finite.

    With x = n ln 2 + r, exp(x) − 1 = 2ⁿ(exp(r) − 1) + (2ⁿ − 1), which is the series itself where |x| ≤ ½ ln 2, so that
    it keeps its digits however small x is. JAX's own are used for other types than float32.

    >>> import jax.numpy as jnp
    >>> from landscape.numerics.loss.exponential import exponentials
    >>> less_one, whole = exponentials(jnp.array([1e-6, 1.0]))
    >>> [f"{each:.6g}" for each in (*less_one, *whole)]
    ['1e-06', '1.71828', '1', '2.71828']
    """
    if x.dtype != jnp.float32:
        return jnp.expm1(x), jnp.exp(x)
    x = jnp.clip(x, LEAST, MOST)
    n = jax.lax.bitcast_convert_type(x * np.float32(1 / math.log(2)) + SHIFT, jnp.int32) - SHIFT_BITS
    multiple = n.astype(jnp.float32)
    r = (x - multiple * LN2) - multiple * REST
    series = jnp.full_like(r, 1 / math.factorial(TERMS))
    for term in range(TERMS - 1, 0, -1):
        series = series * r + 1 / math.factorial(term)
    power = jax.lax.bitcast_convert_type((n + BIAS) << MANTISSA, jnp.float32)  # 2ⁿ
    scaled = power * (series * r)
    return scaled + (power - 1), scaled + power
