"""Epochs of optimisation, and evaluation. Imports `study`, `data`, `models` and `numerics`."""
