"""The gain lost by a pick: by hand in NumPy, its laws, and where it is told."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from synthetic import small_study, synthetic, without

from landscape import figures
from landscape.analysis import performance
from landscape.analysis.ranking.partial_correlation import predictor_partial_correlation
from landscape.analysis.ranking.regret import predictor_regret, random_regret, regret
from landscape.analysis.ranking.scores import candidate_scores
from landscape.analysis.summary import summary
from landscape.cli.report import html_report
from landscape.cli.tables import summary_text
from pages.shared import ranking

Q, N, MEASURE = 0.4, 50, "accuracy"
ROWS = arrays(np.float64, (2, 5), elements=st.integers(-3, 3).map(float))


def by_hand(scores: np.ndarray, gains: np.ndarray) -> float:
    picked = [gain for score, gain in zip(scores, gains, strict=True) if score == max(scores)]
    return max(gains) - sum(picked) / len(picked)


@pytest.fixture
def dataset() -> xr.Dataset:
    return synthetic(small_study(), np.random.default_rng(0))


@given(ROWS, ROWS)
def test_regret_equals_a_loop_and_is_never_negative(scores: np.ndarray, gains: np.ndarray) -> None:
    found = regret(scores, gains)
    assert_allclose(found, [by_hand(*each) for each in zip(scores, gains, strict=True)], atol=1e-12)
    assert (found >= 0).all()


@given(ROWS)
def test_whoever_knows_the_gains_regrets_nothing_and_chance_regrets_less_than_the_worst(gains: np.ndarray) -> None:
    assert_array_equal(regret(gains, gains), 0)
    assert_array_equal(regret(np.exp(gains), gains), 0)
    chance = regret(np.zeros(gains.shape), gains)
    assert_allclose(chance, gains.max(-1) - gains.mean(-1), atol=1e-12)
    assert (chance <= regret(-gains, gains) + 1e-12).all()


@given(ROWS, ROWS, st.floats(-10, 10))
def test_regret_is_the_same_in_gains_over_any_level(scores: np.ndarray, gains: np.ndarray, level: float) -> None:
    """So that it is the same for G* and for G* minus the control's, which is one number in a seed."""
    assert_allclose(regret(scores, gains + level), regret(scores, gains), atol=1e-9)


@pytest.mark.parametrize(
    ("scores", "gains", "expected"),
    [
        ([1, 2], [np.nan, 3], np.nan),  # no choice
        ([1, 2, 3], [4, 3, np.nan], 1),  # what was not trained cannot be picked
        ([np.nan, 2, 3], [4, 3, 2], np.nan),  # it may have been the pick
        ([np.inf, 2, 3], [4, 3, 2], np.nan),
        ([np.nan, 2, 3], [np.nan, 3, 2], 1),
        ([], [], np.nan),
    ],
)
def test_what_is_missing(scores: list[float], gains: list[float], expected: float) -> None:
    assert_array_equal(regret(scores, gains), expected)


def test_regrets_of_a_result(dataset: xr.Dataset) -> None:
    found = predictor_regret(dataset, Q, N, MEASURE)
    assert found.dims == ("predictor", "seed") and found.attrs["units"] == "percentage points"
    scores, best = candidate_scores(dataset, Q, N).values, performance.best_gain(dataset, MEASURE).values
    for i, seed in np.ndindex(*found.shape):
        assert found.values[i, seed] == pytest.approx(by_hand(scores[i, seed], best[seed]))
    largest = int(np.argmax(dataset["parameters"].values[1:]))
    assert_allclose(found.sel(predictor="parameters"), best.max(-1) - best[:, largest])
    assert_allclose(random_regret(dataset, MEASURE), best.max(-1) - best.mean(-1))
    assert_allclose(found.sel(predictor="snip"), random_regret(dataset, MEASURE))  # ties but for rounding


def test_a_missing_candidate_is_not_picked(dataset: xr.Dataset) -> None:
    partial = without(dataset, candidate="hidden1 → 18")
    fewer = dataset.sel(candidate=["hidden1 → 8", "hidden1 → 12"])
    found, expected = (predictor_regret(each, Q, N, MEASURE) for each in (partial, fewer))
    assert_array_equal(found.values, expected.values)


def mean_and_interval(values: np.ndarray, least: float, greatest: float) -> list[float]:
    """The mean of those known, and its interval, by SciPy."""
    known = values[~np.isnan(values)]
    bounds = stats.t.interval(0.95, len(known) - 1, known.mean(), stats.sem(known))
    return [known.mean(), *np.clip(bounds, least, greatest)]


@pytest.mark.parametrize("measure", performance.MEASURES)
def test_the_summary_has_both_with_intervals_and_seeds(dataset: xr.Dataset, measure: performance.Measure) -> None:
    told = json.loads(json.dumps(summary(dataset, Q, N), allow_nan=False))
    regrets = predictor_regret(dataset, Q, N, measure)
    pairs = [
        (told["regret"]["predictors"]["M0"], regrets.sel(predictor="M0"), (0, np.inf)),
        (told["regret"]["largest"], regrets.sel(predictor="parameters"), (0, np.inf)),
        (told["regret"]["random"], random_regret(dataset, measure), (0, np.inf)),
        (
            told["partial_kendall"]["sotl_e"],
            predictor_partial_correlation(dataset, Q, N, measure).sel(predictor="sotl_e"),
            (-1, 1),
        ),
    ]
    for estimates, values, within in pairs:
        estimate = estimates[measure]
        assert estimate["seeds"] == values.count()
        if estimate["seeds"] > 1 and np.ptp(values.dropna("seed").values):
            expected = mean_and_interval(values.values, *within)
            assert [estimate[name] for name in ("mean", "low", "high")] == pytest.approx(expected)
    assert told["partial_kendall"]["parameters"][measure] == {"mean": None, "low": None, "high": None, "seeds": 0}


def test_the_table_of_the_page_has_the_regrets_of_its_csv(dataset: xr.Dataset) -> None:
    rows = figures.predictor_ranks_data({"one": dataset}, Q, N, MEASURE, ["kendall"])
    regrets = predictor_regret(dataset, Q, N, MEASURE).mean("seed")
    assert_allclose(rows.set_index("predictor")["regret_mean"], regrets)
    assert_allclose(rows["random_regret_mean"], random_regret(dataset, MEASURE).mean())
    shown = ranking.table(rows, "kendall", MEASURE).set_index("predictor")
    assert shown.index[-1] == "chance" and (shown.loc["chance", ["τ", "partial τ"]] == "–").all()
    assert shown.loc["M₀", "regret (points)"].startswith(f"{float(regrets.sel(predictor='M0')):.2f}")
    assert shown.iloc[1]["partial τ"] == "–"  # the parameter count, given itself
    assert ranking.beyond_size(rows, "kendall").endswith(f"partial τ = **{shown.loc['M₀', 'partial τ']}**.")
    said = ranking.regret(rows, MEASURE)
    assert f"**{shown.loc['M₀', 'regret (points)']}** points" in said
    assert said.endswith(f"a random one {shown.loc['chance', 'regret (points)']}.")


def test_seeds_that_are_left_out_are_counted_beside_the_number(dataset: xr.Dataset) -> None:
    dataset["parameters"].values[:] = 500
    dataset["barrier"].loc[{"seed": [1]}] = 0  # M₀ ties there
    rows = figures.predictor_ranks_data({"one": dataset}, Q, N, MEASURE, ["kendall"])
    shown = ranking.table(rows, "kendall", MEASURE).set_index("predictor")
    assert shown.loc["M₀", "partial τ"].endswith(", 3\N{NO-BREAK SPACE}seeds")
    assert "seed" not in shown.loc["M₀", "regret (points)"]
    lines = summary_text(summary(dataset, Q, N)).split("Partial τ of")[1].splitlines()
    assert ", 3 seeds" in lines[1] and lines[1].startswith("M0 ")


def test_a_result_without_gains_has_no_sentence_and_dashes(dataset: xr.Dataset) -> None:
    for name in ("validation_accuracy", "validation_loss"):
        dataset[name].values[:] = np.nan
    rows = figures.predictor_ranks_data({"one": dataset}, Q, N, MEASURE, ["kendall"])
    assert ranking.regret(rows, MEASURE) == ranking.beyond_size(rows, "kendall") == ""
    shown: pd.DataFrame = ranking.table(rows, "kendall", MEASURE)
    assert (shown.drop(columns="predictor") == "–").all(axis=None)
    assert "Partial τ of" not in summary_text(summary(dataset, Q, N))


def test_the_report_compares_the_predictors_by_both(dataset: xr.Dataset) -> None:
    text = html_report(dataset, Q, N)
    assert "Partial τ of" in text and "Regret of the pick by" in text and "<td>chance</td>" in text
