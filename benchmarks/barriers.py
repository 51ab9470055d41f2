"""Midpoint barriers: the fast form against the definition, on the same weights, batch and permutations.

Peers: Algorithm 1 as written, which runs two networks a step; a reference that runs one, since permuted copies have
equal loss; and the same under `vmap`. The counted ratio is the multiply-adds of the one-network reference over
those that remain for the fast form: what follows the group, its reader on the moved units only, of each distinct
midpoint once. Times are medians of runs in turns, without compilation, for one of n = 1000 steps. Where every step
costs the same, fewer are run; the fast form is timed on distinct midpoints, times their fraction of n.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import repeat
from multiprocessing import get_context
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from benchmarks._measure import Aim, digits, in_turns, short_of
from landscape.analysis.cost import midpoint_multiply_adds, multiply_adds
from landscape.barriers.midpoint import distinct_midpoints, midpoint_barriers, midpoint_changes, network_loss
from landscape.barriers.walk import compose, draw_swaps, seen_from_start
from landscape.data.masking import mask
from landscape.data.shapes import examples_of
from landscape.models.functional import split
from landscape.models.site import Site
from landscape.numerics.precision import exact
from landscape.study import Study, validated
from landscape.study.examples import TextSpec

N = 1000  # steps of the walk; times are given for one of them

IMAGES = {"name": "cifar10", "train_size": 512}
DEEP = [64, 64, 64]  # channels behind the first
CLASSES = IMAGES | {"name": "cifar100"}
TEXT = {"name": "wikitext-2", "train_size": 8, "vocabulary": 30522, "sequence_length": 512}


class Work(NamedTuple):
    """One row: a model whose `group` is walked on a batch of `batch` examples.

    midpoints: how many the fast form runs; steps: how many its peers run; repeats: how often each runs after the first
    time, more often where it is short. one_core: whether the process has one core, as a task of a small network has
    where a study is computed by one process a core; the roof is that of one core then.
    """

    name: str
    model: dict[str, Any]
    group: str
    aims: tuple[Aim, ...]
    data: dict[str, Any] = IMAGES
    batch: int = 512
    midpoints: int = 128
    steps: int = 6
    repeats: int = 2
    one_core: bool = False


ONE, VMAP, COUNTED, ROOF, MEMORY = (
    "× one network",
    "× vmap",
    "share of counted",
    "share of roof",
    "peak memory, fast (MiB)",
)
SMALL, NEVER_SLOWER = Aim(MEMORY, 2048, most=True), (Aim(ONE, 1), Aim(MEMORY, 4096, most=True))


def mlp(width: int) -> Work:
    """The smallest networks."""
    aims = Aim(ONE, 20), Aim(ROOF, 0.1)
    return Work(f"MLP 3072–{width}–10", {"kind": "mlp", "hidden": [width]}, "hidden1", aims, repeats=30)


def cnn(width: int, *aims: Aim) -> Work:
    """The paper's CNN for CIFAR-10."""
    model = {"kind": "cnn", "channels": [width, 32]}
    return Work(f"CNN (CIFAR-10) l={width}", model, "conv1", (Aim(VMAP, 15), Aim(ROOF, 0.75), SMALL, *aims))


def deep_cnn(width: int) -> Work:
    """The paper's CNN for CIFAR-100."""
    model = {"kind": "cnn", "channels": [width, *DEEP]}
    return Work(f"CNN (CIFAR-100) l={width}", model, "conv1", (Aim(COUNTED, 0.95), SMALL), CLASSES, 512, 32, 2)


def bert(name: str, width: int, **model: Any) -> Work:
    """A language model."""
    return Work(f"{name} FFN {width}", {"kind": "bert", **model}, "ffn1", (Aim(COUNTED, 0.9),), TEXT, 8)


WORKS = [
    mlp(20),
    mlp(60),
    *(work._replace(name=f"{work.name}, one core", one_core=True) for work in (mlp(20), mlp(60))),
    cnn(8, Aim(ONE, 1.9)),
    cnn(32, Aim(ONE, 2)),
    deep_cnn(16),
    deep_cnn(64),
    *(bert("TinyBERT", ffn, ffn=[ffn, 512]) for ffn in (512, 2048)),
    *(bert("MiniBERT", ffn, layers=4, hidden=256, heads=4, ffn=[ffn, 1024, 1024, 1024]) for ffn in (1024, 4096)),
    Work("ResNet18 stem", {"kind": "resnet18", "width": 64}, "stage1", NEVER_SLOWER, IMAGES, 64, 48),
    *(
        Work(f"BERT attention, {words}", {"kind": "bert", "heads": heads}, group, NEVER_SLOWER, TEXT, 8)
        for words, heads, group in (("values", 2, "value1"), ("query and key", 2, "query_key1"), ("heads", 4, "heads1"))
    ),
]


class Case(NamedTuple):
    """What a row is measured on: a study for counting, an untrained model of it, and made-up examples."""

    study: Study
    model: Any
    inputs: Any
    targets: np.ndarray


def run(quick: bool) -> Iterator[dict[str, Any]]:
    """One row for each model and group."""
    works = WORKS[4:5] if quick else WORKS
    # each in a process of its own, since the peak of memory that is printed is a process's
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as processes:
        yield from processes.map(_measured_on_its_cores, works, repeat(quick))


def _measured_on_its_cores(work: Work, quick: bool) -> dict[str, Any]:
    """JAX counts the cores when it first computes."""
    if work.one_core:
        os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
    return _measured(work, quick)


@exact
def _measured(work: Work, quick: bool) -> dict[str, Any]:
    batch = 8 if quick else work.batch
    made = case(work, batch)
    permutations = walk(made.model, work.group)
    distinct, _ = distinct_midpoints(seen_from_start(permutations))
    midpoints = distinct if made.study.model.kind == "mlp" else distinct[: 4 if quick else work.midpoints]
    steps = permutations[: work.steps]
    peaks: list[int] = []
    times = in_turns(_runs(made, work.group, midpoints, steps, peaks), 1 if quick else work.repeats)
    distinct_part = len(distinct) / N
    seconds = {name: found.seconds / len(steps) for name, found in times.items()}
    seconds["fast"] = distinct_part * times["fast"].seconds / len(midpoints)
    remaining = midpoint_multiply_adds(made.study)[0] * distinct_part
    counted = multiply_adds(made.study)[0] / remaining
    row = {
        "work": work.name,
        "batch": batch,
        **{f"{name} (ms)": digits(1e3 * seconds[name]) for name in ("fast", "one network", "Algorithm 1")},
        "vmap (ms)": digits(1e3 * seconds["vmap"]) if "vmap" in seconds else None,
        "compiling, fast (s)": digits(times["fast"].compile_seconds),
        **{f"× {name}": _ratio(seconds, name) for name in ("one network", "Algorithm 1", "vmap")},
        "counted ×": digits(counted),
        COUNTED: digits(seconds["one network"] / seconds["fast"] / counted),
        ROOF: digits(2 * remaining * batch / seconds["fast"] / roof(quick)),
        MEMORY: peaks[0],  # the fast form runs first
    }
    return row | {"short of its aim": short_of(row, work.aims)}


def walk(model: Any, group: str) -> np.ndarray:
    """The steps of a walk from this model."""
    units = model.groups()[group].size(split(model).weights)
    return compose(draw_swaps(jax.random.key(0), N, units), units)


def _runs(
    case: Case, group: str, midpoints: np.ndarray, steps: np.ndarray, peaks: list[int]
) -> dict[str, Callable[[], Any]]:
    """The fast form, which notes its peak of memory, and its peers; `vmap` only where the model has a cut."""
    _, model, inputs, targets = case
    site = Site.of(model, group)

    def fast() -> None:
        midpoint_changes(site, midpoints, inputs, targets)
        peaks.append(_peak())

    reference = partial(midpoint_barriers, model, steps, inputs, targets, group=group, method="reference")
    runs: dict[str, Callable[[], Any]] = {"fast": fast, "Algorithm 1": reference}
    runs["one network"] = partial(one_by_one, site, steps, inputs, targets)
    if site.cut() is not None:
        runs["vmap"] = partial(_vmapped, site, jnp.asarray(steps), inputs, targets)
    return runs


def _ratio(seconds: Mapping[str, float], name: str) -> float | None:
    """How many times as long a peer takes as the fast form."""
    return digits(seconds[name] / seconds["fast"]) if name in seconds else None


def _peak() -> int:
    """The most MiB in use so far: of an accelerator's memory if its allocator counts it, else of the process."""
    of_process = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return (jax.local_devices()[0].memory_stats() or {}).get("peak_bytes_in_use", of_process) // 2**20


def case(work: Work, batch: int) -> Case:
    """The study, model and examples of a row."""
    content = {"name": "benchmark", "data": work.data, "model": work.model, "walk": {"group": work.group}}
    widened = "ffn1" if work.model["kind"] == "bert" else work.group
    study = validated(content | {"candidates": [[{"widen": widened, "factor": 2}]]})
    rng = np.random.default_rng(0)
    if isinstance(study.data, TextSpec):
        length, classes = study.data.sequence_length, study.data.vocabulary
        examples = mask(rng.integers(5, classes, (batch, length)).astype(np.int32), rng, classes)
        inputs, targets = jax.tree.map(jnp.asarray, examples.inputs), examples.targets
        return Case(study, study.model.build((length,), classes, nnx.Rngs(0)), inputs, targets)
    images = jnp.asarray(rng.normal(size=(batch, 32, 32, 3)).astype(np.float32))
    classes = examples_of(study.data).classes
    model = study.model.build((32, 32, 3), classes, nnx.Rngs(0))
    return Case(study, model, images, rng.integers(0, classes, batch))


def one_by_one(site: Site, steps: np.ndarray, inputs: Any, targets: Any) -> None:
    """The losses of midpoints, each by its network."""
    for step in steps:
        _network(site, step, inputs, targets).block_until_ready()


@jax.jit
def _network(site: Site, permutation: Any, inputs: Any, targets: Any) -> jax.Array:
    """The loss of one midpoint by its network."""
    return network_loss(site.between(permutation, 0.5).network, inputs, jnp.asarray(targets))


@jax.jit
def _vmapped(site: Site, permutations: Any, inputs: Any, targets: Any) -> Any:
    """The losses of midpoints, all networks at once."""
    return jax.vmap(lambda each: _network(site, each, inputs, targets))(permutations)


def roof(quick: bool) -> float:
    """Floating-point operations a second of a large matrix product."""
    size = 256 if quick else 3000
    matrix = jnp.asarray(np.random.default_rng(0).normal(size=(size, size)).astype(np.float32))
    product = jax.jit(lambda a: a @ a)
    return 2 * size**3 / in_turns({"product": lambda: product(matrix)}, 5)["product"].seconds
