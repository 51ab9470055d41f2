"""Shapes and types of the modules that compute with arrays are checked while tests run, and only then."""

from __future__ import annotations

import warnings

from jaxtyping import install_import_hook

CHECKED = (
    "analysis.bootstrap",
    "analysis.plane",
    "barriers.by_activations",
    "barriers.by_networks",
    "barriers.interpolation",
    "barriers.walk",
    "barriers.weight_matching",
    "data.images",
    "data.masking",
    "data.split",
    "data.text",
    "data.wordpiece",
    "jobs.measurements",
    "models.prng",
    "numerics.loss",
    "training.epoch",
    "training.evaluate",
    "training.fit",
)

with warnings.catch_warnings():
    install_import_hook([f"landscape.{name}" for name in CHECKED], "beartype.beartype")
