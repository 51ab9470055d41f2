"""Midpoint barriers: the fast form against the definition, on the same weights, batch and permutations.

Peers: Algorithm 1 as written, which runs two networks a step; a reference that runs one, since permuted copies have
equal loss; and the same under `vmap`. The counted ratio is the multiply-adds of the one-network reference over
those that remain for the fast form: what follows the group, its reader on the moved units only, of each distinct
midpoint once. Times are medians without compilation, for one of n = 1000 steps; fewer are run where one is like
another, and the fast form is timed on distinct midpoints and multiplied by their share.
"""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import cycle, repeat
from multiprocessing import get_context
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from landscape.barrier import _by_activations, _by_networks, distinct_midpoints, midpoint, midpoint_barriers
from landscape.cost import midpoint_multiply_adds, multiply_adds
from landscape.cut import cut_at
from landscape.data.masking import mask
from landscape.layers import described
from landscape.loss import cross_entropy
from landscape.models import build
from landscape.specs import TextSpec
from landscape.study import Study, validated
from landscape.walk import compose, draw_swaps, seen_from_start
from landscape.weights import logits, merge, split

N = 1000  # steps of the walk whose time is given, a step
REPEATS = 2

IMAGES = {"name": "cifar10", "train_size": 512}
DEEP = [64, 64, 64]  # channels behind the first
CLASSES = IMAGES | {"name": "cifar100"}
TEXT = {"name": "wikitext-2", "train_size": 8, "vocabulary": 30522, "sequence_length": 512}


class Work(NamedTuple):
    """One row: a model whose `group` is walked on a batch of so many examples.

    midpoints: how many are run the fast way; steps: how many as the peers do.
    """

    name: str
    model: dict[str, Any]
    group: str
    data: dict[str, Any] = IMAGES
    batch: int = 512
    midpoints: int = 64
    steps: int = 6


WORKS = [
    *(Work(f"MLP 3072–{width}–10", {"kind": "mlp", "hidden": [width]}, "hidden1") for width in (20, 60)),
    *(Work(f"CNN (CIFAR-10) l={width}", {"kind": "cnn", "channels": [width, 32]}, "conv1") for width in (8, 32)),
    *(
        Work(f"CNN (CIFAR-100) l={width}", {"kind": "cnn", "channels": [width, *DEEP]}, "conv1", CLASSES, 512, 32, 2)
        for width in (16, 64)
    ),
    *(Work(f"TinyBERT FFN {ffn}", {"kind": "bert", "ffn": [ffn, 512]}, "ffn1", TEXT, 8) for ffn in (512, 2048)),
    *(
        Work(
            f"MiniBERT FFN {ffn}",
            {"kind": "bert", "layers": 4, "hidden": 256, "heads": 4, "ffn": [ffn, 1024, 1024, 1024]},
            "ffn1",
            TEXT,
            8,
        )
        for ffn in (1024, 4096)
    ),
    Work("ResNet18 stem", {"kind": "resnet18", "width": 64}, "stage1", IMAGES, 64, 24),
    Work("TinyBERT attention", {"kind": "bert"}, "value1", TEXT, 8, 24),
]


def run(quick: bool) -> list[dict[str, Any]]:
    """One row a model and group."""
    works = WORKS[2:3] if quick else WORKS
    # a process each, since what is told is a process's peak of memory
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as processes:
        return list(processes.map(_measured, works, repeat(quick)))


def _measured(work: Work, quick: bool) -> dict[str, Any]:
    batch = 8 if quick else work.batch
    study, model, inputs, targets = _case(work, batch)
    graphdef, weights = split(model)
    units = model.groups()[work.group].size(weights)
    permutations = compose(draw_swaps(jax.random.key(0), N, units), units)
    distinct, _ = distinct_midpoints(seen_from_start(permutations))
    share = len(distinct) / N
    fast_form = cut_at(model, work.group) is not None
    midpoints = distinct if study.model.kind == "mlp" else distinct[: 4 if quick else work.midpoints]
    walk = partial(midpoint_barriers, model, inputs=inputs, targets=targets, group=work.group)
    fast = share * _median(lambda: _midpoints(model, work.group, midpoints, inputs, targets), quick) / len(midpoints)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    some = permutations[: work.steps]
    reference = _median(lambda: walk(permutations=some, method="reference"), quick) / len(some)
    following = cycle(permutations)
    one = _median(
        lambda: _network(graphdef, weights, work.group, next(following), inputs, targets).block_until_ready(), quick
    )
    few_together = jnp.asarray(permutations[: work.steps])
    together = partial(_vmapped, graphdef, weights, work.group, few_together, inputs, targets)
    wide = _median(lambda: together().block_until_ready(), quick) / work.steps if fast_form else None
    remaining = midpoint_multiply_adds(study)[0] * share
    counted = multiply_adds(study)[0] / remaining
    achieved = 2 * remaining * batch / fast
    return {
        "work": work.name,
        "batch": batch,
        "fast (ms)": _shown(1e3 * fast),
        "one network (ms)": _shown(1e3 * one),
        "Algorithm 1 (ms)": _shown(1e3 * reference),
        "vmap (ms)": None if wide is None else _shown(1e3 * wide),
        "× one network": _shown(one / fast),
        "× Algorithm 1": _shown(reference / fast),
        "× vmap": None if wide is None else _shown(wide / fast),
        "counted ×": _shown(counted),
        "share of counted": _shown(one / fast / counted),
        "share of roof": _shown(achieved / roof(quick)),
        "peak memory, fast (MiB)": peak,
    }


def _midpoints(model: Any, group: str, permutations: np.ndarray, inputs: Any, targets: np.ndarray) -> np.ndarray:
    """Barriers of these midpoints, each evaluated: `midpoint_barriers` of a walk whose steps, seen from its start,
    they are."""
    graphdef, weights = split(model)
    changes = _by_networks if cut_at(model, group) is None else _by_activations
    return changes(graphdef, weights, group, permutations, inputs, targets, lambda done, total: None)


def _case(work: Work, batch: int) -> tuple[Study, Any, Any, np.ndarray]:
    """A study for counting, an untrained model, and made-up examples."""
    content = {"name": "benchmark", "data": work.data, "model": work.model, "walk": {"group": work.group}}
    widened = "ffn1" if work.model["kind"] == "bert" else work.group
    study = validated(content | {"candidates": [[{"widen": widened, "factor": 2}]]})
    rng = np.random.default_rng(0)
    if isinstance(study.data, TextSpec):
        length, classes = study.data.sequence_length, study.data.vocabulary
        examples = mask(rng.integers(5, classes, (batch, length)).astype(np.int32), rng, classes)
        inputs, targets = jax.tree.map(jnp.asarray, examples.inputs), examples.targets
        return study, build(study.model, (length,), classes, nnx.Rngs(0)), inputs, targets
    images = jnp.asarray(rng.normal(size=(batch, 32, 32, 3)).astype(np.float32))
    classes = described(study.data).classes
    model = build(study.model, (32, 32, 3), classes, nnx.Rngs(0))
    return study, model, images, rng.integers(0, classes, batch)


@partial(jax.jit, static_argnames=("graphdef", "group"))
def _network(
    graphdef: nnx.GraphDef, weights: Any, group: str, permutation: Any, inputs: Any, targets: Any
) -> jax.Array:
    """The loss of one midpoint by its network."""
    between = midpoint(weights, merge(graphdef, weights).groups()[group], permutation)
    return cross_entropy(logits(graphdef, between, inputs), jnp.asarray(targets))


@partial(jax.jit, static_argnums=(0, 2))
def _vmapped(graphdef: nnx.GraphDef, weights: Any, group: str, permutations: Any, inputs: Any, targets: Any) -> Any:
    """The losses of midpoints, all networks at once."""
    return jax.vmap(lambda each: _network(graphdef, weights, group, each, inputs, targets))(permutations)


def _median(run: Callable[[], Any], quick: bool) -> float:
    """Median seconds after a first run, which compiles."""
    times = []
    for _ in range(1 + (1 if quick else REPEATS)):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def roof(quick: bool) -> float:
    """Floating-point operations a second of a large matrix product, the best of five."""
    size = 256 if quick else 3000
    matrix = jnp.asarray(np.random.default_rng(0).normal(size=(size, size)).astype(np.float32))
    product = jax.jit(lambda a: a @ a)
    product(matrix).block_until_ready()
    times = []
    for _ in range(5):
        start = time.perf_counter()
        product(matrix).block_until_ready()
        times.append(time.perf_counter() - start)
    return 2 * size**3 / min(times)


def _shown(value: float) -> float:
    """Three digits."""
    return float(f"{value:.3g}")
