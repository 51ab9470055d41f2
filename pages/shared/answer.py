"""The answer of a study in words and as a table."""

from __future__ import annotations

import pandas as pd

from landscape.metric import Measure
from landscape.terminal import decimals
from pages.shared.show import bold, escaped

UNITS: dict[Measure, str] = {"accuracy": "points", "negative log loss": "−log loss"}


def table(frame: pd.DataFrame, ranks: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    """What the page shows of `overview_data` and `rank_comparison_data`: a row a candidate, numbers as text."""
    digits = gain_digits(frame, measure)
    by = ranks.pivot(index="candidate", columns="predictor", values="rank").reindex(frame["candidate"])
    perplexities = {"perplexity": frame["perplexity"].map("{:.4g}".format)} if "perplexity" in frame else {}
    return pd.DataFrame(
        {
            "candidate": frame["candidate"],
            "width": frame["width"],
            "parameters": frame["parameters"],
            "M₀ (%)": [interval(row, "M0", 1) for row in frame.to_dict("records")],
            f"G* ({UNITS[measure]})": [interval(row, "best_gain", digits) for row in frame.to_dict("records")],
            **perplexities,
            "rank by M₀": [_rank(value) for value in by.get("M0", pd.Series(index=by.index)).values],
            "rank by G*": [_rank(value) for value in by.get("G*_T", pd.Series(index=by.index)).values],
        }
    )


def gain_digits(frame: pd.DataFrame, measure: Measure) -> int:
    """Decimal places that show two digits of the greatest gain, and one at least."""
    return decimals(frame["best_gain"].abs().max(), 1 if measure == "accuracy" else 2)


def interval(row: dict, name: str, digits: int) -> str:
    """A mean with its 95 % interval, as text."""
    if pd.isna(row[name]):
        return "not yet"
    bounds = [row[f"{name}_{end}"] for end in ("low", "high")]
    shown = f"{row[name]:+.{digits}f}"
    if any(map(pd.isna, bounds)):
        return shown
    return f"{shown} [{bounds[0]:+.{digits}f}, {bounds[1]:+.{digits}f}]".replace("-", "−")


def _rank(value: float) -> str:
    return "" if pd.isna(value) else f"{value:g}"


def sentences(frame: pd.DataFrame, ranks: pd.DataFrame, measure: Measure) -> list[str]:
    """Which candidate M₀ would pick, which one training picked, and how well they agree."""
    known = frame.dropna(subset="M0")
    if known.empty:
        return ["No candidate has been measured yet."]
    told = [_pick(known, "M0", "Before any training, M₀ picks", "% ", 1)]
    trained = known.dropna(subset="best_gain")
    if trained.empty:
        return [*told, "No candidate has been trained yet."]
    digits = gain_digits(frame, measure)
    told.append(
        _pick(trained, "best_gain", "After training, the greatest gain is that of", f"{UNITS[measure]} ", digits)
    )
    if trained["best_gain"].max() <= 0:
        told.append("No candidate gained anything on average: the base is wide enough.")
    return [*told, *_agreement(ranks)]


def _pick(frame: pd.DataFrame, name: str, words: str, unit: str, digits: int) -> str:
    best = frame.loc[frame[name].idxmax()]
    rivals = frame[(frame[f"{name}_high"] >= best[f"{name}_low"]) & (frame["candidate"] != best["candidate"])]
    told = f"{words} {bold(best['candidate'])}: {interval(best.to_dict(), name, digits)} {unit}".rstrip()
    if pd.isna(best[f"{name}_low"]):
        return f"{told}, of one seed, so nothing says how sure that is."
    if rivals.empty:
        return f"{told}, clear of all others."
    names = ", ".join(map(escaped, rivals["candidate"]))
    return f"{told}. Its interval overlaps with {names}: the seeds do not tell them apart."


def _agreement(ranks: pd.DataFrame) -> list[str]:
    found = (
        ranks.groupby("predictor", sort=False)[["correlation", "correlation_std"]].first().dropna(subset="correlation")
    )
    if "M0" not in found.index:
        return []
    told = {name: f"{row['correlation']:.2f}".replace("-", "−") for name, row in found.iterrows()}
    spread = found.loc["M0", "correlation_std"]
    shown = told["M0"] + ("" if pd.isna(spread) else f" ± {spread:.2f} over seeds")
    count = f"; the parameter count alone reaches {told['parameters']}" if "parameters" in told else ""
    return [f"Rank correlation of M₀ with G*: {shown}{count}."]
