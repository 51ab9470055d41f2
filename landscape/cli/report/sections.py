"""The figures of the report, each with its question, what it shows in words, and its definition."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pandas as pd
import plotly.graph_objects as go
import xarray as xr

from landscape import figures
from landscape.analysis.performance import Measure, is_text
from landscape.analysis.wording import DIP
from landscape.figures.export import alternatives as said
from landscape.study.schema import BASE, MOMENTS

START = MOMENTS[0]
CURVES = 3  # between the base and its first permuted copies


class Drawn(NamedTuple):
    """A figure, the question that it answers, what it shows, and how that is defined."""

    question: str
    figure: go.Figure
    finding: str
    definition: str


def drawn(dataset: xr.Dataset, q: float, n: int, measure: Measure) -> Iterator[Drawn]:
    """Every figure of a result but the surfaces, from the answer to what it rests on."""
    yield from _answers(dataset, q, n, measure)
    yield from _landscape(dataset, q, n)
    yield from _training(dataset, q, n, measure)
    yield from _predictors(dataset, q, n, measure)


def _answers(dataset: xr.Dataset, q: float, n: int, measure: Measure) -> Iterator[Drawn]:
    yield Drawn(
        "Which expansion pays off?",
        figures.overview(dataset, q, n, measure),
        said.overview_text(figures.overview_data(dataset, q, n, measure)),
        "M₀ is the share of the walk's steps with a barrier of at most λ in the candidate minus that in the base, "
        "before any training (equation 2). G* is the greatest gain in validation performance over the base. "
        "Bars are 95 % intervals over seeds.",
    )
    yield Drawn(
        "How do M₀, the parameter count and the gain rank the candidates?",
        figures.rank_comparison(dataset, q, n, measure),
        said.ranks_text(figures.rank_comparison_data(dataset, q, n, measure)),
        "Ranks are those of means over seeds; τ is Kendall's τ_b with G*, seed by seed.",
    )
    yield Drawn(
        "What does a candidate cost?",
        figures.cost_gain(dataset, measure, "parameters"),
        said.cost_gain_text(figures.cost_gain_data(dataset, measure), "parameters"),
        "The number of trainable parameters against G*.",
    )


def _landscape(dataset: xr.Dataset, q: float, n: int) -> Iterator[Drawn]:
    pairs = figures.start_pairs(dataset, min(CURVES, dataset.sizes["node"] - 1))
    yield _lines(
        "What lies between permuted copies of the base?",
        figures.interpolation(dataset, 0, BASE, START, pairs),
        figures.interpolation_barriers(figures.interpolation_data(dataset, 0, BASE, START, pairs)),
    )
    if dataset.sizes["seed_pair"]:
        yield _lines(
            "What lies between two trained seeds?",
            figures.seed_interpolation(dataset, BASE, START, 0),
            figures.interpolation_barriers(figures.seed_interpolation_data(dataset, BASE, START, 0)),
        )
    yield Drawn(
        "How high are the barriers?",
        figures.barrier_histogram(dataset, None, 0, q, n),
        said.histogram_text(figures.manifold_sizes_data(dataset, None, 0, q, n)),
        "b̂ = |L(½θ₁ + ½θ₂) − ½(L(θ₁) + L(θ₂))| for each step of a walk, on one batch of training data. λ is the "
        "q-quantile of the base's own barriers, and m is the share of barriers that are at most λ (Algorithm 1).",
    )
    graph = (dataset, 0, BASE, START, q, n)
    yield Drawn(
        "Which copies are connected?",
        figures.permutation_graph(*graph),
        said.graph_text(figures.permutation_graph_data(*graph)),
        "Nodes are permuted copies of the base, placed by their distance in parameter space; an edge exists where "
        "b̂ ≤ λ (section 3.2).",
    )


def _lines(question: str, figure: go.Figure, barriers: pd.DataFrame) -> Drawn:
    """A figure of interpolations; what it counts as a dip is said."""
    dip = f" {DIP}" if barriers["dip"].any() else ""
    definition = (
        "The loss at αθ₁ + (1 − α)θ₂ for 25 values of α. The barrier b is the greatest height above the dotted chord "
        "(Definition 1). In an aligned network, the units are permuted to resemble those of the first (Ainsworth et "
        "al., 2022)."
    )
    return Drawn(question, figure, said.interpolation_text(barriers), definition + dip)


def _training(dataset: xr.Dataset, q: float, n: int, measure: Measure) -> Iterator[Drawn]:
    yield Drawn(
        "How does performance improve with training?",
        figures.gain_trajectories(dataset, measure),
        said.lines_text(figures.gain_trajectories_data(dataset, measure), "Gain"),
        "Gₜ is the validation performance t epochs after the expansion minus that of the base. A star marks G*, the "
        "mean of the seeds' greatest gains; bands reach one standard deviation, within the range of the seeds.",
    )
    yield Drawn(
        "How does the manifold change with training?",
        figures.metric_trajectories(dataset, q, n),
        said.lines_text(figures.metric_trajectories_data(dataset, q, n), "Manifold metric"),
        "Mₜ is M of the candidate t epochs after its expansion, with λ and n of the base; it is at most 1 − q.",
    )
    yield Drawn(
        "Does the metric keep predicting the gain during training?",
        figures.correlation_trajectories(dataset, q, n, measure),
        said.correlation_text(figures.correlation_trajectories_data(dataset, q, n, measure), q),
        "Kendall's τ of Mₜ, and of minus the sum of an epoch's training losses (SoTL-E), with G* over candidates.",
    )
    if is_text(dataset):
        yield Drawn(
            "How does the perplexity fall?",
            figures.perplexity_trajectories(dataset),
            said.lines_text(figures.perplexity_trajectories_data(dataset), "Perplexity"),
            "The exponential of the validation loss over masked tokens.",
        )


def _predictors(dataset: xr.Dataset, q: float, n: int, measure: Measure) -> Iterator[Drawn]:
    one = {str(dataset.attrs["name"]): dataset}
    yield Drawn(
        "What predicts the gain?",
        figures.predictor_ranks(one, q, n, measure),
        said.predictors_text(figures.predictor_ranks_data(one, q, n, measure, ["kendall"])),
        "Kendall's τ of each predictor with G* over candidates: means over seeds with 95 % intervals.",
    )
    yield Drawn(
        "What did each predict, and what happened?",
        figures.predictor_scores(dataset, q, n, measure),
        said.scores_text(figures.predictor_scores_data(dataset, q, n, measure)),
        "A panel for each predictor, with a point for each seed and candidate. The scores are those of the whole "
        "network right after the expansion, on one batch of training data.",
    )
    grid = figures.paper_grid(dataset)
    yield Drawn(
        "How much do q and n matter?",
        figures.sensitivity_map(dataset, *grid, measure, "kendall", (q, n)),
        said.sensitivity_text(figures.sensitivity_data(dataset, *grid, measure)),
        "Kendall's τ of M₀ with G* for each q and n, all from the same walks (section 4.5).",
    )
