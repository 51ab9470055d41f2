"""A result in numbers: the table of the command line, and long tables for a spreadsheet or a script."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import xarray as xr

from landscape.analysis.correlation import RANGE, predictor_correlation
from landscape.analysis.intervals import over_seeds
from landscape.analysis.metric import initial_metric, manifold_metric
from landscape.analysis.performance import MEASURES, Measure, best_gain, gain
from landscape.analysis.walks import checked_n

Q = 0.4  # of the paper's main figures

Estimate = dict[str, float | None]  # mean, low, high of the 95 % interval over seeds; None where unknown


def summary(dataset: xr.Dataset, q: float = Q, n: int | None = None) -> dict[str, Any]:
    """M₀ in percent, G*_T by each measure, and Kendall's τ of each predictor with G*_T, as plain data.

    `n=None` takes every permutation computed. Raises ValueError for q or n out of range.
    """
    n = checked_n(dataset, n)
    metric = over_seeds(initial_metric(dataset, q, n))
    gains = {measure: over_seeds(best_gain(dataset, measure)) for measure in MEASURES}
    ranks = {measure: over_seeds(predictor_correlation(dataset, q, n, measure), within=RANGE) for measure in MEASURES}
    candidates = [
        {
            "candidate": name,
            "width": _count(dataset["width"].sel(model=name)),
            "parameters": _count(dataset["parameters"].sel(model=name)),
            "M0": _estimate(metric.sel(candidate=name)),
            "best_gain": {measure: _estimate(each.sel(candidate=name)) for measure, each in gains.items()},
        }
        for name in dataset["candidate"].values.tolist()
    ]
    kendall = {
        predictor: {measure: _estimate(each.sel(predictor=predictor)) for measure, each in ranks.items()}
        for predictor in ranks["accuracy"]["predictor"].values.tolist()
    }
    about = {name: dataset.attrs[name] for name in ("key", "name", "title")}
    sizes = {"q": q, "n": n, "seeds": dataset.sizes["seed"], "epochs": int(dataset["epoch"].max())}
    return about | sizes | {"candidates": candidates, "kendall": kendall}


def long_table(dataset: xr.Dataset, q: float = Q, n: int | None = None) -> pd.DataFrame:
    """One row a seed, candidate and epoch at which the walk was measured; missing values are NaN.

    Raises ValueError for q or n out of range.
    """
    n = checked_n(dataset, n)
    metric = manifold_metric(dataset, q, n).rename(checkpoint="epoch")
    at = dataset.sel(epoch=metric["epoch"])
    models = dataset.sel(model=dataset["candidate"].values).drop_vars("model").rename(model="candidate")
    columns = {
        "width": models["width"],
        "parameters": models["parameters"],
        "q": q,
        "n": n,
        "metric_percent": metric,
        "gain_accuracy_points": _gain(dataset, "accuracy").sel(epoch=metric["epoch"]),
        "gain_negative_log_loss": _gain(dataset, "negative log loss").sel(epoch=metric["epoch"]),
        "validation_accuracy": at["validation_accuracy"],
        "validation_loss_nats": at["validation_loss"],
        "train_loss_nats": at["train_loss"],
    }
    rows = xr.Dataset({name: xr.DataArray(values) for name, values in columns.items()})
    return rows.drop_vars(set(rows.coords) - {"seed", "candidate", "epoch"}).to_dataframe(
        ["seed", "candidate", "epoch"]
    )


def _gain(dataset: xr.Dataset, measure: Measure) -> xr.DataArray:
    return gain(dataset, measure).drop_attrs()


def _estimate(found: xr.Dataset) -> Estimate:
    values = {name: float(found[name]) for name in ("mean", "low", "high")}
    return {name: None if math.isnan(value) else value for name, value in values.items()}


def _count(value: xr.DataArray) -> int | None:
    return None if int(value) < 0 else int(value)
