"""How well M₀ and the others predict, in words and as a table; `rows` are from `predictor_ranks_data`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import xarray as xr

from landscape.analysis.performance import Measure
from landscape.analysis.ranking.correlation import LETTERS, Kind
from landscape.analysis.ranking.evidence import no_interval, too_few
from landscape.analysis.wording import counted, decimals, deviation, enumeration, interval, minus, together
from landscape.figures import predictor_label
from landscape.study.predictors import METRIC, PARAMETERS

UNITS: dict[Measure, str] = {"accuracy": "points", "negative log loss": "−log(loss)"}
CHANCE = "chance"

EQUAL = 1e-9  # mean correlations that differ by less than this differ only by rounding


def answer(rows: pd.DataFrame, kind: Kind) -> str:
    """How well M₀ ranks the candidates, which predictors do better, and which give no ranking at all."""
    better = rows[rows["ahead"] > EQUAL]
    clear = better["ahead_low"] > 0
    silent = [in_a_sentence(name) for name in rows["predictor"][rows["mean"].isna()]]
    sentences = [agreement(rows, kind)]
    for some, how in ((better[clear], "clearly better"), (better[~clear], "better on average, but not clearly")):
        if named := [in_a_sentence(name) for name in some["predictor"]]:
            sentences.append(f"{_first(enumeration(named))} {'do' if len(named) > 1 else 'does'} {how}.")
    if better.empty:
        sentences.append("No other predictor does better on average.")
    if silent:
        verb, subject = ("give", "they are") if len(silent) > 1 else ("gives", "it is")
        reason = f"because {subject} undefined or equal for all candidates"
        sentences.append(f"{_first(enumeration(silent))} {verb} no ranking, {reason}.")
    return " ".join(sentences)


def in_a_sentence(predictor: str) -> str:
    """The name of a predictor within a sentence."""
    return "the parameter count" if predictor == PARAMETERS else predictor_label(predictor)


def _first(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


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


def doubt(dataset: xr.Dataset, measure: Measure) -> str:
    """A sentence to append to a rank correlation: why it says little, if it does."""
    reason = too_few(dataset, measure)
    return f" Rank correlations say little here: {reason}." if reason else ""


def _value(row: pd.Series, with_seeds: bool) -> str:
    seeds = f" over {counted(row['count'], 'seed')}" if with_seeds else ""
    reason = "" if with_seeds and row["count"] == 1 else no_interval(row["low"], row["count"])
    return minus(f"**{row['mean']:.2f}**{deviation(row['std'], '.2f')}{seeds}{f' ({reason})' if reason else ''}")


def _paired(count: pd.Series) -> str:
    if count["shared"] == 0:
        return "No seed has both correlations."
    ahead = -count["ahead"]
    gap = "as high" if abs(ahead) <= EQUAL else f"{abs(ahead):.2f} {'higher' if ahead > 0 else 'lower'}"
    return f"In the {counted(count['shared'], 'seed')} where both are defined, M₀ is {gap}."


def table(rows: pd.DataFrame, kind: Kind, measure: Measure) -> pd.DataFrame:
    """The comparison of one study as the page shows it: a row per predictor and one for chance, numbers as text."""
    digits, letter, first = _digits(rows), LETTERS[kind], rows.iloc[0]
    seeds = first["random_regret_count"]
    chance = {"predictor": CHANCE, letter: "–", f"partial {letter}": "–"}
    regret = f"regret ({UNITS[measure]})"
    return pd.DataFrame(
        [
            {
                "predictor": predictor_label(row["predictor"]),
                letter: _cell(row, "", 2, seeds),
                f"partial {letter}": _cell(row, "partial_", 2, seeds),
                regret: _cell(row, "regret_", digits, seeds),
            }
            for row in rows.to_dict("records")
        ]
        + [chance | {regret: _cell(first, "random_regret_", digits, seeds)}]
    )


def beyond_size(rows: pd.DataFrame, kind: Kind) -> str:
    """What is left of M₀'s rank correlation given the parameter count; empty where no seed has that."""
    metric, seeds = rows.set_index("predictor").loc[METRIC].to_dict(), rows["random_regret_count"].iloc[0]
    if not metric["partial_count"]:
        return ""
    return f"Given the parameter count, M₀ reaches partial {LETTERS[kind]} = **{_cell(metric, 'partial_', 2, seeds)}**."


def regret(rows: pd.DataFrame, measure: Measure) -> str:
    """What is lost by taking M₀'s pick, beside the largest candidate and a random one; empty without regrets."""
    known, digits = rows.set_index("predictor"), _digits(rows)
    metric, largest = known.loc[METRIC], known.loc[PARAMETERS]
    if not metric["regret_count"] or not largest["regret_count"]:
        return ""
    lost = [
        _numbers(row, name, digits)
        for row, name in ((metric, "regret_"), (largest, "regret_"), (metric, "random_regret_"))
    ]
    what = f"{UNITS[measure]} of gain" if measure == "accuracy" else f"of gain, in {UNITS[measure]},"
    return (
        f"Training only the candidate that M₀ picks loses **{lost[0]}** {what} compared with the best one; the largest "
        f"candidate loses {lost[1]}, a random one {lost[2]}."
    )


def _digits(rows: pd.DataFrame) -> int:
    """The decimal places that show two digits of the greatest regret."""
    return decimals(rows["regret_mean"].max(), 2)


def _cell(row: Mapping[str, Any], prefix: str, digits: int, seeds: int) -> str:
    """A mean with its interval or why it has none, and with the number of seeds where that is not all of them."""
    count, numbers = row[f"{prefix}count"], _numbers(row, prefix, digits)
    if reason := no_interval(row[f"{prefix}low"], count):
        return f"{numbers} ({together(reason)})"
    return f"{numbers}, {together(counted(count, 'seed'))}" if 0 < count < seeds else numbers


def _numbers(row: Mapping[str, Any], prefix: str, digits: int) -> str:
    mean, low, high = (row[f"{prefix}{name}"] for name in ("mean", "low", "high"))
    return minus(interval(mean, low, high, digits, signed=False)).replace(", ", together(", "))
