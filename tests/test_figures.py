"""Figures: their tables against independent computations from the dataset, and laws that every figure keeps."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

import networkx as nx
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
import xarray as xr
from scipy import stats
from synthetic import small_study, synthetic, without

from landscape import figures
from landscape.analysis import plane
from landscape.analysis.performance import Measure
from landscape.analysis.plane import pushed_apart, scaled_to_plane
from landscape.figures.palette import barrier_colours
from landscape.figures.style import candidate_order
from landscape.figures.trajectories import candidate_lines, table_over_seeds
from landscape.study import Study, schema, validated
from landscape.study.presets import preset

Q, N, MEASURE = 0.4, 50, "accuracy"
GREATEST_JSON = 300_000  # bytes
LONGEST = 33  # characters of an axis title
NARROW = 190  # pixels: a graph beside its curve on a projector
BACKWARDS = ("hidden1 → 18", "hidden1 → 8", "hidden1 → 12")  # the study lists them out of order

Drawn = Callable[[xr.Dataset], go.Figure]
DRAWN: dict[str, Drawn] = {
    "overview": lambda d: figures.overview(d, Q, N, MEASURE),
    "rank_comparison": lambda d: figures.rank_comparison(d, Q, N, MEASURE),
    "predictor_ranks": lambda d: figures.predictor_ranks({"one": d}, Q, N, MEASURE),
    "predictor_scores": lambda d: figures.predictor_scores(d, Q, N, MEASURE),
    "interpolation": lambda d: figures.interpolation(d, 0, "base", "start", figures.start_pairs(d, 3)),
    "seed_interpolation": lambda d: figures.seed_interpolation(d, "base", "start", 0),
    "barrier_histogram": lambda d: figures.barrier_histogram(d, None, 0, Q, N),
    "barrier_histogram, log": lambda d: figures.barrier_histogram(d, 0, 0, Q, N, log=True),
    "permutation_graph": lambda d: figures.permutation_graph(d, 0, "base", "start", Q, N, all_pairs=True),
    "edge_curve": lambda d: figures.edge_curve(d, 0, "base", "start", 0),
    "gain_trajectories": lambda d: figures.gain_trajectories(d, MEASURE),
    "metric_trajectories": lambda d: figures.metric_trajectories(d, Q, N, log=True),
    "correlation_trajectories": lambda d: figures.correlation_trajectories(d, Q, N, MEASURE),
    "perplexity_trajectories": figures.perplexity_trajectories,
    "sensitivity_map": lambda d: figures.sensitivity_map(d, *figures.fine_grid(d), MEASURE, current=(Q, N)),
    "surface_contours": lambda d: figures.surface_contours(d, "base", "start"),
    "surface_relief": lambda d: figures.surface_relief(d, "base", "start"),
}
BY_CANDIDATE = (
    "overview", "rank_comparison", "predictor_scores", "gain_trajectories", "metric_trajectories",
    "perplexity_trajectories",
)  # fmt: skip
COUNTED = (
    "overview", "predictor_ranks", "gain_trajectories", "metric_trajectories", "correlation_trajectories",
    "perplexity_trajectories", "sensitivity_map",
)  # fmt: skip
UNTRAINED = (
    "overview", "predictor_ranks", "predictor_scores", "gain_trajectories", "perplexity_trajectories",
    "correlation_trajectories", "sensitivity_map",
)  # fmt: skip


def backwards(**sizes: int) -> Study:
    """The small study with its candidates out of order."""
    content = small_study(**sizes).model_dump(mode="json")
    content["candidates"] = [content["candidates"][i] for i in (2, 0, 1)]
    return validated(content)


@cache
def whole() -> xr.Dataset:
    return synthetic(backwards(), np.random.default_rng(0))


@cache
def untrained() -> xr.Dataset:
    """Expanded and walked, but no candidate was trained."""
    dataset = whole().copy(deep=True)
    for name in ("validation_loss", "validation_accuracy", "train_loss", "sotl_e"):
        dataset[name].values[:] = dataset[f"control_{name}"].values[:] = np.nan
    return dataset


def gains(dataset: xr.Dataset, measure: Measure = MEASURE) -> np.ndarray:
    """G_t (seed, candidate, epoch), by hand."""
    seeds = np.arange(dataset.sizes["seed"])
    stop = dataset["base_stop"].values.astype(int)
    if measure == "accuracy":
        base = 100 * dataset["base_validation_accuracy"].values[seeds, stop].astype(float)
        return 100 * dataset["validation_accuracy"].values.astype(float) - base[:, None, None]
    base = np.log(dataset["base_validation_loss"].values[seeds, stop].astype(float))
    return base[:, None, None] - np.log(dataset["validation_loss"].values.astype(float))


def metrics(dataset: xr.Dataset, q: float = Q, n: int = N) -> np.ndarray:
    """M_t in percent (seed, candidate, checkpoint), by hand."""
    base, walks = dataset["base_barrier"].values[:, :n].astype(float), dataset["barrier"].values[..., :n].astype(float)
    limits = np.quantile(base, q, axis=1)
    own = np.mean(base <= limits[:, None], axis=1)
    return 100 * (np.mean(walks <= limits[:, None, None, None], axis=-1) - own[:, None, None])


def taus(scores: np.ndarray, best: np.ndarray) -> np.ndarray:
    return np.array([stats.kendalltau(x, y).statistic for x, y in zip(scores, best, strict=True)])


def by(frame: pd.DataFrame, rows: str, columns: str, values: str = "mean") -> np.ndarray:
    """A long table as an array, candidates in the order of the study."""
    table = frame.pivot(index=rows, columns=columns, values=values)
    return (table.loc[list(BACKWARDS)] if rows == "candidate" else table).values


# --- tables


@pytest.mark.parametrize("measure", ["accuracy", "negative log loss"])
def test_overview_has_mean_metric_and_mean_best_gain(measure):
    frame = figures.overview_data(whole(), Q, N, measure).set_index("candidate").loc[list(BACKWARDS)]
    np.testing.assert_allclose(frame["M0"], metrics(whole())[:, :, 0].mean(0))
    np.testing.assert_allclose(frame["best_gain"], gains(whole(), measure).max(2).mean(0), rtol=1e-9)
    assert frame["width"].tolist() == [18, 8, 12]
    assert ((frame["M0_low"] <= frame["M0"]) & (frame["M0"] <= frame["M0_high"])).all()


def test_ranks_and_correlations_are_those_of_scipy():
    frame = figures.rank_comparison_data(whole(), Q, N, MEASURE)
    scores = {"M0": metrics(whole())[:, :, 0], "G*_T": gains(whole()).max(2)}
    for name, values in scores.items():
        rows = frame[frame["predictor"] == name].set_index("candidate").loc[list(BACKWARDS)]
        np.testing.assert_allclose(rows["score"], values.mean(0))
        np.testing.assert_allclose(rows["rank"], stats.rankdata(-values.mean(0)))
    text = frame[frame["predictor"] == "M0"]["correlation"].unique()
    np.testing.assert_allclose(text, np.mean(taus(scores["M0"], scores["G*_T"])))


@pytest.mark.parametrize("kind", ["kendall", "spearman", "pearson"])
def test_predictor_ranks_are_those_of_scipy(kind):
    frame = figures.predictor_ranks_data({"one": whole(), "two": whole()}, Q, N, MEASURE)
    assert frame["study"].unique().tolist() == ["one", "two"]
    rows = frame[(frame["study"] == "two") & (frame["kind"] == kind)].set_index("predictor")
    scipy = {"kendall": stats.kendalltau, "spearman": stats.spearmanr, "pearson": stats.pearsonr}[kind]
    scores = whole()["proxy"].sel(predictor="grad_norm").values.astype(float)
    pairs = zip(scores, gains(whole()).max(2), strict=True)
    np.testing.assert_allclose(rows.loc["grad_norm", "mean"], np.mean([scipy(x, y)[0] for x, y in pairs]))
    assert np.isnan(rows.loc["snip", "mean"])  # equal but for rounding


def test_predictor_bars_stand_for_the_chosen_kind():
    figure = figures.predictor_ranks({"one": whole()}, Q, N, MEASURE, "spearman")
    frame = figures.predictor_ranks_data({"one": whole()}, Q, N, MEASURE)
    rows = frame[(frame["kind"] == "spearman") & frame["mean"].notna()]
    np.testing.assert_allclose(figure.data[0].y, rows["mean"])
    assert list(figure.data[0].x) == [figures.predictor_label(name) for name in rows["predictor"]]


def test_predictor_scores_have_a_panel_each_and_a_point_a_seed_and_candidate():
    frame = figures.predictor_scores_data(whole(), Q, N, MEASURE)
    assert frame.groupby("predictor").size().tolist() == [whole().sizes["seed"] * 3] * 8
    figure = figures.predictor_scores(whole(), Q, N, MEASURE)
    assert len({trace.xaxis for trace in figure.data}) == 8
    assert sum(len(trace.x) for trace in figure.data) == len(frame)


def test_scores_that_differ_by_rounding_have_one_tick():
    """Its value has at most four digits; other panels keep their own ticks."""
    dataset = whole().copy(deep=True)
    dataset["proxy"].loc[{"predictor": "jacov"}] = -49194416.0
    dataset["proxy"].loc[{"predictor": "jacov", "seed": 0}] += 4
    first, *_, jacov, _ = figures.predictor_scores(dataset, Q, N, MEASURE).select_xaxes()
    assert jacov.ticktext == ("−4.919×10⁷",) and list(jacov.tickvals) == [-49194416.0]
    assert first.ticktext is None


def test_predictor_costs_are_medians_over_seeds_of_the_greatest_candidate():
    frame = figures.predictor_cost_data(whole()).set_index("predictor")
    at = whole().sel(candidate="hidden1 → 18")
    assert (frame["candidate"] == "hidden1 → 18").all()
    np.testing.assert_allclose(frame.loc["M0", "seconds"], np.median(at["walk_seconds"]))
    np.testing.assert_allclose(
        frame.loc["jacov", "compile_seconds"], at["proxy_compile_seconds"].sel(predictor="jacov").max()
    )
    assert frame.loc["M0", "backward_passes"] == "0"
    epochs = np.isfinite(whole()["base_train_loss"]).sum("base_epoch")
    expected = np.median(whole()["seconds"].sel(model="base", phase="train") / epochs)
    np.testing.assert_allclose(frame.loc["sotl_e", "seconds"], expected)


def test_gain_trajectories_and_their_star():
    frame = figures.gain_trajectories_data(whole(), MEASURE)
    expected = gains(whole())
    np.testing.assert_allclose(by(frame, "candidate", "epoch"), expected.mean(0))
    np.testing.assert_allclose(by(frame, "candidate", "epoch", "std"), expected.std(0, ddof=1), atol=1e-12)
    first = frame.drop_duplicates("candidate").set_index("candidate").loc[list(BACKWARDS)]
    np.testing.assert_allclose(first["best_gain"], expected.max(2).mean(0))
    np.testing.assert_allclose(first["best_epoch"], expected.argmax(2).mean(0))


def test_the_star_is_the_gain_of_the_table():
    drawn = figures.gain_trajectories(whole(), MEASURE).data
    stars = {trace.legendgroup: trace.y[0] for trace in drawn if trace.marker.symbol == "star"}
    table = figures.overview_data(whole(), Q, N, MEASURE).set_index("candidate")["best_gain"]
    np.testing.assert_allclose([stars[name] for name in table.index], table)


def ranked_by_seeds(seeds: int, candidates: int) -> xr.Dataset:
    content = small_study().model_dump(mode="json")
    content["candidates"] = [[{"widen": "hidden1", "size": size}] for size in (8, 10, 12, 18, 24)[:candidates]]
    return synthetic(validated(content | {"seeds": seeds}), np.random.default_rng(3))


@pytest.mark.parametrize(("seeds", "candidates", "said"), [
    (4, 2, "two candidates allow only −1 and +1"), (4, 3, "one seed of 6"), (2, 5, "two seeds"),
    (1, 5, "one seed does"), (4, 5, ""),
])  # fmt: skip
def test_too_few_candidates_or_seeds_are_said_wherever_a_rank_correlation_is_shown(seeds, candidates, said):
    dataset = ranked_by_seeds(seeds, candidates)
    for name in ("predictor_ranks", "rank_comparison", "sensitivity_map", "correlation_trajectories"):
        texts = " ".join(each.text or "" for each in DRAWN[name](dataset).layout.annotations).replace("<br>", " ")
        assert (said in texts) if said else ("Says little" not in texts), name


def test_a_bar_without_an_interval_does_not_look_the_surest():
    """Three seeds that agree exactly have no interval."""
    dataset = ranked_by_seeds(3, 5)
    dataset["proxy"].loc[{"predictor": "grad_norm"}] = gains(dataset).max(2)
    (bars,) = figures.predictor_ranks({"one": dataset}, Q, N, MEASURE).data
    opacity = dict(zip(bars.x, bars.marker.opacity, strict=True))
    told = dict(zip(bars.x, bars.hovertext, strict=True))
    assert opacity["GradNorm"] < min(each for name, each in opacity.items() if "no interval" not in told[name])
    assert "all 3 seeds agree" in told["GradNorm"]
    written = figures.predictor_ranks({"one": dataset}, Q, N, MEASURE).layout.annotations
    lacking = {each.x for each in written if each.text == "no interval"}
    assert lacking == {name for name, text in told.items() if "no interval" in text} >= {"GradNorm"}


@pytest.mark.parametrize("seeds", [2, 3])
@pytest.mark.parametrize("q", [0.05, 0.4, 0.9])
def test_an_interval_of_the_metric_stays_between_floor_and_ceiling(seeds, q):
    dataset = ranked_by_seeds(seeds, 3)
    dataset["barrier"].values[:, 0] = 0  # every edge exists
    dataset["barrier"].values[:, 1] *= 100  # hardly any does
    dataset["barrier"].values[:, 2, :, ::2] = 0
    frame = figures.overview_data(dataset, q, N, MEASURE)
    assert frame["M0_high"].max() <= 100 * (1 - q) + 1e-9
    base = dataset["base_barrier"].values[:, :N].astype(float)
    own = np.mean(base <= np.quantile(base, q, 1)[:, None])
    assert frame["M0_low"].min() >= -100 * own - 1e-9
    known = frame.dropna(subset="M0_low")
    assert ((known["M0_low"] <= known["M0"] + 1e-9) & (known["M0"] <= known["M0_high"] + 1e-9)).all()


def test_metric_trajectories():
    frame = figures.metric_trajectories_data(whole(), Q, N)
    np.testing.assert_allclose(by(frame, "candidate", "checkpoint"), metrics(whole()).mean(0))


def test_correlation_trajectories():
    """τ of M_t and of −SoTL-E with the best gain, from SciPy, epoch by epoch."""
    frame = figures.correlation_trajectories_data(whole(), Q, N, MEASURE)
    best, sums = gains(whole()).max(2), -whole()["sotl_e"].values.astype(float)
    for name, scores in (("M_t", metrics(whole())), ("−SoTL-E", sums)):
        expected = [taus(scores[:, :, i], best).mean() for i in range(scores.shape[2])]
        found = frame[frame["predictor"] == name]
        defined = np.isfinite(expected)
        np.testing.assert_allclose(found["mean"], np.array(expected)[defined])


def test_correlation_trajectories_of_further_quantiles_are_those_of_each_alone():
    frame = figures.correlation_trajectories_data(whole(), Q, N, MEASURE, further=(0.1, Q))
    for q in (0.1, Q):
        alone = figures.correlation_trajectories_data(whole(), q, N, MEASURE)
        expected = alone[alone["predictor"] == "M_t"]["mean"].tolist()
        assert frame[frame["q"] == q]["mean"].tolist() == expected
    assert set(frame[frame["q"].isna()]["predictor"]) == {"−SoTL-E"}
    figure = figures.correlation_trajectories(whole(), Q, N, MEASURE, further=(0.1, Q))
    assert len([trace for trace in figure.data if trace.showlegend is not False]) == 3


def test_a_band_is_one_std_and_never_goes_beyond_the_seeds():
    """Three seeds at 1 and one at 0.2: one std above their mean of 0.8 would be 1.2, where no correlation is."""
    values = xr.DataArray([[1.0, 0.5], [1.0, 0.7], [1.0, 0.4], [0.2, 0.6]], {"epoch": [0, 1]}, ("seed", "epoch"))
    frame = table_over_seeds(values, "epoch").assign(candidate="control")
    band, _ = candidate_lines(frame, whole(), "epoch", log=False).data
    above, below = np.split(np.array(band.y), 2)
    mean, std = values.values.mean(0), values.values.std(0, ddof=1)
    np.testing.assert_allclose(above, [1.0, (mean + std)[1]])
    np.testing.assert_allclose(below[::-1], mean - std)


def test_perplexity_is_the_exponential_of_the_loss():
    frame = figures.perplexity_trajectories_data(whole())
    loss = whole()["validation_loss"].values.astype(float)
    candidates = frame[frame["candidate"] != "base"]
    np.testing.assert_allclose(by(candidates, "candidate", "epoch"), np.exp(loss).mean(0), rtol=1e-6)
    stop = int(whole()["base_stop"].values[0])
    base = np.exp(whole()["base_validation_loss"].values[:, stop].astype(float)).mean()
    assert frame[frame["candidate"] == "base"]["mean"].item() == pytest.approx(base)


def test_sensitivity_equals_the_metric_at_every_q_and_n():
    frame = figures.sensitivity_data(whole(), [0.1, 0.4], [20, 60], MEASURE)
    best = gains(whole()).max(2)
    for row in frame.itertuples():
        expected = taus(metrics(whole(), row.q, row.n)[:, :, 0], best)
        assert row.mean == pytest.approx(np.nanmean(expected))


def test_a_histogram_counts_steps_and_not_edges():
    """Steps above λ, which are not edges, are counted too."""
    assert "count (steps)" in axis_titles(figures.barrier_histogram(whole(), None, 0, Q, N))


@pytest.mark.parametrize("log", [False, True])
def test_every_barrier_falls_into_one_bin(log):
    frame = figures.barrier_histogram_data(whole(), None, 0, Q, N, log=log)
    counts = frame.groupby("model")["count"].sum()
    assert (counts == N * whole().sizes["seed"]).all()
    walked = whole()["base_barrier"].values[:, :N].astype(float)
    base = frame[frame["model"] == "base"]
    for row in base.iloc[1::7].itertuples():
        assert row.count == np.sum((walked >= row.low) & (walked < row.high))


def test_sizes_are_the_fractions_under_the_quantile():
    frame = figures.manifold_sizes_data(whole(), None, 0, Q, N)
    walks, base = whole()["barrier"].values[:, :, 0, :N], whole()["base_barrier"].values[:, :N]
    for row in frame[frame["model"] != "base"].itertuples():
        limit = np.quantile(base[row.seed].astype(float), Q)
        edges = np.sum(walks[row.seed, BACKWARDS.index(row.model)] <= limit)
        assert row.size == pytest.approx(edges / N)
        found = stats.binomtest(int(edges), N).proportion_ci(0.95)
        assert (row.low, row.high) == pytest.approx((found.low, found.high))


def test_interpolation_barriers_are_the_height_over_the_chord():
    pairs = [(0, 1), (1, 3)]
    frame = figures.interpolation_data(whole(), 1, "base", "start", pairs)
    text = figures.interpolation_barriers(frame).set_index(["curve", "split"])
    for pair, index in zip(pairs, (0, 5), strict=True):  # 01 02 03 04 12 13
        curve = whole()["curve"].sel(seed=1, model="base", moment="start", split="train").values[index].astype(float)
        row = text.loc[(f"node {pair[0]} – {pair[1]}", "train")]
        chord = np.linspace(curve[0], curve[-1], 25)
        assert row["barrier"] == pytest.approx(np.max(curve - chord))
        assert row["midpoint_barrier"] == pytest.approx(curve[12] - chord[12])


def test_the_graph_has_the_edges_under_the_threshold():
    frame = figures.permutation_graph_data(whole(), 2, BACKWARDS[0], "start", Q, N)
    barriers = whole()["barrier"].sel(seed=2, candidate=BACKWARDS[0]).values[0, :4]
    limit = np.quantile(whole()["base_barrier"].values[2, :N].astype(float), Q)
    np.testing.assert_allclose(frame["barrier"], barriers)
    np.testing.assert_array_equal(frame["present"], barriers <= limit)
    graph = figures.walk_graph(whole(), 2, BACKWARDS[0], "start", Q, N, all_pairs=True)
    assert graph.number_of_edges() == 10
    assert isinstance(graph, nx.Graph)


def walk_of(nodes: int, apart: float) -> xr.Dataset:
    """A result whose walks have all their nodes at one distance from each other."""
    content = small_study().model_dump(mode="json")
    content["walk"]["nodes"] = nodes
    dataset = synthetic(validated(content), np.random.default_rng(0))
    dataset["node_distance"].values[:] = apart * (1 - np.eye(nodes))
    return dataset


@pytest.mark.parametrize("nodes", [2, 5])
@pytest.mark.parametrize("apart", [0.0, 1.0, 1e-9])
def test_a_degenerate_graph_is_drawn(nodes, apart):
    """Both axes have a sensible range, and no node covers another."""
    dataset = walk_of(nodes, apart)
    graph = figures.walk_graph(dataset, 0, "base", "start", Q, N)
    places = np.array([[at["x"], at["y"]] for _, at in graph.nodes(data=True)])
    extent = np.ptp(places, axis=0).max()
    gaps = np.linalg.norm(places[:, None] - places, axis=-1)[np.triu_indices(nodes, 1)]
    assert gaps.min() > 0 < extent
    figure = figures.permutation_graph(dataset, 0, "base", "start", Q, N)
    node = max(trace.marker.size for trace in figure.data if trace.mode == "markers+text")
    assert gaps.min() / np.ptp(figure.layout.xaxis.range) * NARROW >= node, "no node covers another"
    assert min(np.ptp(axis.range) for axis in (figure.layout.xaxis, figure.layout.yaxis)) > 0.1 * extent


def test_nodes_that_have_room_stay_where_they_are():
    points = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    np.testing.assert_array_equal(pushed_apart(points), points)


def test_an_edge_is_clicked_anywhere_along_its_length_and_marked():
    figure = figures.permutation_graph(whole(), 0, "base", "start", Q, N, chosen=7)
    frame = figures.permutation_graph_data(whole(), 0, "base", "start", Q, N)
    handles = next(trace for trace in figure.data if trace.marker.color == "rgba(0, 0, 0, 0)")
    for row in frame.itertuples():
        at = np.array(handles.customdata) == row.pair
        along = np.hypot(np.array(handles.x)[at] - row.from_x, np.array(handles.y)[at] - row.from_y)
        np.testing.assert_allclose(
            along / np.hypot(row.to_x - row.from_x, row.to_y - row.from_y), np.arange(1, 10) / 10
        )
    (marked,) = [trace for trace in figure.data if trace.name == "the chosen pair"]
    row = frame[frame["pair"] == 7].iloc[0]
    assert (list(marked.x), list(marked.y)) == ([row["from_x"], row["to_x"]], [row["from_y"], row["to_y"]])


def test_the_curve_of_an_edge_is_coloured_as_edges_are():
    """By its midpoint barrier, on the scale of the graph and not on one of its own."""
    edges = figures.permutation_graph_data(whole(), 0, "base", "start", Q, N)
    pair, greatest = int(edges["pair"].iloc[1]), figures.greatest_on(edges)
    barriers = figures.interpolation_barriers(figures.edge_curve_data(whole(), 0, "base", "start", pair, ("train",)))
    figure = figures.edge_curve(whole(), 0, "base", "start", pair, ("train",), greatest)
    curve = next(trace for trace in figure.data if trace.mode == "lines+markers")
    assert [curve.line.color] == barrier_colours(barriers["midpoint_barrier"].tolist(), greatest)


def test_a_click_leaves_the_numbers_of_the_nodes():
    """Plotly fades what is not selected unless it is told otherwise."""
    for trace in figures.permutation_graph(whole(), 0, "base", "start", Q, N).data:
        if trace.mode == "markers+text":
            assert trace.unselected.marker.opacity == 1
            assert trace.unselected.textfont.color == trace.textfont.color


def test_a_dip_is_said_where_the_midpoint_barrier_counts_it():
    """b is 0 along a curve that sags, and b̂ is not."""
    dataset = whole().copy(deep=True)
    dataset["curve"].loc[{"pair": 0}] = 1 - 0.1 * np.sin(np.pi * dataset["alpha"].values)
    frame = figures.interpolation_data(dataset, 0, "base", "start", [(0, 1), (0, 2)], ("train",))
    sagging, rising = figures.interpolation_barriers(frame).to_dict("records")
    assert sagging["dip"] and not rising["dip"]
    assert (sagging["barrier"], sagging["midpoint_barrier"]) == (0, pytest.approx(0.1))
    text = "\n".join(hover_texts(figures.interpolation(dataset, 0, "base", "start", [(0, 1), (0, 2)], ("train",))))
    assert text.count("a dip") == 1


def test_places_in_the_plane_keep_distances_that_fit_there():
    points = np.random.default_rng(0).normal(size=(6, 2))
    apart = np.linalg.norm(points[:, None] - points, axis=-1)
    placed = scaled_to_plane(apart)
    np.testing.assert_allclose(np.linalg.norm(placed[:, None] - placed, axis=-1), apart, atol=1e-9)


def test_surface_data_are_the_stored_losses_at_their_places():
    frame = figures.surface_data(whole(), "end")
    for model, moment in ((BACKWARDS[0], "end"), ("base", "start")):
        rows = frame[frame["model"] == model]
        np.testing.assert_allclose(rows["loss"], whole()["surface"].sel(model=model, moment=moment).values.ravel())
        apart = whole()["node_distance"].sel(seed=0, model=model, moment=moment).values[:3, :3]
        x, y = plane.grid(plane.corners(apart), whole().sizes["surface_x"])
        np.testing.assert_allclose(rows["x"].unique(), x)
        np.testing.assert_allclose(rows["y"].unique(), y)


def test_surface_barriers_and_sides_are_those_of_the_curves():
    frame = figures.surface_barriers_data(whole(), "start")
    at = {"seed": 0, "model": "base", "moment": "start"}
    first = frame[frame["model"] == "base"].iloc[0]
    curve = whole()["curve"].sel(at | {"split": "train"}).values[0].astype(float)
    assert first["barrier"] == pytest.approx(np.max(curve - np.linspace(curve[0], curve[-1], 25)))
    assert first["distance"] == pytest.approx(float(whole()["node_distance"].sel(at).values[0, 1]))
    assert frame.groupby("model").size().tolist() == [3] * 4


def test_all_surfaces_share_one_colour_scale():
    models = figures.surface_models(whole(), "end")
    assert models == ["base", *candidate_order(whole())]
    drawn = [figures.surface_contours(whole(), model, "end", log=False).data[0] for model in models]
    values = figures.surface_data(whole(), "end")["loss"]
    assert {(each.zmin, each.zmax) for each in drawn} == {(values.min(), values.max())}


def test_captions_of_histograms_fit_on_a_telephone():
    """Also with the number of zeros, for which a log axis has no bin."""
    dataset = whole().copy(deep=True)
    dataset["barrier"].values[..., 0] = 0
    for log in (False, True):
        captions = figures.barrier_histogram(dataset, None, 0, Q, N, log=log).layout.annotations
        lines = [re.sub("<[^>]+>", "", line) for each in captions for line in each.text.split("<br>")]
        assert any(" at 0" in line for line in lines) == log
        assert max(map(len, lines)) <= 40, lines


# --- laws of every figure


def axis_titles(figure: go.Figure) -> list[str]:
    if "scene" in figure.layout and figure.layout.scene.xaxis.title.text:
        return [figure.layout.scene[axis].title.text for axis in ("xaxis", "yaxis", "zaxis")]
    if figure.layout.xaxis.visible is False:
        return [figure.data[0].marker.colorbar.title.text]
    axes = [figure.layout[name] for name in figure.layout if name.startswith(("xaxis", "yaxis"))]
    return [axis.title.text for axis in axes if axis.title.text]


@pytest.mark.parametrize("name", DRAWN)
def test_axes_name_their_units(name):
    titles = axis_titles(DRAWN[name](whole()))
    assert titles
    unitless = ("α (", "ranked by", "rank (", "MDS axis", "along θ", "across", "predictor")
    for title in titles:
        assert title.endswith(")") or "(nats)" in title or title.startswith(unitless), title
        first = re.sub("<[^>]+>", "", title.split("<br>")[0])
        assert len(first) <= LONGEST, f"{first!r} would be cut beside another figure on a projector"


@pytest.mark.parametrize("name", BY_CANDIDATE)
def test_every_candidate_has_one_entry_in_the_legend_from_small_to_great(name):
    listed = [trace.name for trace in DRAWN[name](whole()).data if trace.showlegend is not False]
    control = ["control"] if name.endswith("trajectories") else []
    assert listed == ["hidden1 → 8", "hidden1 → 12", "hidden1 → 18", *control]


@cache
def crowded() -> xr.Dataset:
    """Fourteen candidates with names as long as any of the shipped studies."""
    content = small_study().model_dump(mode="json")
    content["model"]["hidden"] = [6, 6, 6]
    wide = [[{"widen": "hidden1", "size": size}] for size in range(7, 20)]
    deep = [{"deepen": f"hidden{layer}", "layers": 3} for layer in (1, 2, 3)]
    return synthetic(validated(content | {"candidates": [*wide, deep]}), np.random.default_rng(0))


@pytest.mark.parametrize("name", BY_CANDIDATE)
def test_a_legend_of_one_entry_a_line_is_shown_whole_and_leaves_room(name):
    """As beside another figure, or on a telephone, with lines of 20 pixels."""
    figure, usual = DRAWN[name](crowded()), DRAWN[name](whole())
    listed = {trace.name for trace in figure.data if trace.showlegend is not False}
    lines = [line for entry in listed for line in entry.split("<br>")]
    assert len(listed) >= 14 and max(map(len, lines)) <= 34
    assert figure.layout.legend.maxheight == 1
    assert figure.layout.height - 20 * len(lines) >= usual.layout.height - 20 * 8


def test_ranks_of_many_candidates_are_written_apart():
    """Fourteen of them have less than 250 pixels."""
    assert figures.rank_comparison(crowded(), Q, N, MEASURE).layout.yaxis.dtick >= 2
    assert figures.rank_comparison(whole(), Q, N, MEASURE).layout.yaxis.dtick == 1


def test_a_note_fits_half_of_a_page():
    dataset = ranked_by_seeds(2, 3)
    for name in ("predictor_ranks", "rank_comparison"):
        (note,) = [each for each in DRAWN[name](dataset).layout.annotations if each.text.startswith("Says little")]
        assert max(map(len, note.text.split("<br>"))) <= 34
        assert DRAWN[name](dataset).layout.margin.t >= 18 * len(note.text.split("<br>"))


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize("missing", [{"candidate": BACKWARDS[0]}, {"seed": 0}, {"candidate": BACKWARDS[1], "seed": 1}])
def test_a_partial_result_is_drawn_as_far_as_it_is(name, missing):
    figure = DRAWN[name](without(whole(), **missing))
    assert figure.to_json()
    gone = missing.get("candidate") if "seed" not in missing else None
    assert gone is None or gone not in {trace.name for trace in figure.data}


@pytest.mark.parametrize("name", DRAWN)
def test_one_seed_is_enough(name):
    dataset = synthetic(backwards(seeds=1), np.random.default_rng(1))
    if name == "seed_interpolation":
        assert dataset.sizes["seed_pair"] == 0
    else:
        assert DRAWN[name](dataset).data


def hover_texts(figure: go.Figure) -> list[str]:
    parts = [part for trace in figure.data for part in (trace.hovertemplate, trace.text, trace.hovertext)]
    return [str(each) for part in parts if part is not None for each in np.atleast_1d(part)]


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize("seeds", [1, 4])
def test_hover_texts_leave_out_what_is_not_known(name, seeds):
    """One seed has no deviation and no interval over seeds, and is not `1 seeds`."""
    dataset = synthetic(backwards(seeds=seeds), np.random.default_rng(1))
    if name == "seed_interpolation" and seeds == 1:
        return
    dataset["parameters"].loc[{"model": BACKWARDS[0]}] = -1
    text = "\n".join(hover_texts(DRAWN[name](dataset)))
    assert not re.search(r"\bnan\b|None|<NA>|\b1 seeds", text)
    assert not re.search(r"± ?%{|\[%{", text)  # what Plotly fills in is filled in where it is not known as well
    assert seeds > 1 or "±" not in text
    assert name not in COUNTED or ("one seed" if seeds == 1 else "4 seeds") in text


@pytest.mark.parametrize("name", DRAWN)
def test_numbers_in_a_hover_text_have_sensible_digits(name):
    """What Plotly fills in without a format is a text or a whole number, and no trace is left to its defaults."""
    drawn = [trace for trace in DRAWN[name](whole()).data if trace.x is None or any(x is not None for x in trace.x)]
    for trace in drawn:  # others are there for the legend
        assert trace.hoverinfo == "skip" or trace.hovertemplate or trace.hovertext is not None, trace
        for field, place in re.findall(r"%{(\w+)(?:\[(\d)\])?}", str(trace.hovertemplate)):
            values = [row[int(place)] for row in trace[field]] if place else np.ravel(trace[field])
            assert all(isinstance(value, str) or value == round(value) for value in values), (field, values)


@pytest.mark.parametrize("name", DRAWN)
def test_without_training_a_figure_says_so_or_shows_the_rest(name):
    figure = DRAWN[name](untrained())
    if name in UNTRAINED:
        assert name == "perplexity_trajectories" or not figure.data
        assert figure.layout.annotations[0].text
    else:
        assert figure.data


@pytest.mark.parametrize("name", DRAWN)
def test_figures_stay_small(name, large):
    assert len(DRAWN[name](large).to_json()) < GREATEST_JSON


@pytest.fixture(scope="module")
def large() -> xr.Dataset:
    """10 seeds, 6 candidates, 20 epochs, 1000 permutations."""
    content = small_study().model_dump(mode="json")
    content["candidates"] = [[{"widen": "hidden1", "size": size}] for size in (7, 8, 10, 12, 18, 24)]
    content["training"]["epochs"] = 20
    content["walk"] |= {"permutations": 1000, "checkpoints": 20, "nodes": 12}
    content["seeds"] = 10
    return synthetic(validated(content), np.random.default_rng(2))


def test_a_narrow_log_scale_still_has_ticks():
    """Losses of a language model may differ in the fifth digit only, between any two round numbers."""
    dataset = whole().copy(deep=True)
    dataset["surface"].values[:] = 6.1 + 1e-4 * (dataset["surface"].values - 0.3)
    bars = [figures.surface_contours(dataset, name, "start").data[0].colorbar for name in dataset["model"].values]
    bar = bars[0]
    assert all(each == bar for each in bars) and "nats" in bar.title.text, "each figure is a file of its own"
    assert len(bar.tickvals) == 4
    assert len(set(bar.ticktext)) == 4
    np.testing.assert_allclose(10.0 ** np.array(bar.tickvals), np.array(bar.ticktext, float), rtol=1e-6)


@pytest.mark.parametrize(("low", "room"), [(0.1, 14.0), (6.1, 0.01), (1e-6, 1e-4), (3.0, 7.0), (0.2, 3e5)])
def test_a_linear_scale_has_round_ticks_within_it(low, room):
    """Multiples of one step, as many as can be read beside a small square."""
    dataset = whole().copy(deep=True)
    surface = dataset["surface"].sel(moment="start")
    dataset["surface"] = low + room * (dataset["surface"] - surface.min()) / (surface.max() - surface.min())
    surface = dataset["surface"].sel(moment="start").values
    bar = figures.surface_contours(dataset, "base", "start", log=False).data[0].colorbar
    ticks, low, high = np.array(bar.tickvals), surface.min(), surface.max()
    assert 3 <= len(ticks) <= 9 and low <= ticks[0] and ticks[-1] <= high * (1 + 1e-9)
    steps = np.diff(ticks)
    np.testing.assert_allclose(steps, steps[0], rtol=1e-3)
    digit = steps[0] / 10.0 ** np.floor(np.log10(steps[0] * 1.01))
    assert min(abs(digit - each) for each in (1, 2, 5)) < 0.01


def test_width_and_parameters_are_known_before_anything_is_computed():
    """By hand: 64·w + w of the hidden layer and 10·w + 10 of the head."""
    study = preset("digits-mlp")
    frame = figures.overview_data(schema.empty(study), 0.4, 1000, "accuracy")
    assert frame["width"].tolist() == [7, 8, 10, 12, 18]
    assert frame["parameters"].tolist() == [75 * width + 10 for width in (7, 8, 10, 12, 18)]
