"""Figures of why M is what it is: copies that part, sharpness beside M, and the batch."""

from landscape.figures.mechanism.batches import (
    batch_metrics,
    batch_metrics_data,
    batch_variances_data,
)
from landscape.figures.mechanism.copies import COSINES, copy_cosines, copy_cosines_data
from landscape.figures.mechanism.sharpness import (
    CURVATURES,
    sharpness_correlations_data,
    sharpness_trajectories,
    sharpness_trajectories_data,
)

__all__ = [
    "COSINES",
    "CURVATURES",
    "batch_metrics",
    "batch_metrics_data",
    "batch_variances_data",
    "copy_cosines",
    "copy_cosines_data",
    "sharpness_correlations_data",
    "sharpness_trajectories",
    "sharpness_trajectories_data",
]
