"""Initial weights are those that Flax draws, by the programs that users run."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from landscape.models.initializers import HE_NORMAL, LECUN_NORMAL, truncated_normal


@pytest.mark.parametrize("shape", [(3, 3, 2, 5), (7, 4)])
@pytest.mark.parametrize(
    ("ours", "of_flax"),
    [
        (LECUN_NORMAL, nnx.initializers.lecun_normal()),
        (HE_NORMAL, nnx.initializers.he_normal()),
        (truncated_normal(0.02), nnx.initializers.truncated_normal(0.02)),
    ],
)
def test_weights_are_drawn_as_flax_draws_them(ours, of_flax, shape):
    """To the last bit, so that a study keeps its numbers."""
    key = jax.random.key(3)
    np.testing.assert_array_equal(ours(key, shape), of_flax(key, shape, jnp.float32))
