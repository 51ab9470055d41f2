"""Numbers from a result: metric, correlations, intervals, cost. Imports `study`, `data` and `store`; never JAX."""
