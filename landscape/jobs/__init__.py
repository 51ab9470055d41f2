"""A study as tasks, run in this process or beside the app by Dask.

May import everything but `figures` and `cli`. Only what runs a task imports the packages that compute, and with them
JAX: the app, which submits studies and hears how far they are, does not.
"""
