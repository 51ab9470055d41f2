"""Why M is what it is: batches against seeds, and M beside the sharpness; by hand, in NumPy and SciPy."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import xarray as xr
from scipy.stats import kendalltau
from synthetic import small_study, synthetic

from landscape.analysis.mechanism.batches import batch_metric, best_known_batches, variances
from landscape.analysis.mechanism.sharpness import correlation_with_metric
from landscape.analysis.metric import initial_metric, manifold_metric
from landscape.analysis.scorecard import CLAIMS, verdict
from landscape.analysis.scorecard.findings import metric_by_sharpness, rise_of_sharpness
from landscape.figures.mechanism import (
    batch_metrics,
    batch_metrics_data,
    batch_variances_data,
    copy_cosines,
    copy_cosines_data,
    sharpness_correlations_data,
    sharpness_trajectories,
    sharpness_trajectories_data,
)
from landscape.study import validated

pytestmark = pytest.mark.compiled_quickly

Q, N = 0.4, 60


@cache
def asked(**sizes: int) -> xr.Dataset:
    """A result with everything that a study can ask for."""
    content = small_study(**sizes).model_dump(mode="json")
    content["walk"] |= {"sharpness": True, "batches": [64, 512]}
    return synthetic(validated(content), np.random.default_rng(0))


def effects(shape: tuple[int, int, int], deviations: tuple[float, float, float], rng: np.random.Generator):
    """Draws of a table of seeds and batches, with the deviations of what seeds, batches and both add."""
    draws, seeds, batches = shape
    sizes = ((draws, seeds, 1), (draws, 1, batches), shape)
    parts = [each * rng.normal(size=size) for each, size in zip(deviations, sizes, strict=True)]
    return xr.DataArray(sum(parts), dims=("draw", "seed", "batch"))


def test_variances_are_those_that_were_drawn():
    rng = np.random.default_rng(0)
    found = variances(effects((400, 10, 8), (2.0, 1.0, 0.5), rng)).mean("draw")
    assert found["seed"].item() == pytest.approx(4, rel=0.1)
    assert found["batch"].item() == pytest.approx(1, rel=0.1)
    assert found["both"].item() == pytest.approx(0.25, rel=0.1)


def test_an_analysis_of_variance_by_hand():
    """Sums of squares of the table: what seeds, batches and the rest take of the whole."""
    x = np.array([[1.0, 4.0, 2.0], [3.0, 9.0, 1.0]])  # 2 seeds, 3 batches
    grand, rows, columns = x.mean(), x.mean(1), x.mean(0)
    of_seeds, of_batches = 3 * ((rows - grand) ** 2).sum(), 2 * ((columns - grand) ** 2).sum()
    rest = (((x - grand) ** 2).sum() - of_seeds - of_batches) / 2  # 1 · 2 degrees of freedom
    found = variances(xr.DataArray(x, dims=("seed", "batch")))
    assert found["both"].item() == pytest.approx(rest)
    assert found["seed"].item() == pytest.approx(max(0.0, (of_seeds - rest) / 3))
    assert found["batch"].item() == pytest.approx((of_batches / 2 - rest) / 2)
    mean = (found["seed"] + rest) / 2 + found["batch"]
    assert found["share"].item() == pytest.approx((found["batch"] / mean).item())


def test_batches_that_are_missing_count_for_nothing_and_one_says_nothing():
    x = effects((1, 4, 3), (1.0, 1.0, 1.0), np.random.default_rng(1)).squeeze("draw")
    padded = xr.concat([x, x.isel(batch=[0]) * np.nan], "batch")
    xr.testing.assert_allclose(variances(padded), variances(x))
    alone = variances(x.isel(batch=[0]))
    assert alone["batch"].isnull() and alone["share"].isnull() and alone["batches"] == 1
    assert variances(x.isel(seed=[0]))["batch"].isnull()
    same = variances(xr.DataArray(np.ones((3, 3)), dims=("seed", "batch")))
    assert same["batch"] == 0 and same["share"].isnull()


def test_the_metric_of_a_batch_is_that_of_a_study_on_this_batch():
    dataset, at = asked(), {"split": "train", "batch_size": 512, "batch": 1}
    on_it = dataset.assign(
        base_barrier=dataset["base_batch_barrier"].sel(at, drop=True),
        barrier=dataset["batch_barrier"].sel(at, drop=True).expand_dims(checkpoint=[0], axis=2),
    )
    found = batch_metric(dataset, Q, 40).sel(at, drop=True)
    np.testing.assert_allclose(found, initial_metric(on_it, Q, 40), atol=1e-12)


def test_the_size_with_the_most_batches_is_the_one_that_is_told():
    assert best_known_batches(batch_metric(asked(), Q, N)) == ("train", 64)
    plain = synthetic(small_study(), np.random.default_rng(0))
    assert best_known_batches(batch_metric(plain, Q, N)) is None


def test_the_correlation_with_the_metric_is_that_of_scipy():
    dataset = asked()
    found, metric = correlation_with_metric(dataset, Q, N), manifold_metric(dataset, Q, N)
    at = {"seed": 2, "candidate": "hidden1 → 12"}
    expected = kendalltau(dataset["sharpness"].sel(at), metric.sel(at)).statistic
    assert found.sel(at).item() == pytest.approx(expected)


def test_the_claims_of_a_sharper_region_are_tested_only_where_it_was_measured():
    """Where λ_max falls as M_t falls, both are contradicted; where it rises by the same numbers, both hold."""
    claims = [claim for claim in CLAIMS if claim.page == "sharpness"]
    assert len(claims) == 2
    assert not any(claim.tests(synthetic(small_study(), np.random.default_rng(0))) for claim in claims)
    dataset, metric = asked(), manifold_metric(asked(), Q, N)
    for sign, said in ((1, "contradicted"), (-1, "reproduced")):
        level = dataset["sharpness"].copy(data=np.exp(sign * metric.values / 10))
        falls = dataset.assign(sharpness=level)
        assert claims[1].tests(falls) and verdict(metric_by_sharpness(falls), claims[1].claimed) == said


def test_the_rise_of_the_sharpness_is_a_geometric_mean():
    dataset = asked(epochs=60)
    level = xr.ones_like(dataset["sharpness"])
    level.loc[{"checkpoint": 60}] = [[2.0, 2.0, 2.0], [8.0, 8.0, 8.0], [2.0, 4.0, 8.0], [4.0, 4.0, 4.0]]
    found = rise_of_sharpness(dataset.assign(sharpness=level))
    assert found.value == pytest.approx(4) and found.low > 1 and found.note == "t = 15 to 60"
    assert rise_of_sharpness(dataset.sel(checkpoint=[60])).count == 0


def test_figures_draw_their_tables_and_tables_their_variables():
    dataset = asked()
    cosines = copy_cosines_data(dataset).set_index(["candidate", "checkpoint"])["mean"]
    assert cosines["hidden1 → 8", 12] == pytest.approx(
        dataset["copy_cosine"].sel(candidate="hidden1 → 8", checkpoint=12).mean().item()
    )
    for figure, frame in (
        (copy_cosines(dataset), copy_cosines_data(dataset)),
        (sharpness_trajectories(dataset), sharpness_trajectories_data(dataset)),
        (sharpness_trajectories(dataset, "trace"), sharpness_trajectories_data(dataset, "trace")),
    ):
        lines = {line.name: line for line in figure.data if line.name}
        assert set(lines) == set(frame["candidate"])
        for name, rows in frame.groupby("candidate"):
            np.testing.assert_array_equal(lines[name].y, rows["mean"])
    points = sum(len(trace.x) for trace in batch_metrics(dataset, Q, N).data)
    assert points == len(batch_metrics_data(dataset, Q, N)) == 3 * (8 + 1 + 7)
    assert set(batch_variances_data(dataset, Q, N)["batches"]) == {8, 1, 7}
    assert sharpness_correlations_data(dataset, Q, N)["candidate"].iloc[-1] == "all"
    empty = batch_metrics(synthetic(small_study(), np.random.default_rng(0)), Q, N)
    assert "one batch only" in empty.layout.annotations[0].text
