"""The predictors compared: how well each ranks the candidates, and what it costs (Figures 2 and 7, Table 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import xarray as xr
from plotly.subplots import make_subplots

from landscape.analysis.intervals import over_seeds
from landscape.analysis.performance import Measure, best_gain
from landscape.analysis.ranking.correlation import KINDS, LETTERS, RANGE, Kind, predictor_correlation
from landscape.analysis.ranking.evidence import no_interval, too_few
from landscape.analysis.ranking.partial_correlation import predictor_partial_correlation
from landscape.analysis.ranking.regret import RANGE as REGRETS
from landscape.analysis.ranking.regret import predictor_regret, random_regret
from landscape.analysis.ranking.scores import candidate_scores, with_ties
from landscape.analysis.ranking.unranked import why_unranked
from landscape.analysis.walks import steps_reached
from landscape.analysis.wording import bounds, counted, deviation, minus, number
from landscape.figures.export.files import INK
from landscape.figures.export.tables import CORRELATION, described, with_settings
from landscape.figures.palette import ACCENT, NEUTRAL, PATTERNS, marks, study_marks
from landscape.figures.style import GAIN_UNITS, add_doubt, candidate_order, empty_figure, finish, gain_title
from landscape.store.derived import derived
from landscape.study.predictors import METRIC, SOTL_E, predictor_named
from landscape.study.schema import BASE

DIFFERENCES = (-2, 2)  # where a difference of two correlations can lie
FAINT = 0.3  # the opacity of a bar without an interval, which must not look the surest
COLUMNS = 2  # panels in a row, which a phone can still show
DECADE = 10  # the ratio of scores below which a linear axis shows them as well and labels them better


def predictor_label(predictor: str) -> str:
    """The short name of a predictor, for an axis or a table."""
    if predictor == METRIC:
        return "M₀"
    known = predictor_named(predictor)
    sign = "−" if known.direction < 0 else ""
    return f"{sign}{known.name}, epoch 1" if predictor == SOTL_E else f"{sign}{known.name}"


def predictor_ranks_data(
    datasets: Mapping[str, xr.Dataset], q: float, n: int, measure: Measure, kinds: Sequence[Kind] = KINDS
) -> pd.DataFrame:
    """Correlations of each predictor with G*_T: mean, std, 95 % interval and count over seeds.

    One row per study, predictor and kind of correlation. `ahead` is how much greater the correlation is than that of
    M₀, averaged over the `shared` seeds in which both are defined, and `ahead_low` the lower end of its 95 % interval.
    Columns with `partial_` are of the correlation given
    the parameter count, those with `regret_` of the gain lost by the predictor's pick, and those with `random_regret_`
    by a random pick; all but the correlations are the same for every kind. A study with fewer than n permutations uses
    all of them. Raises ValueError for q out of range.
    """
    frames = [
        _ranks_data(dataset, q, min(n, steps_reached(dataset)), measure, kind).assign(study=label)
        for label, dataset in datasets.items()
        for kind in kinds
    ]
    frame = pd.concat(frames, ignore_index=True)
    first = ["study", "predictor", "kind", "q", "n"]
    frame = frame[first + [name for name in frame.columns if name not in first]]
    return with_settings(frame, _units(measure), {"measure": measure})


@derived
def _ranks_data(dataset: xr.Dataset, q: float, n: int, measure: Measure, kind: Kind) -> pd.DataFrame:
    """The rows of one study and kind in `predictor_ranks_data`."""
    each = predictor_correlation(dataset, q, n, measure, kind)
    ahead = over_seeds(each - each.sel(predictor=METRIC, drop=True), within=DIFFERENCES)
    partial = over_seeds(predictor_partial_correlation(dataset, q, n, measure, kind), within=RANGE)
    beside = {"ahead": ahead["mean"], "ahead_low": ahead["low"], "shared": ahead["count"]}
    beside |= _prefixed(partial, "partial") | _regrets(dataset, q, n, measure)
    found = over_seeds(each, within=RANGE).assign(beside)
    return found.to_dataframe().reset_index().assign(kind=kind, q=q, n=n)


def _units(measure: Measure) -> dict[str, str]:
    bounds = ("mean", "low", "high")
    regrets = {f"{name}_{bound}": GAIN_UNITS[measure] for name in ("regret", "random_regret") for bound in bounds}
    counts = {f"{name}_count": "seeds" for name in ("partial", "regret", "random_regret")}
    return (
        CORRELATION
        | {"ahead": "1", "ahead_low": "1", "shared": "seeds"}
        | {f"partial_{bound}": "1" for bound in bounds}
        | regrets
        | counts
    )


def _regrets(dataset: xr.Dataset, q: float, n: int, measure: Measure) -> dict[str, xr.DataArray]:
    picked = over_seeds(predictor_regret(dataset, q, n, measure), within=REGRETS)
    by_chance = over_seeds(random_regret(dataset, measure), within=REGRETS)
    return _prefixed(picked, "regret") | _prefixed(by_chance, "random_regret")


def _prefixed(found: xr.Dataset, prefix: str) -> dict[str, xr.DataArray]:
    """Columns like `partial_low`: the mean, its interval and the number of seeds."""
    return {f"{prefix}_{name}": found[name] for name in ("mean", "low", "high", "count")}


def predictor_ranks(
    datasets: Mapping[str, xr.Dataset], q: float, n: int, measure: Measure, kind: Kind = "kendall"
) -> go.Figure:
    """A bar per predictor and study, with its 95 % interval over seeds; from `predictor_ranks_data` (Figures 2, 7)."""
    frame = predictor_ranks_data(datasets, q, n, measure, [kind]).dropna(subset="mean")
    if frame.empty:
        reasons = [_why_unranked(dataset, q, min(n, steps_reached(dataset)), measure) for dataset in datasets.values()]
        return empty_figure("<br>".join(dict.fromkeys(reasons)))
    figure, several = go.Figure(), len(datasets) > 1
    looks = dict(zip(datasets, study_marks(len(datasets)), strict=True))
    patterns = dict(zip(datasets, cycle(PATTERNS), strict=False))
    for label, rows in frame.groupby("study", sort=False):
        alone = [ACCENT if name == METRIC else NEUTRAL for name in rows["predictor"]]
        fill = {"color": looks[label].colour, "pattern": {"shape": patterns[label]}} if several else {"color": alone}
        _add_bars(figure, rows, str(label), fill, kind, several)
    figure = finish(figure, "predictor", f"{LETTERS[kind]} with G* (1)", height=460)
    figure.update_yaxes(range=[-1.05, 1.05], zeroline=True, zerolinecolor=NEUTRAL)
    if not several:
        _add_lacks(figure, frame)
    doubts = {label: too_few(dataset, measure) for label, dataset in datasets.items()}
    add_doubt(figure, "<br>".join(f"{f'{label}: ' * several}{why}" for label, why in doubts.items() if why))
    return figure


def _add_lacks(figure: go.Figure, frame: pd.DataFrame) -> None:
    """Say on each bar of one study that it has no interval, where it has none."""
    for row in frame.itertuples():
        if no_interval(row.low, row.count):
            figure.add_annotation(
                x=predictor_label(row.predictor), y=row.mean, text="no interval", showarrow=False,
                yanchor="top" if row.mean > 0 else "bottom",
            )  # fmt: skip


def _add_bars(
    figure: go.Figure, rows: pd.DataFrame, study: str, fill: dict[str, Any], kind: Kind, several: bool
) -> None:
    """The bars of one study; `several` says whether the figure has others, which a legend then names."""
    reasons = [no_interval(low, count) for low, count in zip(rows["low"], rows["count"], strict=True)]
    error = {"array": rows["high"] - rows["mean"], "arrayminus": rows["mean"] - rows["low"]}
    figure.add_bar(
        x=[predictor_label(name) for name in rows["predictor"]], y=rows["mean"], name=study,
        marker=fill | {"opacity": [FAINT if reason else 0.8 for reason in reasons]}, showlegend=several,
        hovertext=[_hover_text(row, kind) for row in rows.to_dict("records")],
        error_y={"type": "data", "symmetric": False, "thickness": 2, "color": INK} | error,
        hovertemplate=f"%{{x}}, {study}<br>%{{hovertext}}<extra></extra>",
    )  # fmt: skip


def _hover_text(row: dict, kind: Kind) -> str:
    """The mean of a bar, its std and interval as far as they are known, and the number of seeds."""
    interval = bounds(row["low"], row["high"], ".2f")
    mean = f"{LETTERS[kind]} = {row['mean']:.2f}{deviation(row['std'], '.2f')}"
    reason = no_interval(row["low"], row["count"])
    known = f", 95 % interval{interval}" if interval else f", {reason}"
    return minus(f"{mean}{known}<br>{counted(row['count'], 'seed')}")


def _why_unranked(dataset: xr.Dataset, q: float, n: int, measure: Measure) -> str:
    return why_unranked(candidate_scores(dataset, q, n), best_gain(dataset, measure), "every predictor")


@derived
def predictor_scores_data(dataset: xr.Dataset, q: float, n: int, measure: Measure) -> pd.DataFrame:
    """The score of each predictor and the best gain G*_T, one row per predictor, seed and candidate."""
    scores = candidate_scores(dataset, q, n)
    best = best_gain(dataset, measure).drop_attrs().rename("best_gain")
    both = xr.merge([scores, best], join="exact")
    frame = both.to_dataframe(["predictor", "seed", "candidate"]).reset_index().dropna(ignore_index=True)
    units = frame["predictor"].map(lambda name: predictor_named(name).units)
    frame.insert(frame.columns.get_loc("score") + 1, "unit", units)
    return described(frame, {"best_gain": GAIN_UNITS[measure]}, dataset, q=q, n=n, measure=measure)


@derived
def predictor_scores(dataset: xr.Dataset, q: float, n: int, measure: Measure) -> go.Figure:
    """G*_T against each predictor, in one panel each, a point per seed and candidate; from `predictor_scores_data`."""
    frame = predictor_scores_data(dataset, q, n, measure)
    if frame.empty:
        return empty_figure("No candidate has been trained yet.")
    order = list(dict.fromkeys(frame["predictor"]))
    rows = -(-len(order) // COLUMNS)
    titles = [f"{predictor_label(name)} ({predictor_named(name).units})" for name in order]
    figure = make_subplots(
        rows, COLUMNS, subplot_titles=titles, shared_yaxes=True, vertical_spacing=0.3 / rows, horizontal_spacing=0.06
    )
    for i, name in enumerate(order):
        points, place = frame[frame["predictor"] == name], {"row": i // COLUMNS + 1, "col": i % COLUMNS + 1}
        _add_panel(figure, points, dataset, name, place)
        figure.update_xaxes(_axis(points["score"], predictor_named(name).log), tickangle=0, **place)
    figure = finish(figure, "", "", height=240 * rows + 60)
    figure.update_xaxes(title=None)
    figure.update_yaxes(title=None)
    for first in range(0, len(order), COLUMNS):  # of each row
        figure.layout[f"yaxis{first + 1 if first else ''}"].title.text = gain_title(measure, "G*")
    return figure


def _add_panel(figure: go.Figure, panel: pd.DataFrame, dataset: xr.Dataset, name: str, place: dict[str, int]) -> None:
    """The points of one predictor. A candidate is in the legend once, for the first panel that has it."""
    looks = marks(dataset)
    listed = {trace.name for trace in figure.data}
    known = dict(iter(panel.groupby("candidate")))
    traces = [
        dict(
            x=known[candidate]["score"], y=known[candidate]["best_gain"], mode="markers", name=candidate,
            legendgroup=candidate, showlegend=candidate not in listed, customdata=known[candidate]["seed"],
            marker={"color": looks[candidate].colour, "symbol": looks[candidate].symbol, "size": 9},
            hovertemplate=f"{candidate}, seed %{{customdata}}<br>{predictor_label(name)} %{{x:.5g}}<br>"
            "G* %{y:.4g}<extra></extra>",
        )
        for candidate in candidate_order(dataset)
        if candidate in known
    ]  # fmt: skip
    figure.add_traces(traces, rows=place["row"], cols=place["col"])


def _axis(scores: pd.Series, log: bool) -> dict[str, Any]:
    """The horizontal axis of a panel; it has a single tick if the scores differ only by rounding."""
    if np.ptp(with_ties(scores)) == 0:
        at = float(scores.median())
        return {"tickvals": [at], "ticktext": [number(at, 4)], "range": [at - (abs(at) or 1), at + (abs(at) or 1)]}
    return {"type": "log" if log and scores.max() > DECADE * scores.min() > 0 else "linear", "nticks": 4}


@derived
def predictor_cost_data(dataset: xr.Dataset) -> pd.DataFrame:
    """What each predictor computes and how long that took on the greatest candidate, one row per predictor (Table 4).

    `seconds` is the median over seeds without compilation; `compile_seconds` is the longest compilation of any seed.
    The time of SoTL-E is that of a mean epoch of the base, compilation included. Times that were not measured are NaN.
    """
    greatest = candidate_order(dataset)[-1]
    at = dataset.sel(candidate=greatest)
    seconds = {METRIC: (at["walk_seconds"].values, at["walk_compile_seconds"].values)}
    for name in dataset["predictor"].values.tolist():
        one = at.sel(predictor=name)
        seconds[name] = (one["proxy_seconds"].values, one["proxy_compile_seconds"].values)
    trained = dataset["seconds"].sel(model=BASE, phase="train").values
    epochs = dataset["base_train_loss"].notnull().sum("base_epoch").values
    epoch = np.divide(trained, epochs, out=np.full(len(trained), np.nan), where=epochs > 0)
    seconds[SOTL_E] = (epoch, np.array([np.nan]))
    frame = pd.DataFrame([_cost(name, greatest, *each) for name, each in seconds.items()])
    return described(frame, {"seconds": "s", "compile_seconds": "s"}, dataset)


def _cost(predictor: str, candidate: str, seconds: np.ndarray, compiling: np.ndarray) -> dict[str, object]:
    known = predictor_named(predictor)
    return {
        "predictor": predictor,
        "name": f"{known.name}, an epoch" if predictor == SOTL_E else known.name,
        "candidate": candidate,
        "forward_passes": known.forward,
        "backward_passes": known.backward,
        "gradients_of": known.differentiates,
        "needs_data": known.data,
        "needs_training": known.training,
        "seconds": float(np.nanmedian(seconds)) if np.isfinite(seconds).any() else np.nan,
        "compile_seconds": float(np.nanmax(compiling)) if np.isfinite(compiling).any() else np.nan,
    }
