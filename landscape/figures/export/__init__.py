"""Figures as files: their tables with units, their pages and images, and what they show in words."""
