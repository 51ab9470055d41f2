"""Measurements of speed and memory: `python -m benchmarks NAME`, one module a name."""
