"""How the barriers of base and candidates are spread, and how many of them lie under λ."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import xarray as xr

from landscape.analysis.intervals import size_interval
from landscape.analysis.metric import manifold_size, threshold
from landscape.analysis.walks import prefix
from landscape.figures.style import AXIS, FONT_SIZE, NEUTRAL, candidate_order, colours, nothing, swatch, translucent
from landscape.study.schema import BASE

BINS = 40
ROW_HEIGHT, LINE_HEIGHT = 56, 22  # pixels of a histogram, and of a line of the caption above it
LONG = 14  # characters of a name that a telephone does not show beside its numbers


def barrier_shares_data(dataset: xr.Dataset, seed: int | None, checkpoint: int, q: float, n: int) -> pd.DataFrame:
    """One row a model and seed: λ in nats, the share m of edges that exist, its 95 % interval, and M in percent.

    `seed=None` takes all; `checkpoint` is epochs after expansion. Walks that are not computed are left out.
    Raises ValueError for q or n out of range.
    """
    rows = []
    for model, seeds, walks, limits in _walks(dataset, seed, checkpoint, q, n):
        shares = manifold_size(walks, limits)
        low, high = size_interval(walks, limits)
        columns = {"seed": seeds, "threshold": limits, "share": shares, "low": low, "high": high}
        rows.append(pd.DataFrame({"model": model} | columns))
    frame = pd.concat(rows, ignore_index=True).dropna(ignore_index=True)
    base = frame[frame["model"] == BASE].set_index("seed")["share"]
    return frame.assign(metric_percent=100 * (frame["share"] - frame["seed"].map(base)))


def barrier_histogram_data(
    dataset: xr.Dataset, seed: int | None, checkpoint: int, q: float, n: int, log: bool = False
) -> pd.DataFrame:
    """One row a model and bin, from `low` to `high` in nats: how many of the first n barriers fall into it.

    All models share their bins. On a log axis they start at the least positive barrier; exact zeros are a row of
    their own, from 0 to 0. An infinite barrier falls into no bin. Raises ValueError for q or n out of range.
    """
    walks = {model: _present(values) for model, _, values, _ in _walks(dataset, seed, checkpoint, q, n)}
    edges = _bin_edges(np.concatenate(list(walks.values())), log)
    return pd.concat([_counted(model, values, edges, log) for model, values in walks.items()], ignore_index=True)


def barrier_histogram(
    dataset: xr.Dataset, seed: int | None, checkpoint: int, q: float, n: int, log: bool = False
) -> go.Figure:
    """A histogram for the base and each candidate above one axis, λ as a line through all, the share beside each.

    Drawn from `barrier_histogram_data` and `barrier_shares_data`. With all seeds, each λ is a faint line and the
    share is their mean.
    """
    bins = barrier_histogram_data(dataset, seed, checkpoint, q, n, log)
    shares = barrier_shares_data(dataset, seed, checkpoint, q, n)
    if shares.empty:
        return nothing("The barriers of this walk are not computed yet.")
    models = [model for model in (BASE, *candidate_order(dataset)) if model in set(shares["model"])]
    lines = 2 if max(map(len, models)) > LONG else 1
    hues, figure = colours(dataset), go.Figure(layout=_rows(len(models), lines, log))
    captions = []
    for row, model in enumerate(models, 1):
        counted = bins[bins["model"] == model]
        _add_steps(figure, counted[counted["high"] > 0], model, hues[model], row)
        captions.append(_caption(model, counted, shares[shares["model"] == model], hues[model], row, lines))
    shapes, label = _thresholds(shares[shares["model"] == BASE]["threshold"].values, len(models), lines, log)
    return figure.update_layout(annotations=[*captions, label], shapes=shapes)


def _walks(dataset: xr.Dataset, seed: int | None, checkpoint: int, q: float, n: int) -> list[tuple]:
    """(model, seeds (s), barriers (s, n), thresholds (s)) of the base and of each candidate."""
    epochs = dataset["checkpoint"].values
    if checkpoint not in epochs:
        raise ValueError(f"checkpoint must be one of {', '.join(map(str, epochs))}; got {checkpoint}")
    chosen = dataset.sel(checkpoint=[checkpoint], seed=dataset["seed"] if seed is None else [seed])
    base, barriers = prefix(chosen, n)
    limits, seeds = threshold(base, q), chosen["seed"].values
    names = dataset["candidate"].values.tolist()
    return [(BASE, seeds, base, limits), *((name, seeds, barriers[:, i, 0], limits) for i, name in enumerate(names))]


def _present(values: np.ndarray) -> np.ndarray:
    flat = values.astype(np.float64).ravel()
    return flat[~np.isnan(flat)]


def _bin_edges(values: np.ndarray, log: bool) -> np.ndarray:
    positive = values[(values > 0) & np.isfinite(values)]
    if positive.size == 0:
        return np.linspace(0, 1, BINS + 1)
    least, greatest = positive.min(), positive.max() * (1 + 1e-9)
    return np.geomspace(least, greatest, BINS + 1) if log else np.linspace(0, greatest, BINS + 1)


def _counted(model: str, values: np.ndarray, edges: np.ndarray, log: bool) -> pd.DataFrame:
    low, high = edges[:-1], edges[1:]
    counts = np.histogram(values, edges)[0]
    if log:
        low, high = np.r_[0, low], np.r_[0, high]
        counts = np.r_[np.sum(values == 0), counts]
    return pd.DataFrame({"model": model, "low": low, "high": high, "count": counts})


def _axis(row: int) -> str:
    """The y axis of a row, counted from 1 at the top."""
    return "y" if row == 1 else f"y{row}"


def _rows(count: int, lines: int, log: bool) -> dict:
    """Layout of `count` rows above one x axis, with room for `lines` lines of caption above each."""
    gap = LINE_HEIGHT * lines
    pixels = (ROW_HEIGHT + gap) * count - gap
    tops = [1 - row * (ROW_HEIGHT + gap) / pixels for row in range(count)]
    axes = {
        f"yaxis{row}": AXIS | {"domain": [max(top - ROW_HEIGHT / pixels, 0), top], "nticks": 3, "rangemode": "tozero"}
        for row, top in enumerate(tops, 1)
    }
    axes[f"yaxis{(count + 1) // 2}"]["title"] = AXIS["title"] | {"text": "count (steps)"}
    zeros = "<br><sup>exact zeros are counted beside each name</sup>" if log else ""
    title = AXIS["title"] | {"text": f"midpoint barrier b̂ (nats){zeros}"}
    x = AXIS | {"anchor": _axis(count), "title": title, "type": "log" if log else "linear"}
    margin = {"l": 10, "r": 10, "t": LINE_HEIGHT * (lines + 1) + 10, "b": 70}
    frame = {"height": pixels + margin["t"] + margin["b"], "margin": margin, "showlegend": False}
    return frame | axes | {"xaxis": x, "font": {"size": FONT_SIZE}, "hoverlabel": {"font": {"size": FONT_SIZE}}}


def _add_steps(figure: go.Figure, bins: pd.DataFrame, model: str, colour: str, row: int) -> None:
    """A filled outline; a step needs its last edge once more."""
    x = np.r_[bins["low"].values[:1], bins["low"].values, bins["high"].values[-1:], bins["high"].values[-1:]]
    y = np.r_[0, bins["count"].values, bins["count"].values[-1:], 0]
    figure.add_scatter(
        x=x, y=y, yaxis=_axis(row), mode="lines", name=model, line={"shape": "hv", "color": colour, "width": 1.5},
        fill="tozeroy", fillcolor=translucent(colour, 0.35),
        hovertemplate=f"{model}<br>%{{y}} from %{{x:.3g}} nats<extra></extra>",
    )  # fmt: skip


def _caption(model: str, bins: pd.DataFrame, shares: pd.DataFrame, colour: str, row: int, lines: int) -> dict:
    """Name, share of edges and metric above a row; also the zeros, for which a log axis has no bin."""
    mean = shares[["share", "low", "high", "metric_percent"]].mean()
    told = f"{swatch(colour)}<b>{model}</b>{'<br>' if lines > 1 else '  '}m = {100 * mean['share']:.1f} %"
    if model != BASE:
        told += f", M = {mean['metric_percent']:+.1f} %".replace("-", "−")
    if zeros := int(bins["count"][bins["high"] == 0].sum()):
        told += f", {zeros} at 0"
    return {
        "text": told, "x": 0, "xref": "x domain", "xanchor": "left", "y": 1, "yref": f"{_axis(row)} domain",
        "yanchor": "bottom", "align": "left", "showarrow": False,
        "hovertext": f"m of one seed: {100 * mean['low']:.1f} to {100 * mean['high']:.1f} % with 95 %",
    }  # fmt: skip


def _thresholds(limits: np.ndarray, rows: int, lines: int, log: bool) -> tuple[list[dict], dict]:
    """A line through each row, which leaves the captions between them free, at each λ; and their label."""
    single, drawn = len(limits) == 1, limits[limits > 0] if log else limits
    line = {"color": NEUTRAL, "width": 2, "dash": "5px,3px"}  # short: a row is low
    across = {"type": "line", "xref": "x", "y0": 0, "y1": 1, "opacity": 1 if single else 0.6, "line": line}
    places = [{"yref": f"{_axis(row)} domain"} for row in range(1, rows + 1)]
    told = f"λ = {limits[0]:.3g} nats" if single else "λ of each seed"
    if drawn.size < limits.size:
        told += " (0 is not on a log axis)"
    middle = drawn.mean() if drawn.size else 1.0
    label = {
        "text": told, "x": np.log10(middle) if log else middle, "xref": "x", "y": 1, "yref": "paper",
        "yanchor": "bottom", "yshift": LINE_HEIGHT * lines, "showarrow": False,
    }  # fmt: skip
    return [across | place | {"x0": limit, "x1": limit} for limit in drawn for place in places], label
