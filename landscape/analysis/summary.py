"""A result in numbers: the summary that the command line prints, and a long table, and CSV files."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pandas as pd
import xarray as xr

from landscape.analysis.control import control_as_candidate, control_gain, excess_gain, has_control
from landscape.analysis.divergence import diverged
from landscape.analysis.intervals import metric_over_seeds, over_seeds
from landscape.analysis.metric import manifold_metric
from landscape.analysis.performance import MEASURES, Measure, best_gain, gain
from landscape.analysis.ranking.correlation import RANGE, predictor_correlation
from landscape.analysis.ranking.evidence import too_few
from landscape.analysis.ranking.partial_correlation import predictor_partial_correlation
from landscape.analysis.ranking.regret import RANGE as REGRETS
from landscape.analysis.ranking.regret import predictor_regret, random_regret
from landscape.analysis.walks import checked_n
from landscape.study.predictors import PARAMETERS

Q = 0.4  # the quantile of the paper's main figures

# `mean`, and `low` and `high` of its 95 % interval over seeds; None where they are not finite.
Estimate = dict[str, float | None]


def summary(dataset: xr.Dataset, q: float = Q, n: int | None = None) -> dict[str, Any]:
    """What `python -m landscape show` prints: M₀ and G*_T of each candidate, and how well each predictor does.

    Args:
      dataset: a result, as `landscape.open_study` returns it.
      q: the quantile of the base's barriers that is the threshold, strictly between 0 and 1.
      n: how many permutations count; None takes every one that was computed.

    Returns:
      Plain data, ready for JSON. `candidates` lists for each candidate its width, its number of parameters, M0 in
      percent and, by each measure, best_gain and excess_gain, which is what it gains beyond the control. `control` is
      the best_gain of the control by each measure, or None in a study without a control. `kendall` maps each predictor
      and each measure to the correlation with the best gain, which is also that with the excess, `partial_kendall` to
      the same given the parameter count. `regret` holds, by each measure, the gain lost by the pick of each of the
      `predictors`, by a `random` pick and by the `largest` candidate. Each of these numbers is a mean over seeds with
      the bounds of its 95 % interval, None where it is not finite; partial correlations and regrets also have the
      number of `seeds` in which they are defined. Where networks diverged, `diverged` lists them.

    Raises:
      ValueError: if q or n is out of range.

    Example:
      >>> import landscape
      >>> from landscape.analysis.summary import summary
      >>> widest = summary(landscape.open_study("digits-mlp"))["candidates"][-1]
      >>> widest["candidate"], round(widest["M0"]["mean"], 1), round(widest["best_gain"]["accuracy"]["mean"], 1)
      ('hidden1 → 18', 52.6, 3.9)

    References:
      Malviya et al. (2024), arXiv 2405.15895, sections 3.3, 4.1 and 4.2; Kendall, "Partial rank correlation",
      Biometrika 32 (1942). Control and regret are ours.
    """
    n = checked_n(dataset, n)
    metric = metric_over_seeds(dataset, q, n)
    gains = {measure: over_seeds(best_gain(dataset, measure)) for measure in MEASURES}
    excesses = {measure: over_seeds(excess_gain(dataset, measure)) for measure in MEASURES}
    controls = {measure: _estimate(over_seeds(control_gain(dataset, measure))) for measure in MEASURES}
    candidates = [
        {
            "candidate": name,
            "width": _count(dataset["width"].sel(model=name)),
            "parameters": _count(dataset["parameters"].sel(model=name)),
            "M0": _estimate(metric.sel(candidate=name)),
            "best_gain": {measure: _estimate(each.sel(candidate=name)) for measure, each in gains.items()},
            "excess_gain": {measure: _estimate(each.sel(candidate=name)) for measure, each in excesses.items()},
        }
        for name in dataset["candidate"].values.tolist()
    ]
    about = {name: dataset.attrs[name] for name in ("key", "name", "title")}
    sizes = {"q": q, "n": n, "seeds": dataset.sizes["seed"], "epochs": int(dataset["epoch"].max())}
    control = {"best_gain": controls} if has_control(dataset) else None
    lost = [each._asdict() for each in diverged(dataset)]
    found = {"candidates": candidates, "control": control} | _predictors(dataset, q, n)
    doubts = {measure: too_few(dataset, measure) or None for measure in MEASURES}
    return about | sizes | found | {"too_few": doubts} | ({"diverged": lost} if lost else {})


def _predictors(dataset: xr.Dataset, q: float, n: int) -> dict[str, Any]:
    """The comparison of the predictors: correlations, partial correlations and regrets."""
    kendall = {name: over_seeds(predictor_correlation(dataset, q, n, name), within=RANGE) for name in MEASURES}
    partial = {name: over_seeds(predictor_partial_correlation(dataset, q, n, name), within=RANGE) for name in MEASURES}
    regret = {name: over_seeds(predictor_regret(dataset, q, n, name), within=REGRETS) for name in MEASURES}
    picked = _by_predictor(regret, _counted_estimate)
    return {
        "kendall": _by_predictor(kendall, _counted_estimate),
        "partial_kendall": _by_predictor(partial, _counted_estimate),
        "regret": {
            "predictors": picked,
            "random": {
                name: _counted_estimate(over_seeds(random_regret(dataset, name), within=REGRETS)) for name in MEASURES
            },
            "largest": picked[PARAMETERS],
        },
    }


def _by_predictor(
    found: dict[Measure, xr.Dataset], estimate: Callable[[xr.Dataset], dict[str, Any]]
) -> dict[str, dict[Measure, dict[str, Any]]]:
    names = found[MEASURES[0]]["predictor"].values.tolist()
    return {name: {measure: estimate(each.sel(predictor=name)) for measure, each in found.items()} for name in names}


def long_table(dataset: xr.Dataset, q: float = Q, n: int | None = None) -> pd.DataFrame:
    """A result as a table for a spreadsheet: a row for each seed, candidate and epoch at which the walk was measured.

    Args:
      dataset, q, n: as for `summary`.

    Returns:
      A data frame indexed by seed, candidate and epoch. Columns are named with their units; missing values are NaN.

    Raises:
      ValueError: if q or n is out of range.

    Example:
      >>> import landscape
      >>> from landscape.analysis.summary import long_table
      >>> table = long_table(landscape.open_study("digits-mlp"))
      >>> table.loc[0, "hidden1 → 18", 0][["parameters", "gain_accuracy_points"]].tolist()
      [1360.0, 0.0]
    """
    n = checked_n(dataset, n)
    metric = manifold_metric(dataset, q, n).rename(checkpoint="epoch")
    at = dataset.sel(epoch=metric["epoch"])
    models = dataset.sel(model=dataset["candidate"].values).drop_vars("model").rename(model="candidate")
    control = control_as_candidate(dataset).isel(candidate=0, drop=True)
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
        "control_gain_accuracy_points": _gain(control, "accuracy").sel(epoch=metric["epoch"]),
        "control_gain_negative_log_loss": _gain(control, "negative log loss").sel(epoch=metric["epoch"]),
    }
    rows = xr.Dataset({name: xr.DataArray(values) for name, values in columns.items()})
    return rows.drop_vars(set(rows.coords) - {"seed", "candidate", "epoch"}).to_dataframe(
        ["seed", "candidate", "epoch"]
    )


def csv_file(table: pd.DataFrame) -> bytes:
    r"""The content of a CSV file that spreadsheets open as it is: UTF-8, marked as such, without the index.

    Example:
      >>> import pandas as pd
      >>> from landscape.analysis.summary import csv_file
      >>> csv_file(pd.DataFrame({"candidate": ["hidden1 → 18"]})).decode("utf-8-sig").split("\n")[1]
      'hidden1 → 18'
    """
    return table.to_csv(index=False).encode("utf-8-sig")


def _gain(dataset: xr.Dataset, measure: Measure) -> xr.DataArray:
    return gain(dataset, measure).drop_attrs()


def _estimate(found: xr.Dataset) -> Estimate:
    values = {name: float(found[name]) for name in ("mean", "low", "high")}
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def _counted_estimate(found: xr.Dataset) -> dict[str, Any]:
    return _estimate(found) | {"seeds": int(found["count"])}


def _count(value: xr.DataArray) -> int | None:
    return None if int(value) < 0 else int(value)
