"""Numbers from a result: metric, performance, correlations, intervals, curves, cost. Imports `store`, `data`, `study`.

Everything here works on the `xarray.Dataset` that `landscape.open_study` returns, or on arrays; JAX is never imported.
"""
