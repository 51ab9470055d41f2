"""Figures of the lessons: pure functions of the tiny network, or of a result, that return Plotly figures."""

from landscape.figures.lessons.copies import copies
from landscape.figures.lessons.line import line
from landscape.figures.lessons.speaker import enlarged
from landscape.figures.lessons.threshold import threshold_histograms
from landscape.figures.lessons.training import training
from landscape.figures.lessons.walk import walk
from landscape.figures.lessons.widening import widening

__all__ = ["copies", "enlarged", "line", "threshold_histograms", "training", "walk", "widening"]
