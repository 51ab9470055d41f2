"""What the tasks of a study do: train, look, walk, compare seeds. Each returns an `Outcome`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from functools import cache, lru_cache, partial
from itertools import pairwise
from threading import Lock
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from flax import nnx

from landscape.analysis.metric import PAPER_PERMUTATIONS
from landscape.barriers.walk import draw_swaps
from landscape.data import Data, load
from landscape.jobs.measurements import Probe, measurement_batches, seed_curves
from landscape.models.functional import Weights, split
from landscape.models.net2net import expand
from landscape.models.prng import Stream, stream_key
from landscape.numerics.memory import tree_bytes
from landscape.proxies import Measurement, parameters, timed_scores
from landscape.study import Study, schema
from landscape.study.examples import DataSpec
from landscape.training.fit import Epoch, Stopped, early_stopped, fit

Report = Callable[[str, int, int], None]  # what is being done, how much of it is done, how much there is


def silent(doing: str, done: int, total: int) -> None:
    """A report to nobody."""


class Outcome(NamedTuple):
    """part: some variables of the result at some coordinates; weights: by `at`, for the tasks that need them."""

    part: xr.Dataset
    weights: Mapping[str, dict[str, np.ndarray]]


def stages(study: Study) -> list[int]:
    """How many permutations a walk has behind it after each of its stages: the paper's n, up to all."""
    most = study.walk.permutations
    return [*(n for n in PAPER_PERMUTATIONS if n < most), most]


LOADING = Lock()


def examples(spec: DataSpec) -> Data:
    """The data of a study, loaded once a process, whichever of its threads asks first."""
    with LOADING:
        return _loaded(spec)


_loaded = lru_cache(maxsize=2)(load)


def initial(study: Study, seed: int, model: int = 0) -> nnx.Module:
    """The untrained base of a seed, or the untrained network of a candidate's sizes."""
    data = examples(study.data)
    spec = study.model.resized(study.group_sizes()[model])
    inputs = data.train.inputs
    shape = (inputs["tokens"] if study.data.modality == "text" else inputs).shape[1:]
    return spec.build(shape, data.classes, nnx.Rngs(stream_key(seed, Stream.INIT, model)))


def expanded(study: Study, seed: int, model: int, base: nnx.Module) -> nnx.Module:
    """A candidate at the moment of its expansion, or drawn anew (θ⁰); model 0 is the base itself."""
    if model == 0:
        return base
    if study.expansion.start == "random":
        return initial(study, seed, model)
    return expand(base, study.candidates[model - 1], study.expansion, stream_key(seed, Stream.EXPAND, model))


def with_weights(model: nnx.Module, weights: Mapping[str, jax.Array | np.ndarray]) -> nnx.Module:
    """A module of the same structure with other weights."""
    return split(model).replace(jax.tree.map(jnp.asarray, dict(weights))).module()


def at(seed: int, epoch: int) -> str:
    """Where a seed's network is so many epochs after the expansion, as a name among weights; φ* is at epoch 0."""
    return f"seed{seed}-epoch{epoch}"


def spoken(seeds: range) -> str:
    """Seeds in words."""
    return f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {seeds[0]} to {seeds[-1]}"


def base_task(study: Study, seeds: range, *, report: Report = silent) -> Outcome:
    """Train the bases of some seeds until early stopping: φ*."""
    clock, training = Clock(), study.training
    _check_walks(study, seeds)
    starts = [initial(study, seed) for seed in seeds]
    doing = partial(report, f"{spoken(seeds)}: training the base, epoch")
    keys = [stream_key(seed, Stream.TRAIN, 0) for seed in seeds]
    epochs = fit(starts, examples(study.data), training, training.base_epochs, keys, doing)
    ends = early_stopped(epochs, training.patience, partial(performance, study))
    weights = {at(seed, 0): to_numpy(end.best.weights) for seed, end in zip(seeds, ends, strict=True)}
    seconds = clock.lap() / len(seeds)

    def part(seed: int, end: Stopped) -> xr.Dataset:
        return schema.part(
            study,
            {"seed": seed, "model": schema.BASE},
            base_stop=np.array(end.best.epoch),
            parameters=np.array(parameters(starts[0])),
            **spent(train=seconds),
            **{f"base_{name}": values for name, values in table(end.history).items() if name != "sotl_e"},
        )

    return Outcome(joined(part(seed, end) for seed, end in zip(seeds, ends, strict=True)), weights)


def _check_walks(study: Study, seeds: range) -> None:
    """Raises ValueError for a batch that is too large, or too few units for so many distinct steps, before anything is
    trained.
    """
    measurement_batches(study, examples(study.data))
    walk = study.walk
    for model, sizes in enumerate(study.group_sizes()) if walk.distinct else ():
        for seed in seeds:
            draw_swaps(stream_key(seed, Stream.WALK, model), walk.permutations, sizes[walk.group], distinct=True)


def candidate_task(study: Study, model: int, seeds: range, bases: Outcome, *, report: Report = silent) -> Outcome:
    """Expand the bases of some seeds and train the candidates for T epochs, keeping the weights of checkpoints."""
    clock, name, training = Clock(), study.labels[model - 1], study.training
    starts = [network_at(study, 0, bases.weights[at(seed, 0)]) for seed in seeds]
    starts = [expanded(study, seed, model, start) for seed, start in zip(seeds, starts, strict=True)]
    doing = partial(report, f"{spoken(seeds)}: {name}, epoch")
    keys = [stream_key(seed, Stream.TRAIN, model) for seed in seeds]
    histories: list[list[Epoch]] = [[] for _ in seeds]
    weights = {}
    for reached in fit(starts, examples(study.data), training, training.epochs, keys, doing):
        for seed, epoch, history in zip(seeds, reached, histories, strict=True):
            history.append(epoch._replace(weights={}))
            if epoch.epoch in {*study.checkpoints, training.epochs}:
                weights[at(seed, epoch.epoch)] = to_numpy(epoch.weights)
    seconds = clock.lap() / len(seeds)

    def part(seed: int, history: list[Epoch]) -> xr.Dataset:
        return schema.part(
            study,
            {"seed": seed, "candidate": name, "model": name},
            parameters=np.array(parameters(starts[0])),
            **spent(train=seconds),
            **table(history),
        )

    return Outcome(joined(part(seed, history) for seed, history in zip(seeds, histories, strict=True)), weights)


def network_at(study: Study, model: int, weights: Mapping[str, np.ndarray]) -> nnx.Module:
    """A model of the study with these weights."""
    return with_weights(structure(study, model), weights)


@cache
def structure(study: Study, model: int) -> nnx.Module:
    """A model with shapes in place of its weights."""
    network = split(expanded(study, 0, model, initial(study, 0)))
    return jax.tree.map(lambda array: jax.ShapeDtypeStruct(array.shape, array.dtype), network).module()


def kept_bytes(study: Study) -> int:
    """Of the weights that training one seed of the largest model keeps."""
    epochs = {*study.checkpoints, study.training.epochs}
    return len(epochs) * max(tree_bytes(split(structure(study, i)).weights) for i in range(len(study.labels) + 1))


def probe(study: Study, model: int, seed: int) -> Probe:
    """The walk of one model of one seed."""
    key = stream_key(seed, Stream.WALK, model)
    return Probe(study, structure(study, model), key, *measurement_batches(study, examples(study.data)))


def look_task(study: Study, model: int, seed: int, trained: Outcome, *, report: Report = silent) -> Outcome:
    """What is measured of a network beside its walk: zero-cost proxies of a candidate at its expansion, curves between
    the walk's first nodes and their distances, and for seed 0 the surface, at the start and at the end of training.
    """
    clock, walk, name = Clock(), probe(study, model, seed), model_name(study, model)
    epochs = (0, study.training.epochs) if model else (0,)
    networks = [network_at(study, model, trained.weights[at(seed, epoch)]) for epoch in epochs]
    found = proxies(networks[0], walk) if model else {}
    seconds = {"proxies": clock.lap()}
    found["curve"] = np.stack([walk.curves(network) for network in networks])
    found["node_distance"] = np.stack([walk.distances(network) for network in networks])
    if study.walk.surface and seed == 0:  # one surface is looked at, and each is many forward passes
        found["surface"] = np.stack([walk.surface(network, study.walk.surface) for network in networks])
    seconds["curves"] = clock.lap()
    report(f"seed {seed}: {name}, looked at", 1, 1)
    return Outcome(schema.part(study, place(study, model, seed), **spent(**seconds), **found), {})


def proxies(network: nnx.Module, walk: Probe) -> dict[str, np.ndarray | xr.DataArray]:
    """The zero-cost proxies and their times, as variables of the result."""
    scores = timed_scores(network, walk.train.inputs, walk.train.targets)
    names = {"proxy": "value", "proxy_seconds": "seconds", "proxy_compile_seconds": "compile_seconds"}
    return {name: of_scores(scores, field) for name, field in names.items()}


def walk_task(
    study: Study, model: int, seed: int, stage: int, trained: Outcome, *earlier: Outcome, report: Report = silent
) -> Outcome:
    """Walk a network from one stage to the next, at every checkpoint; the walk right after the expansion is timed."""
    clock, walk, n = Clock(), probe(study, model, seed), stages(study)[stage]
    epochs = study.checkpoints if model else [0]
    known, before = _walked(earlier[0].part, model) if earlier else ([np.empty(0)] * len(epochs), {})
    barriers = []
    for i, (epoch, some) in enumerate(zip(epochs, known, strict=True)):
        doing = partial(_of_many, report, f"seed {seed}: {model_name(study, model)}, barriers", i, len(epochs))
        network = network_at(study, model, trained.weights[at(seed, epoch)])
        if epoch == 0:
            timed = walk.timed_barriers(network, n, some, doing)
            barriers.append(timed.barriers)
        else:
            barriers.append(walk.barriers(network, n, some, doing))
    found = {"barrier": np.stack(barriers)} if model else {"base_barrier": barriers[0]}
    if model:
        found["walk_seconds"] = np.array(before.get("walk_seconds", 0.0) + timed.seconds)
        found["walk_compile_seconds"] = np.array(before.get("walk_compile_seconds", timed.compile_seconds))
    seconds = before.get("barriers", 0.0) + clock.lap()
    part = schema.part(
        study,
        place(study, model, seed),
        swaps=walk.swaps[:n],
        width=np.array(walk.width),
        **spent(barriers=seconds),
        **found,
    )
    return Outcome(part, {})


def _of_many(report: Report, doing: str, walk: int, walks: int, done: int, total: int) -> None:
    """How much of all walks is done."""
    report(f"{doing} of checkpoint {walk + 1} of {walks}, midpoint", walk * total + done, walks * total)


def _walked(part: xr.Dataset, model: int) -> tuple[list[np.ndarray], dict[str, float]]:
    """The barriers of a stage at each checkpoint, and the times until then."""
    times = {name: part[name].item() for name in ("walk_seconds", "walk_compile_seconds") if name in part}
    times["barriers"] = part["seconds"].item()
    barriers = part["barrier" if model else "base_barrier"].values
    return list(barriers.reshape(-1, barriers.shape[-1])), times


def seeds_task(study: Study, model: int, *trained: Outcome, report: Report = silent) -> Outcome:
    """Lines between separately trained seeds s and s + 1, as trained and after weight matching."""
    batches = measurement_batches(study, examples(study.data))
    homes = {name: outcome.weights for outcome in trained for name in outcome.weights}
    epochs = (0, study.training.epochs) if model else (0,)
    curves = np.empty((len(epochs), study.seeds - 1, len(schema.ALIGNMENTS), len(batches), len(schema.ALPHAS)))
    for first, second in pairwise(range(study.seeds)):
        for i, epoch in enumerate(epochs):
            start, end = (homes[name][name] for name in (at(first, epoch), at(second, epoch)))
            curves[i, first] = seed_curves(study, structure(study, model), start, end, batches)
        report(f"{model_name(study, model)}: aligning seeds, pair", first + 1, study.seeds - 1)
    return Outcome(schema.part(study, {"model": model_name(study, model)}, seed_curve=curves), {})


def model_name(study: Study, model: int) -> str:
    """Of a model, in the result."""
    return study.labels[model - 1] if model else schema.BASE


def place(study: Study, model: int, seed: int) -> dict[str, int | str]:
    """Where in the result one network belongs."""
    name = model_name(study, model)
    where: dict[str, int | str] = {"seed": seed, "model": name}
    return where | {"candidate": name} if model else where


def joined(parts: Iterable[xr.Dataset]) -> xr.Dataset:
    """Parts of several seeds as one."""
    return xr.concat(list(parts), "seed", join="outer", data_vars="minimal", coords="minimal", compat="equals")


def performance(study: Study, epoch: Epoch) -> float:
    """A: what early stopping looks at; −validation loss orders language models as −log of it does."""
    return float(-epoch.validation_loss if study.data.modality == "text" else epoch.validation_accuracy)


def table(history: Iterable[Epoch]) -> dict[str, np.ndarray]:
    """The numbers of training epochs, one array a quantity."""
    rows = list(history)
    names = ("train_loss", "sotl_e", "validation_loss", "validation_accuracy")
    return {name: np.array([getattr(row, name) for row in rows]) for name in names}


def of_scores(scores: Mapping[str, Measurement], field: str) -> xr.DataArray:
    """One field of the proxies' measurements."""
    values = [getattr(score, field) for score in scores.values()]
    return xr.DataArray(values, {"predictor": list(scores)}, ["predictor"])


def to_numpy(weights: Weights) -> dict[str, np.ndarray]:
    """Weights off the device."""
    return jax.tree.map(np.asarray, weights)


def spent(**seconds: float) -> dict[str, xr.DataArray]:
    """The variable `seconds`, of some phases."""
    return {"seconds": xr.DataArray(list(seconds.values()), {"phase": list(seconds)}, ["phase"])}


class Clock:
    """Wall time between laps, compilation included."""

    def __init__(self) -> None:
        self._last = time.perf_counter()

    def lap(self) -> float:
        """Seconds since the last lap, or since the clock was started."""
        now = time.perf_counter()
        seconds, self._last = now - self._last, now
        return seconds
