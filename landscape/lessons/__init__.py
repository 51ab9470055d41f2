"""A network small enough to draw, computed in NumPy at the speed of a slider; the lessons of the app show it.

It is the package's `mlp` with one hidden layer on two inputs, and its numbers are those of the package (a test compares
them). May import `analysis` and what is below it; imports no JAX.
"""
