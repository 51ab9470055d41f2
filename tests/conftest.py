"""Shapes and types of the modules that compute are checked while tests run; what a test registers is forgotten."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest
from jaxtyping import install_import_hook

CHECKED = (
    "analysis.bootstrap",
    "analysis.plane",
    "barriers",
    "data.images",
    "data.masking",
    "data.split",
    "data.text",
    "data.wordpiece",
    "jobs.measurements",
    "models",
    "numerics",
    "proxies",
    "training",
)

with warnings.catch_warnings():
    install_import_hook([f"landscape.{name}" for name in CHECKED], "beartype.beartype")

from landscape.data.registry import IMAGE_SETS  # noqa: E402
from landscape.study.kinds import KINDS  # noqa: E402
from landscape.study.predictors import PREDICTORS  # noqa: E402


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of a file run in one process, which compiles and trains what they share once.

    So do those of the files that share the networks of `tests/trained.py`.
    """
    for item in items:
        trained = getattr(item.module, "trained", None)  # type: ignore[attr-defined]
        group = "trained" if getattr(trained, "__module__", None) == "trained" else item.path.stem
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(autouse=True)
def registries() -> Iterator[None]:
    """Kinds of models, predictors and data sets as they were before the test."""
    before = [(registry, dict(registry)) for registry in (KINDS, PREDICTORS, IMAGE_SETS)]
    yield
    for registry, content in before:
        registry.clear()
        registry.update(content)
