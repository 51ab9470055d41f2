"""Everything that an accelerator should show, in one unattended run of a given length.

First checks: the sums of `landscape.numerics.precision`, the fast barriers against Algorithm 1 on this device, and
against float64 on the processor. Then times of training steps and midpoints. Then as much of the studies as the
minutes allow, every task kept as it ends, so that a run that was cut off goes on where it stopped: with `--cache`, in
the same folder, and `landscape run` goes on from there as well. Compiled programs are kept beside them.

Several lists of studies are computed side by side, the studies of a list (joined by commas) one after the other, each
by a process of its own with its share of the memory: a study leaves the device idle while its programs are compiled,
and studies that share networks, such as those of the same base, belong in one list. Two or three lists are enough:
beyond that, processes only slice the device's time among themselves.

Training runs at JAX's default precision, which on NVIDIA's tensor cores is TF32; barriers, curves and evaluation in
full float32.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import barriers, training
from benchmarks._measure import digits, in_turns
from landscape.barriers.midpoint import midpoint_barriers, midpoint_changes, network_loss
from landscape.barriers.walk import seen_from_start
from landscape.jobs.attempt import Attempt
from landscape.jobs.local import PREALLOCATE
from landscape.jobs.progress import StudyUpdate, Update
from landscape.jobs.resume import AnyOutcome, Arrived, Planned, arranged, compute, finish, run_task
from landscape.models.functional import Network, split
from landscape.models.site import Site
from landscape.numerics.precision import check_sums, exact
from landscape.store.netcdf import encode
from landscape.store.results import Store
from landscape.study import Study
from landscape.study.kinds import CnnSpec
from landscape.study.presets import preset
from landscape.study.schema import assemble
from landscape.training.epoch import run_epoch, together

STUDY = "cnn-cifar10-gpu"
COMPILED = "/jax/core/compile/backend_compile_duration"
EVERY = 30.0  # seconds between two writings of the result so far
MEMORY = 0.9  # of an accelerator's, shared by the processes beside one another
STEPS = 20  # of a walk that is checked, and of training that is timed

Row = dict[str, Any]


def run(
    quick: bool,
    minutes: float = 10.0,
    study: Sequence[str] = (STUDY,),
    cache: str | None = None,
    output: str = ".",
    unchecked: bool = False,
) -> list[Row]:
    """Checks, times, and as much of the studies as fits; what there is of a result is written to `output`/NAME.nc."""
    deadline, compiling = time.monotonic() + 60 * minutes, count_compilations()
    os.environ.setdefault(PREALLOCATE, "false")  # or the checks leave no memory to the processes that come after them
    lists = [[preset(name) for name in names.split(",")] for names in study]
    with TemporaryDirectory() as folder:
        store, output = (Store(folder), folder) if quick else (Store(cache), output)
        if not quick:
            jax.config.update("jax_compilation_cache_dir", str(store.root / ".compiled"))
            jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
        rows = [] if unchecked else [*checks(quick), *times(quick)]
        names = [one.name for some in lists for one in some]
        if len(names) > 1 and not quick:
            rows += side_by_side(lists, store, deadline, output)
        else:
            only = tiny() if quick else preset(names[0])
            rows.append(computed(only, store, deadline, Path(output) / f"{only.name}.nc"))
    return [*rows, row("programs compiled", len(compiling), ""), row("compiling them", sum(compiling), "s")]


def side_by_side(lists: Sequence[Sequence[Study]], store: Store, deadline: float, output: str) -> list[Row]:
    """Every list by processes of its own, one for each study; a row says whether a study's process ended well."""

    def compute_list(studies: Sequence[Study]) -> list[Row]:
        return [
            row(f"{study.name}, exit status", _process(study, len(lists), store, deadline, output), "")
            for study in studies
        ]

    with ThreadPoolExecutor(len(lists)) as pool:
        return [each for rows in pool.map(compute_list, lists) for each in rows]


def _process(study: Study, beside: int, store: Store, deadline: float, output: str) -> int:
    minutes = max(0.0, deadline - time.monotonic()) / 60
    options = {"--study": study.name, "--minutes": f"{minutes:.3f}", "--cache": str(store.root), "--output": output}
    command = [sys.executable, "-m", "benchmarks", "gpu", "--unchecked", *chain.from_iterable(options.items())]
    memory = {PREALLOCATE: "false", "XLA_PYTHON_CLIENT_MEM_FRACTION": f"{MEMORY / beside:.3f}"}
    return subprocess.run(command, env=os.environ | memory).returncode


def tiny() -> Study:
    """A study of seconds: one candidate of the smallest preset."""
    study = preset("digits-mlp").scaled(seeds=1, epochs=1, permutations=50)
    return study.model_copy(update={"candidates": study.candidates[:1]})


def row(what: str, value: float, unit: str) -> Row:
    """One line of the table, printed at once as well, since the run may be cut off."""
    print(f"{what}: {value:.6g} {unit}", file=sys.stderr, flush=True)
    return {"what": what, "value": digits(float(value)), "unit": unit}


def count_compilations() -> list[float]:
    """A list to which the seconds of every compilation from now on are added."""
    seconds: list[float] = []

    def note(event: str, duration_secs: float, **_: str | int) -> None:
        if event == COMPILED:
            seconds.append(duration_secs)

    jax.monitoring.register_event_duration_secs_listener(note)
    return seconds


def checks(quick: bool) -> Iterator[Row]:
    """How far barriers on this device are from Algorithm 1, and from float64 on the processor."""
    check_sums()
    yield row("device", jax.local_device_count(), jax.devices()[0].device_kind)
    case = _case(8, 16 if quick else 64)
    walk = barriers.walk(case.model, "conv1")[:STEPS]
    batch = (case.inputs, case.targets)
    fast = midpoint_barriers(case.model, walk, *batch, group="conv1")
    slow = midpoint_barriers(case.model, walk, *batch, group="conv1", method="reference")
    yield row("greatest barrier of the check", fast.max(), "nats")
    yield row("fast form, greatest distance from Algorithm 1", np.abs(fast - slow).max(), "nats")
    exactly = barriers_in_float64(Site(split(case.model), "conv1"), seen_from_start(walk), *batch)
    yield row("fast form, greatest distance from float64", np.abs(fast - exactly).max(), "nats")
    yield row("Algorithm 1, greatest distance from float64", np.abs(slow - exactly).max(), "nats")


def barriers_in_float64(site: Site, permutations: np.ndarray, inputs: Any, targets: Any) -> np.ndarray:
    """b̂ of every permutation by its networks, in float64 on the processor."""
    with jax.enable_x64(True), jax.default_device(jax.devices("cpu")[0]):
        weights = {path: jnp.asarray(np.asarray(array), jnp.float64) for path, array in site.network.weights.items()}
        site = Site(site.network.replace(weights), site.group)
        x, y = jnp.asarray(np.asarray(inputs), jnp.float64), jnp.asarray(np.asarray(targets))

        def loss(network: Network) -> float:
            return float(network_loss(network, x, y))

        return np.array([abs(loss(site.between(each, 0.5).network) - loss(site.network)) for each in permutations])


@exact
def times(quick: bool) -> Iterator[Row]:
    """Milliseconds of a training step and of a midpoint, without compilation, for the smallest and the widest CNN."""
    for width in (8,) if quick else (8, 32):
        case = _case(width, 16 if quick else 512)
        site, walk = Site(split(case.model), "conv1"), barriers.walk(case.model, "conv1")[: STEPS if quick else 200]
        one = in_turns({"fast": partial(midpoint_changes, site, walk, case.inputs, case.targets)}, 2)["fast"]
        yield row(f"a midpoint, l={width}", 1e3 * one.seconds / len(walk), "ms")
        yield row(f"compiling midpoints, l={width}", one.compile_seconds, "s")
    for width in (8,) if quick else (8, 32):
        yield from _training_times(width, quick)


def _training_times(width: int, quick: bool) -> Iterator[Row]:
    batch, networks, steps = (16, 2, 2) if quick else (512, training.TOGETHER, STEPS)
    made = training.problem(CnnSpec(kind="cnn", channels=(width, 32)), batch, steps)
    forms = {"chosen": run_epoch} | ({"together": together} if width == 8 else {})
    runs = {form: partial(made.epoch, run, steps, networks) for form, run in forms.items()}
    with jax.default_matmul_precision("default"):
        for form, taken in in_turns(runs, 1).items():
            step = 1e3 * taken.seconds / steps / networks
            yield row(f"a training step of one of {networks} networks, l={width}, {form}", step, "ms")


def _case(width: int, batch: int) -> barriers.Case:
    return barriers.case(barriers.cnn(width), batch)


def computed(study: Study, store: Store, deadline: float, output: Path) -> Row:
    """As much of the study as there is time for; the row says how much that is, by the weights of its plan."""
    attempt, progress = Attempt(study, store), Progress(study.name)
    with attempt.parts.sole_computation():
        attempt = arranged(attempt, jax.local_device_count())
        dataset = compute(attempt, partial(until, deadline, attempt, progress, output), progress)
        output.write_bytes(encode(dataset))
        if progress.complete:
            finish(attempt, dataset)
    return row(f"{study.name}, computed", 100 * progress.last.done / progress.last.total, "%")


class Progress:
    """Hears how far the study is, and prints a line for each task that ends."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.last = StudyUpdate("", 0, "waiting", 0, 0)

    def __call__(self, update: Update) -> None:
        """Called with every update."""
        if isinstance(update, StudyUpdate):
            self.last = update
            done = f"{update.done:.0f} of {update.total:.0f}"
            print(
                f"{update.now - update.since:7.1f} s  {self.name} {done}  {update.finished}",
                file=sys.stderr,
                flush=True,
            )

    @property
    def complete(self) -> bool:
        """Whether nothing is left to do."""
        return self.last.done == self.last.total


def until(
    deadline: float, attempt: Attempt, progress: Progress, output: Path, planned: Planned, arrived: Arrived
) -> Iterator[tuple[str, AnyOutcome]]:
    """Run the missing tasks until time is up, and write what there is now and then.

    Their order is that of the plan, but for the lines between seeds, which come last: no walk waits for them.
    """
    written = time.monotonic()
    for name, task in sorted(planned.items(), key=lambda each: each[0].endswith("-pair")):
        if time.monotonic() > deadline:
            return
        if name not in arrived:
            yield name, run_task(attempt, name, task, [arrived[need] for need in task.needs], progress)
        if time.monotonic() > written + EVERY:
            output.write_bytes(encode(assemble(attempt.study, (outcome.part for outcome in arrived.values()))))
            written = time.monotonic()
