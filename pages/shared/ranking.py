"""How well M₀ and the other predictors rank the candidates, in words, from rows of `predictor_ranks_data`."""

from __future__ import annotations

import pandas as pd

from landscape.analysis.correlation import LETTERS, Kind
from landscape.analysis.wording import counted, deviation
from landscape.figures import heading
from landscape.study.predictors import METRIC, PARAMETERS

EQUAL = 1e-9  # means of correlations that differ by less differ by rounding


def answer(rows: pd.DataFrame, kind: Kind) -> str:
    """`agreement`, which predictors of the same study rank better than M₀ does, and which do not rank at all."""
    better = [heading(name) for name in rows["predictor"][rows["ahead"] > EQUAL]]
    silent = [heading(name) for name in rows["predictor"][rows["mean"].isna()]]
    told = f"{agreement(rows, kind)} Higher on average: {', '.join(better) if better else 'none'}."
    why = "Without a rank, being equal for all candidates or not defined"
    return f"{told} {why}: {', '.join(silent)}." if silent else told


def agreement(rows: pd.DataFrame, kind: Kind) -> str:
    """How well M₀ ranks the candidates, beside the parameter count; both over the same seeds where theirs differ."""
    known = rows.set_index("predictor")
    metric, count = known.loc[METRIC], known.loc[PARAMETERS]
    differ = metric["count"] != count["count"]
    spread = " over seeds" if not differ and pd.notna(metric["std"]) else ""
    told = f"M₀ reaches {LETTERS[kind]} = {_value(metric, differ)}{spread}"
    if pd.isna(count["mean"]):
        return f"{told}."
    told += f"; the parameter count, which costs nothing, {_value(count, differ)}."
    return f"{told} {_paired(count)}" if differ else told


def _value(row: pd.Series, with_seeds: bool) -> str:
    seeds = f" over {counted(row['count'], 'seed')}" if with_seeds else ""
    return f"**{row['mean']:.2f}**{deviation(row['std'], '.2f')}{seeds}".replace("-", "−")


def _paired(count: pd.Series) -> str:
    if count["shared"] == 0:
        return "No seed has both."
    ahead = -count["ahead"]
    told = "as high" if abs(ahead) <= EQUAL else f"{abs(ahead):.2f} {'higher' if ahead > 0 else 'lower'}"
    return f"In the {counted(count['shared'], 'seed')} where both are defined, M₀ is {told}."
