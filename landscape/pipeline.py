"""A study as tasks, and their outcomes as one labelled result.

Each seed trains a base; each candidate of a seed starts from that base; each model is compared across seeds
once all seeds have it. A task returns an `Outcome`: the part of the result that it computed, and the weights
that later tasks need. Tasks are plain functions of the study and of earlier outcomes, so any engine can run
them in any order that respects `needs`, here or elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from itertools import pairwise
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from flax import nnx

from landscape import result
from landscape.data import Data, load
from landscape.expand import expand
from landscape.keys import Stream, stream_key
from landscape.models import build
from landscape.probe import Probe, measurement_batches, seed_curves
from landscape.proxies import Measurement, parameters, timed_scores
from landscape.study import DataSpec, Study, TextSpec
from landscape.train import Epoch, early_stopped, fit
from landscape.weights import Weights, merge, split

Report = Callable[[str, int, int], None]  # what is being done, how much of it is done, how much there is


def silent(doing: str, done: int, total: int) -> None:
    """A report to nobody."""


class Outcome(NamedTuple):
    """part: some variables of the result at some coordinates; weights: by stage, for the tasks that need them."""

    part: xr.Dataset
    weights: dict[str, dict[str, np.ndarray]]


class Task(NamedTuple):
    """`run(*outcomes, report=...)` with the outcomes of the tasks named in `needs`; `weight` is its relative cost."""

    run: Callable[..., Outcome]
    needs: tuple[str, ...] = ()
    weight: float = 1.0


def tasks(study: Study) -> dict[str, Task]:
    """Every task of a study by name, in an order in which they can run."""
    planned = {}
    models = range(len(study.labels) + 1)
    for seed in range(study.seeds):
        base = f"seed{seed}-base"
        planned[base] = Task(partial(base_task, study, seed), (), float(study.training.base_epochs))
        for model in models[1:]:
            run = partial(candidate_task, study, seed, model)
            planned[f"seed{seed}-candidate{model}"] = Task(run, (base,), float(study.training.epochs + 1))
    for model in models if study.seeds > 1 else ():
        name = f"candidate{model}" if model else "base"
        needs = tuple(f"seed{seed}-{name}" for seed in range(study.seeds))
        planned[f"seeds-{name}"] = Task(partial(seeds_task, study, model), needs, 1.0)
    return planned


def compute(study: Study, report: Report = silent, keep: Callable[[str, Outcome], None] | None = None) -> xr.Dataset:
    """Run every task in this process and assemble the result; `keep` receives each outcome as it arrives."""
    outcomes: dict[str, Outcome] = {}
    for name, task in tasks(study).items():
        outcomes[name] = task.run(*(outcomes[need] for need in task.needs), report=report)
        if keep is not None:
            keep(name, outcomes[name])
    return result.assemble(study, (outcome.part for outcome in outcomes.values()))


@cache
def examples(spec: DataSpec) -> Data:
    """The data of a study, loaded once a process."""
    return load(spec)


def initial(study: Study, seed: int, model: int = 0) -> nnx.Module:
    """The untrained base of a seed, or the untrained network of a candidate's sizes."""
    data = examples(study.data)
    spec = study.model.resized(study.group_sizes()[model])
    inputs = data.train.inputs
    shape = (inputs["tokens"] if isinstance(study.data, TextSpec) else inputs).shape[1:]
    return build(spec, shape, data.classes, nnx.Rngs(stream_key(seed, Stream.INIT, model)))


def expanded(study: Study, seed: int, model: int, base: nnx.Module) -> nnx.Module:
    """A candidate at the moment of its expansion, or drawn anew (θ⁰); model 0 is the base itself."""
    if model == 0:
        return base
    if study.expansion.start == "random":
        return initial(study, seed, model)
    return expand(base, study.candidates[model - 1], study.expansion, stream_key(seed, Stream.EXPAND, model))


def with_weights(model: nnx.Module, weights: Mapping[str, jax.Array | np.ndarray]) -> nnx.Module:
    """A module of the same structure with other weights."""
    return merge(split(model)[0], jax.tree.map(jnp.asarray, dict(weights)))


def base_task(study: Study, seed: int, *, report: Report = silent) -> Outcome:
    """Train the base until early stopping and walk it: φ*, B* and the curves between its copies."""
    clock, training = Clock(), study.training
    batches = measurement_batches(study, examples(study.data))
    start = initial(study, seed)
    doing = partial(report, f"seed {seed}: training the base, epoch")
    epochs = fit(start, examples(study.data), training, training.base_epochs, stream_key(seed, Stream.TRAIN, 0), doing)
    best, history = early_stopped(epochs, training.patience, partial(performance, study))
    clock.lap("train")

    model = with_weights(start, best.weights)
    probe = Probe(study, model, stream_key(seed, Stream.WALK, 0), *batches)
    barriers = probe.barriers(model, partial(report, f"seed {seed}: barriers of the base, midpoint"))
    clock.lap("barriers")
    curves = probe.curves(model)[None]
    surface = surfaces(study, seed, probe, [model])
    clock.lap("curves")

    part = result.part(
        study,
        {"seed": seed, "model": result.BASE},
        base_barrier=barriers,
        base_stop=np.array(best.epoch),
        curve=curves,
        node_distance=probe.distances(model)[None],
        swaps=probe.swaps,
        width=np.array(probe.width),
        parameters=np.array(parameters(model)),
        seconds=clock.seconds(),
        **surface,
        **{f"base_{name}": values for name, values in table(history).items() if name != "sotl_e"},
    )
    return Outcome(part, {"start": to_numpy(best.weights)})


def candidate_task(study: Study, seed: int, model: int, base: Outcome, *, report: Report = silent) -> Outcome:
    """Expand the base, train the candidate for T epochs and walk it at every checkpoint."""
    clock, name = Clock(), study.labels[model - 1]
    start = expanded(study, seed, model, with_weights(initial(study, seed), base.weights["start"]))
    probe = Probe(study, start, stream_key(seed, Stream.WALK, model), *measurement_batches(study, examples(study.data)))
    scores = timed_scores(start, probe.train.inputs, probe.train.targets)
    clock.lap("proxies")
    history, barriers = [], []
    training = study.training
    doing = partial(report, f"seed {seed}: {name}, epoch")
    shuffle = stream_key(seed, Stream.TRAIN, model)
    for epoch in fit(start, examples(study.data), training, training.epochs, shuffle, doing):
        jax.block_until_ready(epoch)  # JAX hands out results before they are there
        clock.lap("train")
        history.append(epoch._replace(weights={}))
        if epoch.epoch in study.checkpoints:
            doing_barriers = partial(report, f"seed {seed}: {name}, barriers at epoch {epoch.epoch}, midpoint")
            if epoch.epoch == 0:
                walked = probe.timed_barriers(start, doing_barriers)
                barriers.append(walked.barriers)
            else:
                barriers.append(probe.barriers(with_weights(start, epoch.weights), doing_barriers))
            clock.lap("barriers")
    stages = [start, with_weights(start, epoch.weights)]
    curves = np.stack([probe.curves(stage) for stage in stages])
    surface = surfaces(study, seed, probe, stages)
    clock.lap("curves")

    part = result.part(
        study,
        {"seed": seed, "candidate": name, "model": name},
        barrier=np.stack(barriers),
        curve=curves,
        node_distance=np.stack([probe.distances(stage) for stage in stages]),
        swaps=probe.swaps,
        width=np.array(probe.width),
        parameters=np.array(parameters(start)),
        proxy=of_scores(scores, "value"),
        proxy_seconds=of_scores(scores, "seconds"),
        proxy_compile_seconds=of_scores(scores, "compile_seconds"),
        walk_seconds=np.array(walked.seconds),
        walk_compile_seconds=np.array(walked.compile_seconds),
        seconds=clock.seconds(),
        **surface,
        **table(history),
    )
    weights = {stage: to_numpy(split(at)[1]) for stage, at in zip(result.STAGES, stages, strict=True)}
    return Outcome(part, weights)


def surfaces(study: Study, seed: int, probe: Probe, stages: list[nnx.Module]) -> dict[str, np.ndarray]:
    """The variable `surface` (stage, y, x): of seed 0 only, since one is looked at and each is many forward passes."""
    points = study.walk.surface
    return {"surface": np.stack([probe.surface(stage, points) for stage in stages])} if points and seed == 0 else {}


def seeds_task(study: Study, model: int, *outcomes: Outcome, report: Report = silent) -> Outcome:
    """Lines between separately trained seeds s and s + 1, as trained and after weight matching."""
    batches = measurement_batches(study, examples(study.data))
    shape = expanded(study, 0, model, initial(study, 0))
    stages = list(outcomes[0].weights)
    curves = np.empty((len(stages), len(outcomes) - 1, len(result.ALIGNMENTS), len(batches), len(result.ALPHAS)))
    name = ([result.BASE, *study.labels])[model]
    for pair, (first, second) in enumerate(pairwise(outcomes)):
        for i, stage in enumerate(stages):
            curves[i, pair] = seed_curves(shape, first.weights[stage], second.weights[stage], batches)
        report(f"{name}: aligning seeds, pair", pair + 1, len(outcomes) - 1)
    return Outcome(result.part(study, {"model": name}, seed_curve=curves), {})


def performance(study: Study, epoch: Epoch) -> float:
    """A: what early stopping looks at; −validation loss orders language models as −log of it does."""
    return float(-epoch.validation_loss if isinstance(study.data, TextSpec) else epoch.validation_accuracy)


def table(history: Iterable[Epoch]) -> dict[str, np.ndarray]:
    """The numbers of training epochs, one array a quantity."""
    rows = list(history)
    names = ("train_loss", "sotl_e", "validation_loss", "validation_accuracy")
    return {name: np.array([getattr(row, name) for row in rows]) for name in names}


def of_scores(scores: Mapping[str, Measurement], field: str) -> np.ndarray:
    """One field of the proxies' measurements, in the order of `result.PROXIES`."""
    return np.array([getattr(scores[name], field) for name in result.PROXIES])


def to_numpy(weights: Weights) -> dict[str, np.ndarray]:
    """Weights off the device."""
    return jax.tree.map(np.asarray, weights)


class Clock:
    """Wall time by phase, compilation included."""

    def __init__(self) -> None:
        self._last = time.perf_counter()
        self._laps = dict.fromkeys(result.PHASES, 0.0)

    def lap(self, phase: str) -> None:
        """Book the time since the last lap to a phase."""
        now = time.perf_counter()
        self._laps[phase] += now - self._last
        self._last = now

    def seconds(self) -> np.ndarray:
        """Seconds in the order of `result.PHASES`."""
        return np.array([self._laps[phase] for phase in result.PHASES])
