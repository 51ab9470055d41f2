"""A complete, plausible result of a study without training anything, for tests of the viewing side."""

from __future__ import annotations

import numpy as np
import xarray as xr

from landscape.study import Study, validated
from landscape.study.schema import ALPHAS, empty

PARAMETERS_PER_UNIT = 75


def small_study(**sizes: int) -> Study:
    """Three candidates of a base of 6 units, in sizes that make tests fast."""
    content = {
        "name": "synthetic",
        "model": {"kind": "mlp", "hidden": [6]},
        "candidates": [[{"widen": "hidden1", "size": size}] for size in (8, 12, 18)],
        "training": {"base_epochs": 8, "epochs": 12},
        "walk": {"group": "hidden1", "permutations": 60, "checkpoints": 5, "nodes": 5},
        "seeds": 4,
    }
    return validated(content).scaled(**sizes)


def synthetic(study: Study, rng: np.random.Generator) -> xr.Dataset:
    """Every variable filled: wider candidates have lower barriers and gain more, with noise between seeds.

    Some barriers are exactly zero and some are ties, as on a narrow layer; curves join to the walk's barriers.
    """
    dataset = empty(study)
    widths = np.array([sizes[study.walk.group] for sizes in study.group_sizes()])
    growth = widths[1:] / widths[0]
    _fill_barriers(dataset, growth, rng)
    _fill_training(dataset, growth, rng)
    _fill_walk(dataset, widths, rng)
    _fill_curves(dataset, rng)
    _fill_surface(dataset, rng)
    _fill_predictors(dataset, growth, rng)
    if study.has_control:
        _fill_control(dataset)
    _fill_copies(dataset)
    if study.walk.sharpness:
        _fill_hessian(dataset)
    if study.walk.batches:
        _fill_batches(dataset, rng)
    dataset["parameters"].values[:] = PARAMETERS_PER_UNIT * widths + 10
    dataset["width"].values[:] = widths
    dataset["seconds"].values[:] = rng.uniform(0.1, 3, dataset["seconds"].shape)
    return dataset


def without(dataset: xr.Dataset, **where: object) -> xr.Dataset:
    """A copy in which everything at some coordinates is missing, as `candidate="hidden1 → 8", seed=3`.

    A candidate also goes as a model. Variables that lack one of the dimensions keep their values.
    """
    partial = dataset.copy(deep=True)
    as_model = {"model" if dim == "candidate" else dim: value for dim, value in where.items()}
    for variable in partial.data_vars.values():
        for place in (where, as_model):
            if set(place) <= set(variable.dims):
                missing = np.nan if np.issubdtype(variable.dtype, np.floating) else -1
                variable.loc[place] = missing
    return partial


def _fill_barriers(dataset: xr.Dataset, growth: np.ndarray, rng: np.random.Generator) -> None:
    sizes = dataset.sizes
    base = rng.exponential(0.05, (sizes["seed"], sizes["permutation"]))
    late = 1 + np.linspace(0, 1, sizes["checkpoint"])[:, None]
    candidates = rng.exponential(1, dataset["barrier"].shape) * (0.05 / growth[:, None, None]) * late
    for values, name in ((base, "base_barrier"), (candidates, "barrier")):
        values[..., ::17] = 0
        values[..., 5::13] = values[..., 5:6]
        dataset[name].values[:] = values


def _fill_training(dataset: xr.Dataset, growth: np.ndarray, rng: np.random.Generator) -> None:
    rise = 1 - np.exp(-dataset["base_epoch"].values / 3)
    dataset["base_validation_accuracy"].values[:] = 0.1 + 0.8 * rise
    dataset["base_validation_loss"].values[:] = 2.3 - 1.8 * rise
    dataset["base_train_loss"].values[:] = 2.3 - 1.9 * rise
    dataset["base_stop"].values[:] = dataset["base_epoch"].values[-2]
    base = dataset[["base_validation_accuracy", "base_validation_loss"]].isel(base_epoch=-2)
    later = 1 - np.exp(-dataset["epoch"].values / 4)  # 0 at the expansion
    gain = 0.02 * growth[:, None] * later * rng.uniform(0.5, 1.5, (dataset.sizes["seed"], len(growth), 1))
    dataset["validation_accuracy"].values[:] = base["base_validation_accuracy"].values[:, None, None] + gain
    dataset["validation_loss"].values[:] = base["base_validation_loss"].values[:, None, None] * np.exp(-3 * gain)
    dataset["train_loss"].values[:] = 0.5 * np.exp(-5 * gain)
    dataset["sotl_e"].values[:] = 5 * np.exp(-5 * gain)


def _fill_control(dataset: xr.Dataset) -> None:
    """The control gains three quarters of what the first candidate does, and its barriers grow from the base's."""
    for name in ("validation_accuracy", "validation_loss", "train_loss", "sotl_e"):
        first = dataset[name].isel(candidate=0).values
        start = first[:, :1] if name.startswith("validation") else 0
        dataset[f"control_{name}"].values[:] = start + 0.75 * (first - start)
    late = 1 + np.linspace(0, 1, dataset.sizes["checkpoint"])[:, None]
    dataset["control_barrier"].values[:] = dataset["base_barrier"].values[:, None] * late
    dataset["control_seconds"].loc[{"phase": ["train", "barriers"]}] = 1.0


def _fill_copies(dataset: xr.Dataset) -> None:
    """Copies start at their originals and part slowly, in some seeds sooner."""
    late = np.linspace(0, 1, dataset.sizes["checkpoint"]) * (1 + dataset["seed"].values[:, None, None])
    dataset["copy_cosine"].values[:] = 1 - 0.01 * late
    dataset["least_copy_cosine"].values[:] = 1 - 0.03 * late


def _fill_hessian(dataset: xr.Dataset) -> None:
    """The loss gets sharper as training goes on, of the control as well, which starts at the base."""
    late = 1 + np.linspace(0, 1, dataset.sizes["checkpoint"]) * (1 + dataset["seed"].values[:, None])
    for name, level in (("sharpness", 5.0), ("hessian_trace", 20.0), ("hessian_trace_error", 1.0)):
        dataset[name].values[:] = level * late[:, None]
        dataset[f"base_{name}"].values[:] = level
        if dataset["control_barrier"].notnull().any():
            dataset[f"control_{name}"].values[:] = level * late


def _fill_batches(dataset: xr.Dataset, rng: np.random.Generator) -> None:
    """Eight batches of the first size, one of the second; of validation examples seven and none."""
    start = {"base_batch_barrier": dataset["base_barrier"], "batch_barrier": dataset["barrier"].isel(checkpoint=0)}
    for name, barriers in start.items():
        values = barriers.values[..., None, None, None, :] * rng.uniform(0.9, 1.1, dataset[name].shape)
        values[..., 0, 1, 1:, :] = values[..., 1, 0, 7:, :] = values[..., 1, 1, :, :] = np.nan
        dataset[name].values[:] = values


def _fill_walk(dataset: xr.Dataset, widths: np.ndarray, rng: np.random.Generator) -> None:
    swaps = dataset["swaps"].values
    for model, width in enumerate(widths):
        pairs = int(np.ceil(np.log2(width)))
        swaps[:, model, :, :pairs] = rng.integers(0, width, swaps[:, model, :, :pairs].shape)
    places = rng.normal(size=(*dataset["node_distance"].shape[:4], 6))
    apart = np.linalg.norm(places[..., None, :] - places[..., None, :, :], axis=-1)
    dataset["node_distance"].values[:] = apart
    dataset["node_distance"].loc[{"model": "base", "moment": "end"}] = np.nan


def _fill_curves(dataset: xr.Dataset, rng: np.random.Generator) -> None:
    """Parabolas over a common level; the base has no curves at the end."""
    bump = 4 * ALPHAS * (1 - ALPHAS)
    height = rng.exponential(0.05, (*dataset["curve"].shape[:-2], 1, 1))
    level = np.array([0.3, 0.4])[:, None]  # train, validation
    dataset["curve"].values[:] = level + height * bump
    shape = dataset["seed_curve"].shape
    dataset["seed_curve"].values[:] = level + rng.uniform(0.2, 1, (*shape[:-2], 1, 1)) * bump + 0.05 * ALPHAS
    dataset["curve"].loc[{"model": "base", "moment": "end"}] = np.nan
    dataset["seed_curve"].loc[{"model": "base", "moment": "end"}] = np.nan


def _fill_surface(dataset: xr.Dataset, rng: np.random.Generator) -> None:
    """A bowl over a level; the base has none at the end."""
    side = np.linspace(-1, 1, dataset.sizes["surface_x"])
    steepness = rng.uniform(0.2, 1, (*dataset["surface"].shape[:2], 1, 1))
    dataset["surface"].values[:] = 0.3 + steepness * (side**2 + side[:, None] ** 2)
    dataset["surface"].loc[{"model": "base", "moment": "end"}] = np.nan


def _fill_predictors(dataset: xr.Dataset, growth: np.ndarray, rng: np.random.Generator) -> None:
    """GradNorm grows with the width, SNIP is equal up to rounding, the others are noise; all take their time."""
    scores = dataset["proxy"]
    scores.values[:] = rng.uniform(0.5, 2, scores.shape)
    scores.loc[{"predictor": "grad_norm"}] = growth * rng.uniform(0.9, 1.1, (dataset.sizes["seed"], len(growth)))
    scores.loc[{"predictor": "snip"}] = 3 + 1e-6 * rng.uniform(size=(dataset.sizes["seed"], len(growth)))
    for name in ("proxy_seconds", "proxy_compile_seconds", "walk_seconds", "walk_compile_seconds"):
        dataset[name].values[:] = rng.uniform(0.1, 2, dataset[name].shape)
