"""The permutation walk and losses between networks. Imports `study`, `models` and `numerics`."""
