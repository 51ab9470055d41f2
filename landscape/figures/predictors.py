"""Predictors against each other: how well each ranks the candidates, and what it costs (Figures 2 and 7, Table 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import xarray as xr
from plotly.subplots import make_subplots

from landscape.analysis.correlation import KINDS, LETTERS, RANGE, Kind, predictor_correlation
from landscape.analysis.intervals import over_seeds, spread
from landscape.analysis.performance import Measure, best_gain
from landscape.analysis.scores import candidate_scores, with_ties
from landscape.analysis.walks import steps_reached
from landscape.analysis.wording import bounds, counted, deviation, why_unranked
from landscape.figures.style import (
    NEUTRAL,
    candidate_order,
    colours,
    finish,
    gain_title,
    nothing,
    palette,
    symbols,
)
from landscape.study.predictors import METRIC, SOTL_E, predictor_named
from landscape.study.schema import BASE

COLUMNS = 2  # panels in a row, which a telephone still shows
DECADE = 10  # scores over less than that are told apart as well, and labelled better, on a linear axis


def heading(predictor: str) -> str:
    """The name of a predictor on an axis."""
    if predictor == METRIC:
        return "M₀"
    known = predictor_named(predictor)
    sign = "−" if known.direction < 0 else ""
    return f"{sign}{known.name}, epoch 1" if predictor == SOTL_E else f"{sign}{known.name}"


def predictor_ranks_data(
    datasets: Mapping[str, xr.Dataset], q: float, n: int, measure: Measure, kinds: Sequence[Kind] = KINDS
) -> pd.DataFrame:
    """One row a study, predictor and kind of correlation with G*_T: mean, std, 95 % interval and count over seeds.

    `ahead` is how much greater the correlation is than that of M₀, the mean over the `shared` seeds in which both are
    defined. A smaller study takes all of its permutations where it has fewer than n. Raises ValueError for q out of
    range.
    """
    frames = []
    for label, dataset in datasets.items():
        whole = min(n, steps_reached(dataset))
        for kind in kinds:
            each = predictor_correlation(dataset, q, whole, measure, kind)
            ahead = spread(each - each.sel(predictor=METRIC, drop=True))
            found = over_seeds(each, within=RANGE).assign(ahead=ahead["mean"], shared=ahead["count"])
            frames.append(found.to_dataframe().reset_index().assign(study=label, kind=kind, q=q, n=whole))
    frame = pd.concat(frames, ignore_index=True)
    first = ["study", "predictor", "kind", "q", "n"]
    return frame[first + [name for name in frame.columns if name not in first]]


def predictor_ranks(
    datasets: Mapping[str, xr.Dataset], q: float, n: int, measure: Measure, kind: Kind = "kendall"
) -> go.Figure:
    """A bar a predictor and study, with its 95 % interval over seeds; from `predictor_ranks_data` (Figures 2, 7)."""
    frame = predictor_ranks_data(datasets, q, n, measure, [kind]).dropna(subset="mean")
    if frame.empty:
        told = [_why(dataset, q, min(n, steps_reached(dataset)), measure) for dataset in datasets.values()]
        return nothing("<br>".join(dict.fromkeys(told)))
    figure, several = go.Figure(), len(datasets) > 1
    for (label, rows), hue in zip(frame.groupby("study", sort=False), palette(len(datasets)), strict=False):
        order = rows["predictor"].tolist()
        hues = hue if several else [hue if name == METRIC else NEUTRAL for name in order]
        bounds = {"array": rows["high"] - rows["mean"], "arrayminus": rows["mean"] - rows["low"]}
        look = {"color": hues, "opacity": 0.55}
        figure.add_bar(
            x=[heading(name) for name in order], y=rows["mean"], name=str(label), marker=look,
            showlegend=several, hovertext=[_told(row, kind) for row in rows.to_dict("records")],
            error_y={"type": "data", "symmetric": False, "thickness": 2, "color": NEUTRAL} | bounds,
            hovertemplate=f"%{{x}}, {label}<br>%{{hovertext}}<extra></extra>",
        )  # fmt: skip
    finish(figure, "predictor", f"{LETTERS[kind]} with G*<sub>T</sub> (1)", height=460)
    figure.update_yaxes(range=[-1.05, 1.05], zeroline=True, zerolinecolor=NEUTRAL)
    return figure


def _told(row: dict, kind: Kind) -> str:
    """A bar in a hover text: mean, std and interval as far as they are known, and of how many seeds."""
    interval = bounds(row["low"], row["high"], ".2f")
    told = f"{LETTERS[kind]} = {row['mean']:.3f}{deviation(row['std'], '.2f')}"
    return f"{told}{', 95 % interval' * bool(interval)}{interval}<br>{counted(row['count'], 'seed')}"


def _why(dataset: xr.Dataset, q: float, n: int, measure: Measure) -> str:
    return why_unranked(candidate_scores(dataset, q, n), best_gain(dataset, measure), "every predictor")


def predictor_scores_data(dataset: xr.Dataset, q: float, n: int, measure: Measure) -> pd.DataFrame:
    """One row a predictor, seed and candidate: what it promises, and the best gain G*_T."""
    scores = candidate_scores(dataset, q, n)
    best = best_gain(dataset, measure).drop_attrs().rename("best_gain")
    both = xr.merge([scores, best], join="exact")
    return both.to_dataframe(["predictor", "seed", "candidate"]).reset_index().dropna(ignore_index=True)


def predictor_scores(dataset: xr.Dataset, q: float, n: int, measure: Measure) -> go.Figure:
    """G*_T against each predictor, a panel each, a point a seed and candidate; from `predictor_scores_data`."""
    frame = predictor_scores_data(dataset, q, n, measure)
    if frame.empty:
        return nothing("No candidate is trained yet.")
    order = list(dict.fromkeys(frame["predictor"]))
    rows = -(-len(order) // COLUMNS)
    titles = [f"{heading(name)} ({predictor_named(name).units})" for name in order]
    figure = make_subplots(
        rows, COLUMNS, subplot_titles=titles, shared_yaxes=True, vertical_spacing=0.3 / rows, horizontal_spacing=0.06
    )
    hues, marks = colours(dataset), symbols(dataset)
    listed: set[str] = set()
    for i, name in enumerate(order):
        place = {"row": i // COLUMNS + 1, "col": i % COLUMNS + 1}
        for candidate in candidate_order(dataset):
            points = frame[(frame["predictor"] == name) & (frame["candidate"] == candidate)]
            if points.empty:
                continue
            figure.add_scatter(
                x=points["score"], y=points["best_gain"], mode="markers", name=candidate, legendgroup=candidate,
                showlegend=candidate not in listed, customdata=points["seed"],
                marker={"color": hues[candidate], "symbol": marks[candidate], "size": 9}, **place,
                hovertemplate=f"{candidate}, seed %{{customdata}}<br>{heading(name)} %{{x:.5g}}<br>"
                "G*<sub>T</sub> %{y:.4g}<extra></extra>",
            )  # fmt: skip
            listed.add(candidate)
        scores = frame[frame["predictor"] == name]["score"]
        figure.update_xaxes(_axis(scores, predictor_named(name).log), tickangle=0, **place)
    finish(figure, "", "", height=240 * rows + 60)
    figure.update_xaxes(title=None)
    figure.update_yaxes(title=None)
    figure.update_yaxes(title={"text": gain_title(measure, "G*<sub>T</sub>")}, col=1)
    return figure


def _axis(scores: pd.Series, log: bool) -> dict[str, Any]:
    """The horizontal axis of a panel; it has one mark where rounding alone tells the scores apart."""
    if np.ptp(with_ties(scores)) == 0:
        at = float(scores.median())
        return {"tickvals": [at], "ticktext": [f"{at:.4g}"], "range": [at - (abs(at) or 1), at + (abs(at) or 1)]}
    return {"type": "log" if log and scores.max() > DECADE * scores.min() > 0 else "linear", "nticks": 4}


def predictor_cost_data(dataset: xr.Dataset) -> pd.DataFrame:
    """One row a predictor: what it computes, and its seconds on the greatest candidate (Table 4).

    seconds: median over seeds, compilation apart; compile_seconds: the most that a seed spent on it. That of SoTL-E
    is an epoch of the base, its mean with compilation. Missing where nothing has been measured.
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
    return pd.DataFrame([_cost(name, greatest, *each) for name, each in seconds.items()])


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
