from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from landscape.barriers.timing import timed_walk
from landscape.models.mlp import mlp
from landscape.numerics.compiling import timed
from landscape.proxies import timed_scores

pytestmark = pytest.mark.compiled_quickly


def test_a_computation_runs_twice_where_it_compiles_and_once_where_it_does_not():
    program, runs = jax.jit(lambda x: jnp.sin(x).sum()), []

    def compute() -> float:
        runs.append(None)
        return program(jnp.arange(7.0)).item()

    first, second = timed(compute), timed(compute)
    assert len(runs) == 3 and first.found == second.found
    assert first.compile_seconds > second.compile_seconds == 0
    assert first.seconds > 0 and second.seconds > 0


def test_networks_of_equal_structure_are_timed_without_compilation_but_the_first():
    rng = np.random.default_rng(0)
    batch = rng.normal(size=(9, 7)).astype(np.float32), rng.integers(0, 3, 9)  # shapes of their own
    networks, steps = [mlp(7, (5,), 3, nnx.Rngs(seed)) for seed in (0, 1)], np.array([[1, 0, 2, 3, 4]])
    walks = [timed_walk(each, steps, *batch, group="hidden1") for each in networks]
    scores = [timed_scores(each, *batch) for each in networks]
    assert walks[0].compile_seconds > walks[1].compile_seconds == 0
    for name, first in scores[0].items():
        assert first.compile_seconds > scores[1][name].compile_seconds == 0, name
