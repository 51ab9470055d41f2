"""The distribution of the barriers of the base and the candidates, and how many of them are at most λ."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import xarray as xr

from landscape.analysis.intervals import size_interval
from landscape.analysis.metric import manifold_size, threshold
from landscape.analysis.walks import only_walks, prefix
from landscape.analysis.wording import minus, number
from landscape.figures.export.tables import described
from landscape.figures.palette import NEUTRAL, marks, translucent
from landscape.figures.style import AXIS, FONT_SIZE, candidate_order, empty_figure, swatch
from landscape.store.derived import derived
from landscape.study.schema import BASE

BINS = 40
ROW_HEIGHT, LINE_HEIGHT = 56, 22  # pixels, of a histogram and of a line of the caption above it
ZEROS = ", {} at 0"  # steps, for which a log axis has no bin
LONG = 14  # characters of a name above which a phone has no room left for its numbers


@derived
def manifold_sizes_data(dataset: xr.Dataset, seed: int | None, checkpoint: int, q: float, n: int) -> pd.DataFrame:
    """λ in nats, the manifold size m with its 95 % interval, and M in percent, one row per model and seed.

    `seed=None` takes all seeds; `checkpoint` is in epochs after the expansion. Walks that have not been computed are
    left out. Raises ValueError for q or n out of range.
    """
    rows = []
    for model, seeds, walks, limits in _walks(dataset, seed, checkpoint, q, n):
        low, high = size_interval(walks, limits)
        columns = {"seed": seeds, "threshold": limits, "size": manifold_size(walks, limits), "low": low, "high": high}
        rows.append(pd.DataFrame({"model": model} | columns))
    frame = pd.concat(rows, ignore_index=True).dropna(ignore_index=True)
    base = frame[frame["model"] == BASE].set_index("seed")["size"]
    frame = frame.assign(metric=100 * (frame["size"] - frame["seed"].map(base)))
    units = {"threshold": "nats", "size": "1", "low": "1", "high": "1", "metric": "%"}
    return described(frame, units, dataset, q=q, n=n, epoch=checkpoint)


def barrier_histogram_data(
    dataset: xr.Dataset, seed: int | None, checkpoint: int, q: float, n: int, log: bool = False
) -> pd.DataFrame:
    """How many of the first n barriers fall into each bin, from `low` to `high` in nats; one row per model and bin.

    All models have the same bins. On a log axis these start at the smallest positive barrier, and exact zeros have a
    row of their own, from 0 to 0. An infinite barrier is in no bin. Raises ValueError for q or n out of range.
    """
    walks = {model: _present(values) for model, _, values, _ in _walks(dataset, seed, checkpoint, q, n)}
    edges = _bin_edges(np.concatenate(list(walks.values())), log)
    frame = pd.concat([_counted(model, values, edges, log) for model, values in walks.items()], ignore_index=True)
    units = {"low": "nats", "high": "nats", "count": "steps"}
    return described(frame, units, dataset, n=n, epoch=checkpoint, seed="all" if seed is None else seed)


@derived
def barrier_histogram(
    dataset: xr.Dataset, seed: int | None, checkpoint: int, q: float, n: int, log: bool = False
) -> go.Figure:
    """Histograms of the base and each candidate above a common axis, with λ as a line through all of them.

    Each has its manifold size written above it. With all seeds, every λ is a faint line, and the size is the mean over
    seeds. Drawn from `barrier_histogram_data` and `manifold_sizes_data`.
    """
    bins = barrier_histogram_data(dataset, seed, checkpoint, q, n, log)
    sizes = manifold_sizes_data(dataset, seed, checkpoint, q, n)
    if sizes.empty:
        return empty_figure("The barriers of this walk have not been computed yet.")
    models = [model for model in (BASE, *candidate_order(dataset)) if model in set(sizes["model"])]
    longest = max(map(len, models)) + (len(ZEROS) if bins["count"][bins["high"] == 0].any() else 0)
    lines = 2 if longest > LONG else 1
    looks, figure = marks(dataset), go.Figure(layout=_rows(len(models), lines, log))
    captions = []
    for row, model in enumerate(models, 1):
        counted = bins[bins["model"] == model]
        _add_steps(figure, counted[counted["high"] > 0], model, looks[model].colour, row)
        captions.append(_caption(model, counted, sizes[sizes["model"] == model], looks[model].colour, row, lines))
    shapes, label = _thresholds(sizes[sizes["model"] == BASE]["threshold"].values, len(models), lines, log)
    return figure.update_layout(annotations=[*captions, label], shapes=shapes)


def _walks(dataset: xr.Dataset, seed: int | None, checkpoint: int, q: float, n: int) -> list[tuple]:
    """The base and each candidate: its name, seeds (s), barriers (s, n) and thresholds (s)."""
    epochs = dataset["checkpoint"].values
    if checkpoint not in epochs:
        raise ValueError(f"checkpoint must be one of {', '.join(map(str, epochs))}; got {checkpoint}")
    chosen = only_walks(dataset).sel(checkpoint=[checkpoint], seed=dataset["seed"] if seed is None else [seed])
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
    """The y axis of a row; the top one is row 1."""
    return "y" if row == 1 else f"y{row}"


def _rows(count: int, lines: int, log: bool) -> dict:
    """The layout of `count` rows above a common x axis, with room for `lines` lines of caption above each."""
    gap = LINE_HEIGHT * lines
    pixels = (ROW_HEIGHT + gap) * count - gap
    tops = [1 - row * (ROW_HEIGHT + gap) / pixels for row in range(count)]
    axes = {
        f"yaxis{row}": AXIS | {"domain": [max(top - ROW_HEIGHT / pixels, 0), top], "nticks": 3, "rangemode": "tozero"}
        for row, top in enumerate(tops, 1)
    }
    axes[f"yaxis{(count + 1) // 2}"]["title"] = AXIS["title"] | {"text": "count (steps)"}
    zeros = "<br><sup>exact zeros are counted next to each name</sup>" if log else ""
    title = AXIS["title"] | {"text": f"midpoint barrier b̂ (nats){zeros}"}
    x = AXIS | {"anchor": _axis(count), "title": title, "type": "log" if log else "linear"}
    margin = {"l": 10, "r": 10, "t": LINE_HEIGHT * (lines + 1) + 36, "b": 70}
    frame = {"height": pixels + margin["t"] + margin["b"], "margin": margin, "showlegend": False}
    return frame | axes | {"xaxis": x, "font": {"size": FONT_SIZE}, "hoverlabel": {"font": {"size": FONT_SIZE}}}


def _add_steps(figure: go.Figure, bins: pd.DataFrame, model: str, colour: str, row: int) -> None:
    """The outline of a histogram, filled. A line with steps needs the last edge twice."""
    x = np.r_[bins["low"].values[:1], bins["low"].values, bins["high"].values[-1:], bins["high"].values[-1:]]
    y = np.r_[0, bins["count"].values, bins["count"].values[-1:], 0]
    figure.add_scatter(
        x=x, y=y, yaxis=_axis(row), mode="lines", name=model, line={"shape": "hv", "color": colour, "width": 1.5},
        fill="tozeroy", fillcolor=translucent(colour, 0.35),
        hovertemplate=f"{model}<br>%{{y}} from %{{x:.3g}} nats<extra></extra>",
    )  # fmt: skip


def _caption(model: str, bins: pd.DataFrame, sizes: pd.DataFrame, colour: str, row: int, lines: int) -> dict:
    """The name, size and metric above a row, and the number of zeros, for which a log axis has no bin."""
    mean = sizes[["size", "low", "high", "metric"]].mean()
    text = f"{swatch(colour)}<b>{model}</b>{'<br>' if lines > 1 else '  '}m = {100 * mean['size']:.1f} %"
    if model != BASE:
        text += minus(f", M = {mean['metric']:+.1f} %")
    if zeros := int(bins["count"][bins["high"] == 0].sum()):
        text += ZEROS.format(zeros)
    return {
        "text": text, "x": 0, "xref": "x domain", "xanchor": "left", "y": 1, "yref": f"{_axis(row)} domain",
        "yanchor": "bottom", "align": "left", "showarrow": False,
        "hovertext": f"95 % interval of m for one seed: {100 * mean['low']:.1f} to {100 * mean['high']:.1f} %",
    }  # fmt: skip


def _thresholds(limits: np.ndarray, rows: int, lines: int, log: bool) -> tuple[list[dict], dict]:
    """A line at each λ through each row, which leaves the captions free; and a label for them all."""
    single, drawn = len(limits) == 1, limits[limits > 0] if log else limits
    line = {"color": NEUTRAL, "width": 2, "dash": "5px,3px"}  # short, since a row is low
    across = {"type": "line", "xref": "x", "y0": 0, "y1": 1, "opacity": 1 if single else 0.6, "line": line}
    places = [{"yref": f"{_axis(row)} domain"} for row in range(1, rows + 1)]
    text = f"λ = {number(limits[0])} nats" if single else "λ of each seed"
    if drawn.size < limits.size:
        text += " (0 does not fit on a log axis)"
    middle = drawn.mean() if drawn.size else 1.0
    label = {
        "text": text, "x": np.log10(middle) if log else middle, "xref": "x", "y": 1, "yref": "paper",
        "yanchor": "bottom", "yshift": LINE_HEIGHT * lines, "showarrow": False,
    }  # fmt: skip
    return [across | place | {"x0": limit, "x1": limit} for limit in drawn for place in places], label
