"""Shapes and types of the computing modules are checked while tests run, and only then."""

from __future__ import annotations

import warnings

from jaxtyping import install_import_hook

CHECKED = ("align", "evaluate", "keys", "lines", "loss", "midpoints", "paths", "probe", "steps", "train", "walk")

with warnings.catch_warnings():
    install_import_hook([f"landscape.{name}" for name in CHECKED], "beartype.beartype")
