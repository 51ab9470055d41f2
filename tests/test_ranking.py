"""What pages say about rank correlations that some or all seeds lack."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats
from synthetic import small_study, synthetic

from landscape import figures
from landscape.analysis.metric import metric_grid
from landscape.analysis.performance import best_gain
from landscape.analysis.ranking.correlation import predictor_correlation
from landscape.analysis.ranking.unranked import why_unranked
from landscape.study.predictors import METRIC, PARAMETERS
from pages.shared import answer, ranking

Q, N, MEASURE = 0.4, 50, "accuracy"
CEILING = "No rank correlation: in every seed M₀ is equal for all candidates."


def made() -> xr.Dataset:
    return synthetic(small_study(), np.random.default_rng(0))


def at_ceiling(seeds: list[int]) -> xr.Dataset:
    """Every edge of every candidate exists in some seeds."""
    dataset = made()
    dataset["barrier"].loc[{"seed": seeds}] = 0
    return dataset


def table(dataset: xr.Dataset) -> pd.DataFrame:
    return figures.predictor_ranks_data({"one": dataset}, Q, N, MEASURE, ["kendall"])


def test_seeds_are_named_where_they_differ_and_compared_where_both_have_a_rank() -> None:
    dataset = at_ceiling([0, 1, 3])
    found = predictor_correlation(dataset, Q, N, MEASURE)
    mine, count = found.sel(predictor=METRIC).values, found.sel(predictor=PARAMETERS).values
    assert np.isfinite(mine).tolist() == [False, False, True, False] and np.isfinite(count).all()
    text = ranking.agreement(table(dataset), "kendall")
    assert text.startswith(
        f"M₀ reaches τ = **{mine[2]:.2f}** over one seed; the parameter count, which costs nothing, reaches "
    )
    assert f"**{count.mean():.2f}** ± {count.std(ddof=1):.2f} over 4 seeds." in text
    gap = mine[2] - count[2]
    compared = f"{abs(gap):.2f} {'higher' if gap > 0 else 'lower'}" if gap else "as high"
    assert text.endswith(f"In the one seed where both are defined, M₀ is {compared}.")
    assert text in answer.sentences(dataset, Q, N, MEASURE)[-1]


def test_other_predictors_are_compared_with_the_metric_within_seeds() -> None:
    rows = table(at_ceiling([1])).set_index("predictor")
    found = predictor_correlation(at_ceiling([1]), Q, N, MEASURE)
    gap = (found.sel(predictor="grad_norm") - found.sel(predictor=METRIC)).values
    assert rows.loc["grad_norm", "shared"] == 3
    assert rows.loc["grad_norm", "ahead"] == pytest.approx(np.nanmean(gap))


def test_a_predictor_is_clearly_better_only_where_the_interval_of_its_lead_leaves_out_0() -> None:
    rows = table(made()).set_index("predictor")
    found = predictor_correlation(made(), Q, N, MEASURE)
    lead = (found.sel(predictor="sotl_e") - found.sel(predictor=METRIC)).values
    low, _ = stats.t.interval(0.95, 3, np.mean(lead), stats.sem(lead))
    assert rows.loc["sotl_e", "ahead_low"] == pytest.approx(low) and low < 0 < np.mean(lead)
    assert "−SoTL-E, epoch 1 does better on average, but not clearly." in ranking.answer(rows.reset_index(), "kendall")
    rows.loc[["sotl_e", "grad_norm"], ["ahead", "ahead_low"]] = (0.5, 0.1)
    rows.loc["grasp", ["ahead", "ahead_low"]] = (0.5, np.nan)  # all seeds agree, so there is no interval
    text = ranking.answer(rows.reset_index(), "kendall")
    assert "GradNorm and −SoTL-E, epoch 1 do clearly better. GraSP does better on average, but not clearly." in text


def test_seeds_that_do_not_differ_are_not_mentioned() -> None:
    text = ranking.answer(table(made()), "kendall")
    assert text.count("seed") == text.count(" over seeds; ") == 1 and "better on average" in text
    alike = "SNIP, SynFlow and Jacov give no ranking, because they are undefined or equal for all candidates."
    assert text.endswith(alike), "exact widening does not change them"


def test_trained_candidates_with_equal_metrics_are_not_called_untrained() -> None:
    dataset = at_ceiling([0, 1, 2, 3])
    assert why_unranked(metric_grid(dataset, [Q], [N]), best_gain(dataset, MEASURE)) == CEILING
    figure = figures.sensitivity_map(dataset, [Q], [N], MEASURE)
    assert figure.layout.annotations[0].text == CEILING
    assert answer.sentences(dataset, Q, N, MEASURE)[-1] == CEILING


def test_equal_gains_are_distinguished_from_missing_ones() -> None:
    equal, missing = made(), made()
    equal["validation_accuracy"].values[:] = 0.95
    figure = figures.predictor_ranks({"one": equal}, Q, N, MEASURE)
    text = "No rank correlation: in every seed the best gain G* is equal for all candidates."
    assert figure.layout.annotations[0].text == text
    missing["validation_accuracy"].values[..., 1:, :] = np.nan  # one candidate left
    figure = figures.predictor_ranks({"one": missing}, Q, N, MEASURE)
    assert figure.layout.annotations[0].text == "No rank correlation: it needs two trained candidates of one seed."


def test_seeds_may_lack_ranks_for_different_reasons() -> None:
    dataset = at_ceiling([0, 1])
    dataset["validation_accuracy"].loc[{"seed": [2, 3]}] = 0.95
    scores = metric_grid(dataset, [Q], [N])
    text = "No rank correlation: in every seed M₀ or the best gain G* is equal for all candidates."
    assert why_unranked(scores, best_gain(dataset, MEASURE)) == text
