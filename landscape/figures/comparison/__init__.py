"""Figures of several studies on shared axes."""

from landscape.figures.comparison.studies import (
    QUANTITIES,
    SIZES,
    Quantity,
    axis_title,
    comparison,
    comparison_data,
    difference,
    difference_data,
)

__all__ = [
    "QUANTITIES",
    "SIZES",
    "Quantity",
    "axis_title",
    "comparison",
    "comparison_data",
    "difference",
    "difference_data",
]
