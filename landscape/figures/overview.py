"""The answer of a study: the gain against the metric, and how each predictor ranks the candidates."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import xarray as xr

from landscape.analysis.bootstrap import metric_interval
from landscape.analysis.control import control_gain, excess_gain, has_control
from landscape.analysis.cost import multiply_adds, parameters
from landscape.analysis.intervals import metric_over_seeds, over_seeds
from landscape.analysis.metric import at_ceiling, initial_metric
from landscape.analysis.performance import Measure, best_gain, is_text, perplexity
from landscape.analysis.ranking.correlation import LETTERS, RANGE, Kind, predictor_correlation, ranks
from landscape.analysis.ranking.evidence import no_interval, too_few
from landscape.analysis.ranking.scores import candidate_scores
from landscape.analysis.walks import only_walks
from landscape.analysis.wording import bounds, counted, minus, number
from landscape.figures.export.tables import described
from landscape.figures.palette import NEUTRAL, Mark, marks
from landscape.figures.style import (
    GAIN_UNITS,
    LINE_WIDTH,
    TICK_SIZE,
    add_ceiling,
    add_doubt,
    candidate_order,
    empty_figure,
    finish,
    gain_title,
)
from landscape.store.derived import derived
from landscape.study.predictors import METRIC, PARAMETERS, predictor_named
from landscape.study.schema import study_of

GAIN = "G*_T"
FEW = 8  # candidates, the rank of each of which is written on the axis
SHOWN = {METRIC: "M<sub>0</sub>", GAIN: "G*"}


@derived
def overview_data(dataset: xr.Dataset, q: float, n: int, measure: Measure) -> pd.DataFrame:
    """Width, parameters, M₀ and G*_T with 95 % intervals, and the number of seeds, one row per candidate.

    The intervals are those of the means over seeds. In a study of one seed, the interval of M₀ is bootstrapped over
    permutations, and G*_T has none. `at_ceiling` is the fraction of seeds in which every edge exists. `perplexity`,
    for language models only, is the lowest over epochs, averaged over seeds. `excess_gain`, the gain beyond the
    control's, is there if the study has a control. Unknown counts are missing values.
    Raises ValueError for q or n out of range.
    """
    metric = initial_metric(dataset, q, n)
    sizes, gains = metric_over_seeds(dataset, q, n), over_seeds(best_gain(dataset, measure))
    if dataset.sizes["seed"] == 1:
        within = metric_interval(dataset, q, n).isel(seed=0, drop=True)
        sizes = sizes.assign({bound: within.sel(bound=bound, drop=True) for bound in ("low", "high")})
    names = dataset["candidate"].values
    columns = {"width": pd.array(_widths(dataset), "Int64"), "parameters": pd.array(_parameters(dataset), "Int64")}
    columns |= {f"M0{suffix}": sizes[name].values for name, suffix in _SUFFIXES.items()}
    columns |= {f"best_gain{suffix}": gains[name].values for name, suffix in _SUFFIXES.items()}
    if has_control(dataset):
        excess = over_seeds(excess_gain(dataset, measure))
        columns |= {f"excess_gain{suffix}": excess[name].values for name, suffix in _SUFFIXES.items()}
    if is_text(dataset):
        columns["perplexity"] = perplexity(dataset).min("epoch").mean("seed").values
    full = at_ceiling(only_walks(dataset).isel(checkpoint=[0]), q, n).isel(checkpoint=0)
    columns["at_ceiling"] = full.where(metric.notnull()).mean("seed").values
    frame = pd.DataFrame({"candidate": names} | columns).replace({"parameters": {-1: pd.NA}})
    frame = frame.assign(seeds=sizes["count"].values, trained_seeds=gains["count"].values)
    return described(frame, _units(measure), dataset, q=q, n=n, measure=measure)


def _units(measure: Measure) -> dict[str, str]:
    of_gain = {
        f"{name}{suffix}": GAIN_UNITS[measure] for name in ("best_gain", "excess_gain") for suffix in _SUFFIXES.values()
    }
    own = {"width": "units", "parameters": "1", "perplexity": "1", "at_ceiling": "1"}
    return own | {f"M0{suffix}": "%" for suffix in _SUFFIXES.values()} | of_gain


def _widths(dataset: xr.Dataset) -> list[int]:
    """The units of the walked group in each candidate, which the study knows before anything is computed."""
    study = study_of(dataset)
    return [sizes[study.walk.group] for sizes in study.group_sizes()[1:]]


def _parameters(dataset: xr.Dataset) -> list[int]:
    """The parameters of each candidate: those found in the network, or else counted; −1 where the data are unknown."""
    found = dataset["parameters"].sel(model=dataset["candidate"].values).values
    try:
        counted = parameters(study_of(dataset))[1:] if (found < 0).any() else found
    except ValueError:
        return list(found)
    return [old if old >= 0 else new for old, new in zip(found, counted, strict=True)]


_SUFFIXES = {"mean": "", "std": "_std", "low": "_low", "high": "_high"}


@derived
def overview(dataset: xr.Dataset, q: float, n: int, measure: Measure) -> go.Figure:
    """G*_T against M₀, one point per candidate with 95 % intervals, from `overview_data`.

    Lines are the ceiling 1 − q and the mean G*_T of the control.
    """
    frame = overview_data(dataset, q, n, measure).dropna(subset=["M0", "best_gain"])
    if frame.empty:
        return empty_figure("No candidate has been trained yet.")
    figure, looks = go.Figure(), marks(dataset)
    for name in candidate_order(dataset):
        for row in frame[frame["candidate"] == name].to_dict("records"):
            _add_candidate(figure, row, looks[name])
    add_ceiling(figure, q, "x")
    _add_control(figure, dataset, measure)
    return finish(figure, "manifold metric M<sub>0</sub> (%)", gain_title(measure, SHOWN[GAIN]))


@derived
def cost_gain_data(dataset: xr.Dataset, measure: Measure) -> pd.DataFrame:
    """What each candidate costs and gains, one row per candidate.

    Columns are those of `COSTS`: parameters, multiply-adds of one example in one forward pass, and the seconds that
    training took, a mean over seeds, as far as they are known; and G*_T with its 95 % interval.
    """
    names, gains = dataset["candidate"].values.tolist(), over_seeds(best_gain(dataset, measure))
    counts = np.asarray(_parameters(dataset), np.float64)
    seconds = dataset["seconds"].sel(model=names, phase="train").mean("seed").values
    columns = {"parameters": np.where(counts < 0, np.nan, counts), "multiply_adds": _multiply_adds(dataset)}
    columns |= {"train_seconds": seconds}
    columns |= {f"best_gain{suffix}": gains[name].values for name, suffix in _SUFFIXES.items()}
    units = _units(measure) | {"multiply_adds": "1", "train_seconds": "s"}
    return described(pd.DataFrame({"candidate": names} | columns), units, dataset, measure=measure)


COSTS = {
    "parameters": "parameters",
    "multiply_adds": "multiply-adds of one example",
    "train_seconds": "time of its training (s)",
}


def _multiply_adds(dataset: xr.Dataset) -> list[float]:
    """Those of each candidate; NaN where nothing on this computer describes the examples."""
    try:
        return [float(count) for count in multiply_adds(study_of(dataset))[1:]]
    except ValueError:
        return [np.nan] * dataset.sizes["candidate"]


@derived
def cost_gain(dataset: xr.Dataset, measure: Measure, cost: str) -> go.Figure:
    """G*_T against one of `COSTS`, one point per candidate with its 95 % interval, from `cost_gain_data`."""
    frame = cost_gain_data(dataset, measure).dropna(subset=[cost, "best_gain"])
    if frame.empty:
        return empty_figure("No candidate has been trained yet.")
    figure, looks = go.Figure(), marks(dataset)
    for row in frame.to_dict("records"):
        look = looks[row["candidate"]]
        bars = {
            "type": "data", "symmetric": False, "array": [row["best_gain_high"] - row["best_gain"]],
            "arrayminus": [row["best_gain"] - row["best_gain_low"]], "color": look.colour, "thickness": 1.5,
        }  # fmt: skip
        figure.add_scatter(
            x=[row[cost]], y=[row["best_gain"]], mode="markers", name=row["candidate"], error_y=bars,
            marker={"symbol": look.symbol, "size": 13, "color": look.colour},
            hovertemplate=f"{row['candidate']}<br>{COSTS[cost]}: %{{x:,.4~g}}<br>"
            "G* %{y:.4g}<extra></extra>",
        )  # fmt: skip
    _add_control(figure, dataset, measure)
    return finish(figure, COSTS[cost], gain_title(measure, SHOWN[GAIN]))


def _add_control(figure: go.Figure, dataset: xr.Dataset, measure: Measure) -> None:
    """A line at the mean G*_T of the control, if there is one, named on its right on the side with fewer points."""
    control, gains = float(control_gain(dataset, measure).mean()), best_gain(dataset, measure).mean("seed")
    if not np.isnan(control):
        side = "top" if float(gains.median()) > control else "bottom"
        label = {"text": "control", "x": 1, "xanchor": "right", "yanchor": side, "font": {"size": TICK_SIZE}}
        figure.add_hline(control, line={"color": NEUTRAL, "width": 1.5, "dash": "dash"}, annotation=label)


@derived
def rank_comparison_data(
    dataset: xr.Dataset, q: float, n: int, measure: Measure, kind: Kind = "kendall"
) -> pd.DataFrame:
    """Scores and ranks by M₀, by the parameter count and by G*_T, one row per candidate and predictor.

    Both are of the mean over seeds; rank 1 is the greatest, and ties share their mean rank. Each row also has its
    predictor's correlation with G*_T, with its std, interval and count over the seeds in which it is defined.
    Candidates without a score have no row.
    """
    best = best_gain(dataset, measure).drop_attrs().expand_dims(predictor=[GAIN])
    known = candidate_scores(dataset, q, n).sel(predictor=[METRIC, PARAMETERS])
    scores = xr.concat([known, best], "predictor").mean("seed").transpose("predictor", "candidate")
    found = over_seeds(predictor_correlation(dataset, q, n, measure, kind), within=RANGE)
    frame = scores.rename("score").to_dataframe().assign(rank=ranks(-scores.values).ravel()).reset_index()
    columns = {f"correlation{suffix}": name for name, suffix in _SUFFIXES.items()} | {"correlation_seeds": "count"}
    of_predictor = {name: frame["predictor"].map(found[part].to_series()) for name, part in columns.items()}
    frame = frame.assign(**of_predictor).dropna(subset="score", ignore_index=True)
    units = {"rank": "1", "correlation_seeds": "seeds"} | {f"correlation{suffix}": "1" for suffix in _SUFFIXES.values()}
    unit_of = {name: predictor_named(name).units for name in (METRIC, PARAMETERS)} | {GAIN: GAIN_UNITS[measure]}
    frame.insert(frame.columns.get_loc("score") + 1, "unit", frame["predictor"].map(unit_of))
    return described(frame, units, dataset, q=q, n=n, measure=measure, kind=kind)


@derived
def rank_comparison(dataset: xr.Dataset, q: float, n: int, measure: Measure, kind: Kind = "kendall") -> go.Figure:
    """The ranks of the candidates by each predictor and by the gain; from `rank_comparison_data`."""
    frame = rank_comparison_data(dataset, q, n, measure, kind)
    if frame.empty:
        return empty_figure("There is nothing to rank yet.")
    order = list(dict.fromkeys(frame["predictor"]))
    figure, looks = go.Figure(), marks(dataset)
    for name in candidate_order(dataset):
        points = frame[frame["candidate"] == name]
        if points.empty:
            continue
        figure.add_scatter(
            x=[order.index(each) for each in points["predictor"]], y=points["rank"], mode="lines+markers", name=name,
            line={"color": looks[name].colour, "width": LINE_WIDTH, "dash": looks[name].dash},
            marker={"symbol": looks[name].symbol, "size": 15},
            customdata=points[["predictor", "score"]],
            hovertemplate=f"{name}<br>rank %{{y:~g}} by %{{customdata[0]}}<br>"
            "score %{customdata[1]:.5g}<extra></extra>",
        )  # fmt: skip
    figure = finish(figure, f"ranked by (mean {LETTERS[kind]} with G*)", "rank (1: greatest)")
    figure.update_yaxes(autorange="reversed", tick0=1, dtick=1 if len(figure.data) <= FEW else 2, zeroline=False)
    figure.update_xaxes(tickvals=list(range(len(order))), ticktext=_predictor_texts(frame, order, kind), zeroline=False)
    add_doubt(figure, too_few(dataset, measure))
    return figure


def _add_candidate(figure: go.Figure, row: dict, look: Mark) -> None:
    bars = {
        axis: {
            "type": "data", "symmetric": False, "array": [row[f"{name}_high"] - row[name]],
            "arrayminus": [row[name] - row[f"{name}_low"]], "color": look.colour, "thickness": 1.5,
        }
        for axis, name in (("error_x", "M0"), ("error_y", "best_gain"))
    }  # fmt: skip
    figure.add_scatter(
        x=[row["M0"]], y=[row["best_gain"]], mode="markers", name=row["candidate"], **bars,
        marker={"symbol": look.symbol, "size": 13, "color": look.colour},
        hovertemplate=f"{_hover_text(row)}<extra></extra>",
    )  # fmt: skip


def _hover_text(row: dict) -> str:
    """What is known of a candidate."""
    count = "" if pd.isna(row["parameters"]) else f", {row['parameters']} parameters"
    within = bounds(row["M0_low"], row["M0_high"], ".2f")
    metric = f"M<sub>0</sub> {row['M0']:.2f} %{within}{' over permutations' if within and row['seeds'] == 1 else ''}"
    gain = f"G* {number(row['best_gain'])}{bounds(row['best_gain_low'], row['best_gain_high'], '.3g')}"
    if pd.notna(row.get("excess_gain")):
        within = bounds(row["excess_gain_low"], row["excess_gain_high"], ".3g")
        gain += f"<br>beyond the control {number(row['excess_gain'])}{within}"
    return minus(f"{row['candidate']}{count}<br>{metric}<br>{gain}<br>{counted(row['seeds'], 'seed')}")


def _predictor_texts(frame: pd.DataFrame, order: list[str], kind: Kind) -> list[str]:
    """The predictors with their correlations, and with the number of seeds if that differs between them."""
    columns = ["correlation", "correlation_low", "correlation_seeds"]
    found = frame.groupby("predictor")[columns].first().dropna(subset="correlation")
    differ = found["correlation_seeds"].nunique() > 1
    texts = {name: SHOWN.get(name, name) for name in order}
    for name, (mean, low, seeds) in found.iterrows():
        told = no_interval(low, seeds).replace(": ", ":<br>") or (counted(seeds, "seed") if differ else "")
        texts[name] += minus(f"<br>{LETTERS[kind]} = {mean:.2f}") + (f"<br>{told}" if told else "")
    return list(texts.values())
