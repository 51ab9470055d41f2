"""Figures of a result: pure functions that return Plotly figures, drawn from the tables of their `_data` twins.

May import `analysis`, `store`, `data` and `study`; imports no JAX.
"""

from landscape.figures.barriers import barrier_histogram, barrier_histogram_data, manifold_sizes_data
from landscape.figures.graph import (
    edge_curve,
    edge_curve_data,
    greatest_on,
    pair_nodes,
    permutation_graph,
    permutation_graph_data,
    walk_graph,
)
from landscape.figures.initial import initial_metrics, initial_metrics_data
from landscape.figures.interpolation import (
    interpolation,
    interpolation_barriers,
    interpolation_data,
    journey,
    journey_data,
    seed_interpolation,
    seed_interpolation_data,
    start_pairs,
    step_pairs,
)
from landscape.figures.overview import (
    COSTS,
    cost_gain,
    cost_gain_data,
    overview,
    overview_data,
    rank_comparison,
    rank_comparison_data,
)
from landscape.figures.predictors import (
    predictor_cost_data,
    predictor_label,
    predictor_ranks,
    predictor_ranks_data,
    predictor_scores,
    predictor_scores_data,
)
from landscape.figures.scorecard import scorecard_ranks, scorecard_ranks_data
from landscape.figures.sensitivity import fine_grid, paper_grid, sensitivity_data, sensitivity_map
from landscape.figures.surface import (
    surface_barriers_data,
    surface_contours,
    surface_data,
    surface_models,
    surface_relief,
)
from landscape.figures.trajectories import (
    correlation_trajectories,
    correlation_trajectories_data,
    gain_trajectories,
    gain_trajectories_data,
    metric_trajectories,
    metric_trajectories_data,
    perplexity_trajectories,
    perplexity_trajectories_data,
)

__all__ = [
    "COSTS",
    "barrier_histogram",
    "barrier_histogram_data",
    "correlation_trajectories",
    "correlation_trajectories_data",
    "cost_gain",
    "cost_gain_data",
    "edge_curve",
    "edge_curve_data",
    "fine_grid",
    "gain_trajectories",
    "gain_trajectories_data",
    "greatest_on",
    "initial_metrics",
    "initial_metrics_data",
    "interpolation",
    "interpolation_barriers",
    "interpolation_data",
    "journey",
    "journey_data",
    "manifold_sizes_data",
    "metric_trajectories",
    "metric_trajectories_data",
    "overview",
    "overview_data",
    "pair_nodes",
    "paper_grid",
    "permutation_graph",
    "permutation_graph_data",
    "perplexity_trajectories",
    "perplexity_trajectories_data",
    "predictor_cost_data",
    "predictor_label",
    "predictor_ranks",
    "predictor_ranks_data",
    "predictor_scores",
    "predictor_scores_data",
    "rank_comparison",
    "rank_comparison_data",
    "scorecard_ranks",
    "scorecard_ranks_data",
    "seed_interpolation",
    "seed_interpolation_data",
    "sensitivity_data",
    "sensitivity_map",
    "start_pairs",
    "step_pairs",
    "surface_barriers_data",
    "surface_contours",
    "surface_data",
    "surface_models",
    "surface_relief",
    "walk_graph",
]
