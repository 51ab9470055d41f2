"""M₀ on further batches: how much of it is owed to the examples on which barriers are measured."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
import xarray as xr

from landscape.analysis.intervals import over_seeds
from landscape.analysis.mechanism.batches import batch_metric, variances
from landscape.analysis.wording import bounds, counted, minus, of_split
from landscape.figures.export.tables import SEEDS, described
from landscape.figures.palette import marks
from landscape.figures.style import candidate_order, empty_figure, finish
from landscape.store.derived import derived

SPREAD = 0.7  # of the place of a size, over which its candidates are spread
VARIANCES = ("seed", "batch", "both")


@derived
def batch_metrics_data(dataset: xr.Dataset, q: float, n: int) -> pd.DataFrame:
    """M₀ on each batch: mean, std, interval and count over seeds, one row per candidate, split, size and batch."""
    found = over_seeds(batch_metric(dataset, q, n))
    dims = ["split", "batch_size", "batch", "candidate"]
    frame = found.to_dataframe(dims).reset_index().dropna(subset="mean", ignore_index=True)
    return described(frame, dict.fromkeys(("mean", "std", "low", "high"), "%") | SEEDS, dataset, q=q, n=n)


@derived
def batch_variances_data(dataset: xr.Dataset, q: float, n: int) -> pd.DataFrame:
    """How far seeds, batches and both move M₀, one row per candidate, split and size of which there are two batches.

    `seed`, `batch` and `both` are standard deviations; `share` is the part of the variance of a mean over seeds on one
    batch that is owed to the batch. NaN stands where the batches are too few.
    """
    found = variances(batch_metric(dataset, q, n))
    deviations = (found[list(VARIANCES)] ** 0.5).assign(share=100 * found["share"], batches=found["batches"])
    frame = deviations.to_dataframe(["split", "batch_size", "candidate"]).reset_index()
    frame = frame[frame["batches"] > 0].reset_index(drop=True)
    return described(frame, dict.fromkeys((*VARIANCES, "share"), "%"), dataset, q=q, n=n)


@derived
def batch_metrics(dataset: xr.Dataset, q: float, n: int) -> go.Figure:
    """A point for each batch, M₀ as a mean over seeds, by split and size; drawn from `batch_metrics_data`."""
    frame = batch_metrics_data(dataset, q, n)
    if frame.empty:
        return empty_figure("M₀ was measured on one batch only.")
    figure, looks, names = go.Figure(), marks(dataset), candidate_order(dataset)
    places = frame[["split", "batch_size"]].drop_duplicates().reset_index(drop=True)
    place = {tuple(row): i for i, row in enumerate(places.itertuples(index=False))}
    for i, name in enumerate(names):
        rows, look = frame[frame["candidate"] == name], looks[name]
        offset = SPREAD * ((i + 0.5) / len(names) - 0.5)
        figure.add_scatter(
            x=[place[key] + offset for key in zip(rows["split"], rows["batch_size"], strict=True)], y=rows["mean"],
            mode="markers", name=name,
            marker={"symbol": look.symbol, "size": 9, "color": look.colour, "opacity": 0.75},
            text=[_hover_text(row) for row in rows.to_dict("records")],
            hovertemplate=f"{name}<br>%{{text}}<extra></extra>",
        )  # fmt: skip
    texts = [f"{row.batch_size:,}<br>{of_split(row.split)}" for row in places.itertuples()]
    figure.update_xaxes(tickvals=[*range(len(texts))], ticktext=texts, range=[-0.5, len(texts) - 0.5], showgrid=False)
    return finish(figure, "examples of a batch (1)", "manifold metric M<sub>0</sub> (%)")


def _hover_text(row: dict) -> str:
    interval = bounds(row["low"], row["high"], ".2f")
    return minus(
        f"batch {row['batch'] + 1} of {row['batch_size']:,} {of_split(row['split'])} examples<br>"
        f"M<sub>0</sub> {row['mean']:.2f} %{interval}<br>{counted(row['count'], 'seed')}"
    )
