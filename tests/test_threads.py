from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from landscape.barriers.midpoint import midpoint_barriers
from landscape.barriers.walk import compose, draw_swaps
from landscape.models.mlp import mlp
from landscape.numerics import threads
from landscape.numerics.threads import cores_shared_by, side_by_side

pytestmark = pytest.mark.compiled_quickly


@pytest.fixture(autouse=True)
def four_cores(monkeypatch):
    monkeypatch.setattr(threads, "_cores", lambda: 4)


def test_results_come_in_order_and_as_many_calls_run_at_once_as_a_task_has_cores():
    running, most, lock = set[int](), [0], threading.Lock()

    def call(i: int) -> Callable[[], int]:
        def run() -> int:
            with lock:
                running.add(i)
                most[0] = max(most[0], len(running))
            time.sleep(0.05 if i % 2 else 0.02)
            with lock:
                running.remove(i)
            return i

        return run

    for tasks, cores in ((1, 4), (2, 2), (3, 1), (9, 1)):
        most[0] = 0
        with cores_shared_by(tasks):
            assert list(side_by_side(call(i) for i in range(10))) == list(range(10))
        assert most[0] == cores


def test_calls_are_prepared_one_ahead_of_those_that_run():
    """What is prepared is held in memory until it has run."""
    prepared: list[int] = []

    def calls() -> Iterator[Callable[[], int]]:
        for i in range(20):
            prepared.append(i)
            yield lambda i=i: i

    for found in side_by_side(calls()):
        assert len(prepared) <= found + 4 + 1


def test_an_error_of_a_call_is_raised_and_no_further_one_begins():
    begun: list[int] = []

    def call(i: int) -> int:
        begun.append(i)
        if i == 3:
            raise FloatingPointError("call 3")
        return i

    found: list[int] = []
    with pytest.raises(FloatingPointError, match="call 3"):
        found.extend(side_by_side((lambda i=i: call(i)) for i in range(50)))
    assert len(begun) <= 3 + 4 + 2


def test_settings_of_the_caller_hold_for_the_calls():
    def call() -> tuple[str, str]:
        x = jnp.ones((2, 2), float)
        return str(x.dtype), str(jax.make_jaxpr(jnp.matmul)(x, x))

    assert {dtype for dtype, _ in side_by_side(call for _ in range(8))} == {"float32"}
    with jax.enable_x64(True), jax.default_matmul_precision("highest"):
        for dtype, program in side_by_side(call for _ in range(8)):
            assert dtype == "float64" and "HIGHEST" in program
    assert {dtype for dtype, _ in side_by_side(call for _ in range(8))} == {"float32"}


def test_no_bit_of_a_barrier_depends_on_how_many_tasks_share_the_cores():
    model, rng = mlp(6, (12,), 4, nnx.Rngs(0)), np.random.default_rng(0)
    steps = compose(draw_swaps(jax.random.key(0), 400, 12), 12)
    batch = rng.normal(size=(30, 6)).astype(np.float32), rng.integers(0, 4, 30)
    found = []
    for tasks in (1, 2, 4):
        with cores_shared_by(tasks):
            found.append(midpoint_barriers(model, steps, *batch, group="hidden1"))
    assert np.median(found[0]) > 0
    np.testing.assert_array_equal(found[1:], [found[0], found[0]])
