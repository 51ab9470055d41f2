"""Shapes and types of the computing packages are checked while tests run, and only then."""

from __future__ import annotations

import warnings

from jaxtyping import install_import_hook

CHECKED = ("models", "numerics", "barriers", "training", "proxies", "jobs.measurements")

with warnings.catch_warnings():
    install_import_hook([f"landscape.{name}" for name in CHECKED], "beartype.beartype")
