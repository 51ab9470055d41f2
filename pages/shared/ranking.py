"""How well M₀ and the other predictors rank the candidates, in words; `rows` are from `predictor_ranks_data`."""

from __future__ import annotations

import pandas as pd

from landscape.analysis.ranking.correlation import LETTERS, Kind
from landscape.analysis.wording import counted, deviation, enumeration
from landscape.figures import predictor_label
from landscape.study.predictors import METRIC, PARAMETERS

EQUAL = 1e-9  # mean correlations that differ by less than this differ only by rounding


def answer(rows: pd.DataFrame, kind: Kind) -> str:
    """How well M₀ ranks the candidates, which predictors do better, and which give no ranking at all."""
    better = [predictor_label(name) for name in rows["predictor"][rows["ahead"] > EQUAL]]
    silent = [predictor_label(name) for name in rows["predictor"][rows["mean"].isna()]]
    sentences = [agreement(rows, kind)]
    if better:
        sentences.append(f"{enumeration(better)} {'do' if len(better) > 1 else 'does'} better on average.")
    else:
        sentences.append("No other predictor does better on average.")
    if silent:
        verb, subject = ("give", "they are") if len(silent) > 1 else ("gives", "it is")
        reason = f"because {subject} undefined or equal for all candidates"
        sentences.append(f"{enumeration(silent)} {verb} no ranking, {reason}.")
    return " ".join(sentences)


def agreement(rows: pd.DataFrame, kind: Kind) -> str:
    """How well M₀ ranks the candidates, compared with the parameter count in the seeds in which both do."""
    known = rows.set_index("predictor")
    metric, count = known.loc[METRIC], known.loc[PARAMETERS]
    differ = metric["count"] != count["count"]
    spread = " over seeds" if not differ and pd.notna(metric["std"]) else ""
    sentence = f"M₀ reaches {LETTERS[kind]} = {_value(metric, differ)}{spread}"
    if pd.isna(count["mean"]):
        return f"{sentence}."
    sentence += f"; the parameter count, which costs nothing, reaches {_value(count, differ)}."
    return f"{sentence} {_paired(count)}" if differ else sentence


def _value(row: pd.Series, with_seeds: bool) -> str:
    seeds = f" over {counted(row['count'], 'seed')}" if with_seeds else ""
    return f"**{row['mean']:.2f}**{deviation(row['std'], '.2f')}{seeds}".replace("-", "−")


def _paired(count: pd.Series) -> str:
    if count["shared"] == 0:
        return "No seed has both correlations."
    ahead = -count["ahead"]
    gap = "as high" if abs(ahead) <= EQUAL else f"{abs(ahead):.2f} {'higher' if ahead > 0 else 'lower'}"
    return f"In the {counted(count['shared'], 'seed')} where both are defined, M₀ is {gap}."
