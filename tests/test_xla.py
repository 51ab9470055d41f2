"""The flag that newer versions of XLA need on a CPU: set before JAX starts, or its absence is said in words."""

from __future__ import annotations

import sys
import warnings
from importlib import metadata
from types import SimpleNamespace

import pytest

from landscape import _xla

SET = f"{_xla.FLAG}="


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch):
    """An environment with a version of jaxlib (None: not installed), flags of the user, and JAX started or not."""

    def made(jaxlib: str | None, flags: str = "", started: bool = False) -> dict[str, str]:
        def version(name: str) -> str:
            if jaxlib is None:
                raise metadata.PackageNotFoundError(name)
            return jaxlib

        monkeypatch.setattr(_xla.metadata, "version", version)
        monkeypatch.setenv("XLA_FLAGS", flags)
        bridge = SimpleNamespace(backends_are_initialized=lambda: started)
        monkeypatch.setitem(sys.modules, "jax._src.xla_bridge", bridge)
        _xla.flag_is_set.cache_clear()
        return _xla.os.environ

    yield made
    monkeypatch.undo()
    _xla.flag_is_set.cache_clear()


@pytest.mark.parametrize(
    ("jaxlib", "before", "after"),
    [
        ("0.10.1", "", ""),
        ("0.11.2", "", SET),
        ("0.12.0.1", "--xla_dump_to=x", f"--xla_dump_to=x {SET}"),
        ("0.12.0", f"{_xla.FLAG}=-reduce", f"{_xla.FLAG}=-reduce"),
        ("0.13.0", "", ""),  # XLA would end the process at a flag that it does not know
        (None, "", ""),
    ],
)
def test_the_flag_is_added_where_it_is_known(environment, jaxlib: str | None, before: str, after: str) -> None:
    set_there = environment(jaxlib, before)
    assert _xla.flag_is_set()
    assert set_there["XLA_FLAGS"] == after


@pytest.mark.parametrize(
    ("jaxlib", "flags", "warned"), [("0.11.2", "", True), ("0.11.2", SET, False), ("0.10.1", "", False)]
)
def test_a_jax_that_started_without_it_is_named(environment, jaxlib: str, flags: str, warned: bool) -> None:
    environment(jaxlib, flags, started=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        _xla.warn_without_flag()
    assert [SET in str(warning.message) for warning in caught] == [True] * warned
