"""The answer of a study, in words and as a table."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st
import xarray as xr

from landscape.analysis import wording
from landscape.analysis.control import control_gain, excess_gain, has_control, not_above_control
from landscape.analysis.glossary import explained
from landscape.analysis.intervals import leads, over_seeds
from landscape.analysis.metric import initial_metric
from landscape.analysis.performance import Measure, best_gain
from landscape.analysis.ranking.correlation import Kind
from landscape.analysis.ranking.scores import picks
from landscape.analysis.ranking.unranked import why_unranked
from landscape.figures import initial_metrics, initial_metrics_data, overview_data, predictor_ranks_data
from landscape.figures.export.alternatives import initial_text
from landscape.store.derived import derived
from landscape.study.predictors import METRIC, SOTL_E
from landscape.study.writing.notation import NOTATION
from pages.shared import ranking, show
from pages.shared.ranking import UNITS
from pages.shared.show import bold, escaped

NOT_YET = "No candidate has been trained yet."


def metric_chart(dataset: xr.Dataset, q: float, n: int) -> None:
    """The picture of a study none of whose candidates has been trained: M₀ alone."""
    data = initial_metrics_data(dataset, q, n)
    show.chart(initial_metrics(dataset, q, n), "initial-metrics", initial_text(data), lambda: data)


def table(frame: pd.DataFrame, costs: pd.DataFrame, ranks: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    """What the page lists, one row per candidate: numbers, so that they sort as such, and beside them where their
    intervals begin, which `intervals` writes out.

    From `overview_data`, `cost_gain_data` and `rank_comparison_data`, in the order of the candidates.
    """
    by = ranks.pivot(index="candidate", columns="predictor", values="rank").reindex(frame["candidate"])
    none = pd.Series(index=by.index, dtype=float)
    columns: dict[str, Any] = {"candidate": frame["candidate"]}
    for name, title in _quantities(frame, measure).items():
        columns |= {title: frame[name], _beside(title): frame[f"{name}_low"]}
    if "perplexity" in frame:
        columns["perplexity"] = frame["perplexity"]
    columns |= {"rank by M₀": by.get("M0", none).values, "rank by G*": by.get("G*_T", none).values}
    columns |= {"width": frame["width"], "parameters": frame["parameters"]}
    columns |= {"multiply-adds": costs["multiply_adds"]}
    columns |= {"training (s)": costs["train_seconds"].where(frame["best_gain"].notna())}
    return pd.DataFrame(columns).dropna(axis=1, how="all")


def columns_of(shown: pd.DataFrame, frame: pd.DataFrame, measure: Measure) -> dict[str, Any]:
    """How the page writes the numbers of `table`; the candidate stays while the others scroll."""
    number = st.column_config.NumberColumn
    forms = {"M₀ (%)": "%.1f", "perplexity": "%.1f", "training (s)": "%.3g", "width": "%d"}
    forms |= {name: "localized" for name in ("parameters", "multiply-adds")}
    of_gains = {"G* (": "best_gain", "G* −": "excess_gain"}
    forms |= {name: f"%.{gain_digits(frame, measure, of_gains[name[:4]])}f" for name in shown if name[:4] in of_gains}
    terms = {"M₀": ("M₀",), "G*": ("G*",), "G* − control": ("G*", "control")}
    meanings = {name: explained(*terms[name.split(" (")[0]]) for name in forms if name.split(" (")[0] in terms}
    found: dict[str, Any] = {
        name: number(format=form, help=meanings.get(name)) for name, form in forms.items() if name in shown
    }
    return found | {
        "candidate": st.column_config.TextColumn(pinned=True, help=f"Written as {NOTATION}. * is any name.")
    }


def intervals(frame: pd.DataFrame, measure: Measure) -> dict[str, list[str]]:
    """The 95 % intervals of `table` as text, by its columns; empty where there are none."""
    found = {}
    for name, title in _quantities(frame, measure).items():
        digits = 1 if name == "M0" else gain_digits(frame, measure, name)
        bounds = zip(frame[f"{name}_low"], frame[f"{name}_high"], strict=True)
        texts = (wording.bounds(low, high, f"+.{digits}f").strip() for low, high in bounds)
        found[_beside(title)] = [wording.minus(text) for text in texts]
    return found


def _quantities(frame: pd.DataFrame, measure: Measure) -> dict[str, str]:
    """What has intervals: its titles by its columns in `frame`."""
    excess = {"excess_gain": f"G* − control ({UNITS[measure]})"} if "excess_gain" in frame else {}
    return {"M0": "M₀ (%)", "best_gain": f"G* ({UNITS[measure]})"} | excess


def _beside(title: str) -> str:
    return f"95 % of {title.partition(' (')[0]}"


@derived
def picked(dataset: xr.Dataset, q: float, n: int) -> str:
    """Which candidate each predictor would train, among those that need no training; so where they disagree."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for predictor, names in picks(dataset, q, n).items():
        if predictor != SOTL_E:
            groups.setdefault(tuple(names), []).append(ranking.in_a_sentence(predictor))
    parts = []
    for candidates, predictors in groups.items():
        several = len(predictors) > 1
        if len(candidates) == dataset.sizes["candidate"] > 1:
            parts.append(
                f"{wording.enumeration(predictors)} {'do' if several else 'does'} not tell the candidates apart"
            )
        else:
            verb = "pick" if several else "picks"
            parts.append(f"{wording.enumeration(predictors)} {verb} {wording.enumeration(list(map(bold, candidates)))}")
    return f"Before training, {'; '.join(parts)}." if parts else ""


def gain_digits(frame: pd.DataFrame, measure: Measure, name: str = "best_gain") -> int:
    """The decimal places that show two digits of the greatest of these gains, and which intervals of them include 0."""
    digits = wording.decimals(frame.filter(regex=f"^{name}").abs().max(axis=None), 1 if measure == "accuracy" else 2)
    return wording.telling(digits, *frame.filter(regex=f"^{name}_(low|high)$").to_numpy(float).ravel())


def interval(row: dict, name: str, digits: int) -> str:
    """A mean with its 95 % interval, or a dash if it is not known."""
    return wording.minus(wording.interval(row[name], row[f"{name}_low"], row[f"{name}_high"], digits))


@derived
def sentences(dataset: xr.Dataset, q: float, n: int, measure: Measure, kind: Kind = "kendall") -> list[str]:
    """Which candidate M₀ picks, which one gains most from training and how much the control, and how M₀ ranks them."""
    frame = overview_data(dataset, q, n, measure)
    metric = initial_metric(dataset, q, n)
    gains = best_gain(dataset, measure)
    if metric.isnull().all():
        return ["No candidate has been measured yet."]
    first = pick(metric, frame, "M0", "Before any training, M₀ picks", "%", 1)
    if gains.isnull().all():
        return [first, "The candidates were not trained." if dataset.sizes["epoch"] == 1 else NOT_YET]
    rows = predictor_ranks_data({"": dataset}, q, n, measure, [kind])
    control = _control(dataset, gain_digits(frame, measure), measure)
    doubt = ranking.doubt(dataset, measure)
    return [first, _training(gains, frame, measure), control, _agreement(metric, gains, rows, kind, doubt)]


def _training(gains: xr.DataArray, frame: pd.DataFrame, measure: Measure) -> str:
    if gains.mean("seed").max() <= 0:
        return "After training, no candidate gained anything on average."
    words = "After training, the greatest gain is that of"
    return pick(gains, frame, "best_gain", words, unit(measure), gain_digits(frame, measure))


def unit(measure: Measure) -> str:
    """The unit of a gain in a sentence."""
    return UNITS[measure] if measure == "accuracy" else f"in {UNITS[measure]}"


def _control(dataset: xr.Dataset, digits: int, measure: Measure) -> str:
    """What the base gains without expansion, and which candidates may gain no more than that."""
    if not has_control(dataset):
        return wording.NO_CONTROL
    gains, excess = control_gain(dataset, measure), excess_gain(dataset, measure)
    if excess.isnull().all():
        return "The control has not been trained yet."
    found = {f"gain_{name}": float(each) for name, each in over_seeds(gains).items()}
    told = f"{interval(found | {'gain': found['gain_mean']}, 'gain', digits)} {unit(measure)}"
    first = f"The control, which is the base trained on for as long without expansion, gains {told}"
    if int(excess.count("seed").max()) < 2:
        return f"{first}."
    trained = excess.dropna("candidate", how="all").sizes["candidate"]
    return f"{first}; {wording.beyond_control(list(map(escaped, not_above_control(excess))), trained)}"


def _agreement(metric: xr.DataArray, gains: xr.DataArray, rows: pd.DataFrame, kind: Kind, doubt: str) -> str:
    if rows.set_index("predictor").loc[METRIC, "count"]:
        return f"Rank correlation with G*: {ranking.agreement(rows, kind)}{doubt}"
    return why_unranked(metric, gains)


def pick(values: xr.DataArray, frame: pd.DataFrame, name: str, words: str, unit: str, digits: int) -> str:
    """The best candidate by values (seed, candidate), its row of `overview_data`, and how sure that is."""
    lead = leads(values)
    best, tied = str(lead["best"].item()), lead["candidate"].values[lead["tied"].values].tolist()
    row = frame.set_index("candidate").loc[best].to_dict()
    names = wording.enumeration([bold(name) for name in (best, *tied)]) + (", which are tied" if tied else "")
    within = pd.notna(row[f"{name}_low"])
    return f"{words} {names}: {interval(row, name, digits)} {unit}{_sureness(lead, within)}"


def _sureness(lead: xr.Dataset, within: bool) -> str:
    """How sure the pick is. `within` says whether a single seed has an interval, over its permutations."""
    rivals = lead.sel(candidate=~lead["tied"])
    if lead.sizes["candidate"] == 0:
        return ". There is no other candidate to compare it with."
    if int(lead["count"].max()) < 2:
        source = ", and the interval from its permutations" if within else ""
        return f". This comes from one seed{source}; how much seeds differ is unknown."
    if rivals.sizes["candidate"] == 0:
        return ", in every seed."
    near = rivals["candidate"].values[~(rivals["low"] > 0).values]
    if near.size == 0:
        return ". Compared seed by seed, that is clearly more than for any other candidate."
    names = wording.enumeration(list(map(escaped, near)))
    return f". Compared seed by seed, that is not clearly more than for {names}."
