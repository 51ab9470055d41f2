"""A study as tasks, run in this process or beside the app by Dask. Only what runs a task imports JAX."""
