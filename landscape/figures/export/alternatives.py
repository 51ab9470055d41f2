"""What figures show in words, from their tables: for who cannot see them, and as captions of the report."""

from __future__ import annotations

import pandas as pd

from landscape.analysis.wording import enumeration, number, of_split, part_of
from landscape.figures.predictors import predictor_label
from landscape.study.predictors import METRIC
from landscape.study.schema import BASE

NOTHING = "Nothing has been computed yet."
GAIN, RANK_OF_GAIN = "best gain G*", "G*_T"


def overview_text(frame: pd.DataFrame) -> str:
    """M₀ and the best gain of the candidates; `frame` is from `overview_data`."""
    known = frame.dropna(subset=["M0", "best_gain"])
    if known.empty:
        return NOTHING
    return (
        f"Best gain against M₀. M₀ goes {_extent(known, 'M0', 'candidate')}, the {GAIN} goes "
        f"{_extent(known, 'best_gain', 'candidate')}."
    )


def initial_text(frame: pd.DataFrame) -> str:
    """M₀ of the candidates before any training; `frame` is from `initial_metrics_data`."""
    known = frame.dropna(subset="M0")
    return f"Before training, M₀ goes {_extent(known, 'M0', 'candidate')}." if len(known) else NOTHING


def cost_gain_text(frame: pd.DataFrame, cost: str) -> str:
    """A cost and the best gain of the candidates; `frame` is from `cost_gain_data`, `cost` one of its columns."""
    known = frame.dropna(subset=[cost, "best_gain"])
    if known.empty:
        return NOTHING
    named = cost.replace("_", " ")
    return f"Best gain G* against {named}, which go {_extent(known, cost, 'candidate')}: {_best(known)}."


def ranks_text(frame: pd.DataFrame) -> str:
    """The orders of the candidates; `frame` is from `rank_comparison_data`."""
    if frame.empty:
        return NOTHING
    orders = [
        f"by {GAIN if name == RANK_OF_GAIN else predictor_label(str(name))}: "
        + ", ".join(rows.sort_values("rank")["candidate"])
        for name, rows in frame.groupby("predictor", sort=False)
    ]
    return f"The candidates from first to last, {'; '.join(orders)}."


def interpolation_text(barriers: pd.DataFrame) -> str:
    """How high the barriers are; `barriers` is from `interpolation_barriers`."""
    if barriers.empty:
        return NOTHING
    parts = [
        f"on {of_split(str(split))} data the barrier b {_of_one_or_more(rows, 'barrier', 'curve')}"
        for split, rows in barriers.groupby("split", sort=False)
    ]
    return f"The loss along lines between networks: {'; '.join(parts)}."


def histogram_text(sizes: pd.DataFrame) -> str:
    """The share of barriers at most λ; `sizes` is from `manifold_sizes_data`."""
    if sizes.empty:
        return NOTHING
    means = sizes.groupby("model", sort=False)["size"].mean()
    shares = enumeration([f"{model} {number(100 * share)} %" for model, share in means.items()])
    return f"Histograms of barriers. At most λ are: {shares}."


def graph_text(edges: pd.DataFrame) -> str:
    """How many edges exist; `edges` is from `permutation_graph_data`."""
    if edges.empty:
        return NOTHING
    present, limit = part_of(int(edges["present"].sum()), len(edges), "edge", "exist"), edges["threshold"].iloc[0]
    barrier = _of_one_or_more(
        edges.assign(nodes=edges["from"].astype(str) + " – " + edges["to"].astype(str)), "barrier", "nodes"
    )
    return f"{present} at λ = {number(limit)} nats; the midpoint barrier {barrier}."


def lines_text(frame: pd.DataFrame, what: str) -> str:
    """Where the candidates start and end; `frame` is that of a gain, metric or perplexity over time."""
    if frame.empty:
        return NOTHING
    time = "epoch" if "epoch" in frame else "checkpoint"
    known = frame[frame["candidate"] != BASE]
    first, last = (known[known[time] == t] for t in (known[time].min(), known[time].max()))
    return (
        f"{what}: after epoch {first[time].iloc[0]:g} the means go {_extent(first, 'mean', 'candidate', frame)}, after "
        f"epoch {last[time].iloc[0]:g} {_extent(last, 'mean', 'candidate', frame)}."
    )


def correlation_text(frame: pd.DataFrame, q: float) -> str:
    """Where the correlations start and end; `frame` is from `correlation_trajectories_data`."""
    told = [
        f"that of {name} goes from {number(rows['mean'].iloc[0], 2)} at epoch {rows['epoch'].iloc[0]:g} to "
        f"{number(rows['mean'].iloc[-1], 2)} at epoch {rows['epoch'].iloc[-1]:g}"
        for name, rows in (("Mₜ", frame[frame["q"] == q]), ("−SoTL-E", frame[frame["q"].isna()]))
        if len(rows)
    ]
    return f"Rank correlation with G* over epochs: {', '.join(told)}." if told else NOTHING


def sensitivity_text(frame: pd.DataFrame) -> str:
    """Where the correlation is least and greatest; `frame` is from `sensitivity_data`."""
    known = frame.dropna(subset="mean")
    if known.empty:
        return NOTHING
    where = known.assign(at=[f"q = {q:g}, n = {n:g}" for q, n in zip(known["q"], known["n"], strict=True)])
    return f"The rank correlation of M₀ with G* goes {_extent(where, 'mean', 'at')}."


def predictors_text(frame: pd.DataFrame) -> str:
    """The predictors from the best to the worst; `frame` is from `predictor_ranks_data`, of one kind of correlation."""
    known = frame.dropna(subset="mean")
    if known.empty:
        return "No predictor has a rank correlation."
    told = [
        _ordered(rows, f" in {study}" if known["study"].nunique() > 1 else "")
        for study, rows in known.groupby("study", sort=False)
    ]
    return " ".join(told)


def scores_text(frame: pd.DataFrame) -> str:
    """How far the scores and the gains of seeds and candidates go; `frame` is from `predictor_scores_data`."""
    if frame.empty:
        return NOTHING
    told = [
        f"{predictor_label(str(name))} from {number(rows['score'].min())} to {number(rows['score'].max())}"
        for name, rows in frame.groupby("predictor", sort=False)
    ]
    gains = _extent(frame, "best_gain", "candidate")
    return f"Over seeds and candidates, the {GAIN} goes {gains}, and the scores go: {', '.join(told)}."


def journey_text(frame: pd.DataFrame) -> str:
    """How high the barrier is; `frame` is from `journey_data`."""
    if frame.empty:
        return NOTHING
    ends, highest = frame["loss"].iloc[[0, -1]].mean(), frame.loc[(frame["loss"] - frame["chord"]).idxmax()]
    return (
        f"The loss on the line from a network to a permuted copy of itself: {number(ends)} nats at both ends, and up "
        f"to {number(highest['loss'] - highest['chord'])} nats higher between them."
    )


def surface_text(barriers: pd.DataFrame) -> str:
    """The highest barrier of each model; `barriers` is from `surface_barriers_data`."""
    if barriers.empty:
        return NOTHING
    highest = barriers.groupby("model", sort=False)["barrier"].max()
    told = enumeration([f"{number(barrier)} nats for {model}" for model, barrier in highest.items()])
    return f"The highest barrier between three permuted copies is {told}."


def comparison_text(frame: pd.DataFrame, quantity: str) -> str:
    """How far a quantity goes in each study; `frame` is from `comparison_data`."""
    told = [
        f"in {study} it goes {_extent(rows, 'mean', 'candidate', frame)}"
        for study, rows in frame.groupby("study", sort=False)
    ]
    return f"The {quantity} of the candidates by their size: {'; '.join(told)}." if told else NOTHING


def difference_text(frame: pd.DataFrame, first: str, quantity: str) -> str:
    """How far each study is from the first one, and how often surely; `frame` is from `difference_data`."""
    told = [
        f"that of {study} minus that of {first} goes {_extent(rows, 'mean', 'candidate', frame)}, and its interval "
        f"leaves out 0 for {int(((rows['low'] > 0) | (rows['high'] < 0)).sum())} of {len(rows)}"
        for study, rows in frame.groupby("study", sort=False)
    ]
    return f"The {quantity} of the candidates: {'; '.join(told)}." if told else NOTHING


def scorecard_text(frame: pd.DataFrame) -> str:
    """Both correlations of each study; `frame` is from `scorecard_ranks_data`."""
    told = [
        f"{study}: " + ", ".join(f"{predictor_label(row.predictor)} {number(row.mean, 2)}" for row in rows.itertuples())
        for study, rows in frame.groupby("study", sort=False)
    ]
    return f"Rank correlation with G* by study. {'; '.join(told)}." if told else NOTHING


def _ordered(rows: pd.DataFrame, where: str) -> str:
    best = rows.sort_values("mean", ascending=False, kind="stable")
    told = [
        f"{predictor_label(name)} {number(mean, 2)}" for name, mean in zip(best["predictor"], best["mean"], strict=True)
    ]
    missing = "" if (rows["predictor"] == METRIC).any() else " M₀ has none."
    return f"Rank correlations with G*{where}, from the greatest: {', '.join(told)}.{missing}"


def _best(frame: pd.DataFrame) -> str:
    row = frame.loc[frame["best_gain"].idxmax()]
    return (
        f"the greatest is that of {row['candidate']}, {number(row['best_gain'])} {_unit(frame, 'best_gain')}".rstrip()
    )


def _of_one_or_more(frame: pd.DataFrame, column: str, names: str) -> str:
    if len(frame) == 1:
        return f"is {number(frame[column].iloc[0])} {_unit(frame, column)}".rstrip()
    return f"goes {_extent(frame, column, names)}"


def _extent(frame: pd.DataFrame, column: str, names: str, table: pd.DataFrame | None = None) -> str:
    """From the least to the greatest value of a column, each with its name."""
    unit = _unit(frame if table is None else table, column)
    ends = (frame.loc[frame[column].idxmin()], frame.loc[frame[column].idxmax()])
    low, high = (f"{number(row[column])} {unit}".rstrip() for row in ends)
    return f"no further than {low}" if low == high else f"from {low} ({ends[0][names]}) to {high} ({ends[1][names]})"


def _unit(frame: pd.DataFrame, column: str) -> str:
    unit = frame.attrs.get("units", {}).get(column, "1")
    return "" if unit == "1" else str(unit)
