"""Figures of the lessons: pure functions of the tiny network that return Plotly figures."""

from landscape.figures.lessons.copies import copies
from landscape.figures.lessons.line import line
from landscape.figures.lessons.speaker import enlarged
from landscape.figures.lessons.threshold import threshold_histograms
from landscape.figures.lessons.walk import walk

__all__ = ["copies", "enlarged", "line", "threshold_histograms", "walk"]
