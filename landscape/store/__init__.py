"""Verified results on disk. Imports `study`; never JAX."""
