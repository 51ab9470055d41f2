"""Shapes and types of the modules that compute are checked while tests run; what a test registers is forgotten."""

from __future__ import annotations

import gc
import os
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from typing import Any

import pytest
from checked import check
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

CHECKED = (
    "analysis.bootstrap",
    "analysis.plane",
    "barriers",
    "data.images",
    "data.masking",
    "data.own",
    "data.split",
    "data.text",
    "data.wordpiece",
    "jobs.measurements",
    "models",
    "numerics",
    "proxies",
    "training",
)

check(f"landscape.{name}" for name in CHECKED)

# how long an example takes, and how long it takes to draw, says how busy the computer is
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

from landscape.data.registry import IMAGE_SETS  # noqa: E402
from landscape.study.kinds import KINDS  # noqa: E402
from landscape.study.predictors import PREDICTORS  # noqa: E402


def pytest_configure(config: pytest.Config) -> None:
    """Gives this run, with all of its workers, an empty folder for what `trained` keeps and for compiled programs.

    A program that one process of the run has compiled is read by all others, the commands that tests start included.
    It computes the same bits.
    """
    if not hasattr(config, "workerinput"):
        folder = tempfile.TemporaryDirectory(prefix="landscape-tests-")
        os.environ["LANDSCAPE_TESTS"] = folder.name
        os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", f"{folder.name}/compiled")
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # or each program that is read takes a false alarm
        config.add_cleanup(folder.cleanup)
    gc.set_threshold(10_000, 20, 50)  # by default a twentieth of the time goes into collecting


def pytest_collection_finish() -> None:
    """Has Hypothesis import the part of itself that it needs when strategies are first built.

    Where another thread parses Python just then, as Dask's may, Python 3.11 raises SystemError (cpython issue 106905).
    """
    st.from_type(int).validate()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow files come first, so that at the end no worker has a long one left.

    Those that compile alike are neighbours, as changing over forgets all programs.
    """
    slow, quick = ({item.path for item in items if item.get_closest_marker(m)} for m in ("slow", "compiled_quickly"))
    items.sort(key=lambda item: (item.path not in slow, item.path not in quick))


# Where little is optimised, each fusion is compiled without MLIR, which takes most of the time then, and a program in
# one piece, which takes a sixth less than in 32. Later releases know no such options, and end the process at one.
QUICK = {"xla_cpu_use_fusion_emitters": False, "xla_cpu_parallel_codegen_split_count": 1}
KNOWN = tuple(int(number) for number in metadata.version("jaxlib").split(".")[:2]) < (0, 11)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Programs of a file that is marked so are optimised little, as are those of the commands that it starts.

    Compiling them takes a third of the time. Files that compare bits do without it: their programs are those that
    users run.
    """
    quickly = item.get_closest_marker("compiled_quickly") is not None
    os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = str(int(quickly))  # read when JAX is imported, here or by a command
    if KNOWN and (quickly or "jax" in sys.modules):
        os.environ["XLA_FLAGS"] = f"{flags_of_this_process()} {flags(QUICK) if quickly else ''}".strip()
    if (jax := sys.modules.get("jax")) and jax.config.read("jax_disable_most_optimizations") != quickly:
        jax.config.update("jax_disable_most_optimizations", quickly)
        jax.clear_caches()  # or a program of the other kind would be met again


def flags(options: dict[str, Any]) -> str:
    """As XLA_FLAGS has them."""
    return " ".join(f"--{name}={str(value).lower()}" for name, value in options.items())


@cache
def flags_of_this_process() -> str:
    """XLA_FLAGS as this process has read them, which it does once; what is set from then on is for commands alone.

    JAX has no setting for all programs of a process, so that these get theirs where each is compiled.
    """
    import jax
    from jax._src import compiler

    def options(*args: Any, env_options_overrides: dict[str, Any] | None = None, **kwargs: Any) -> Any:
        quick = QUICK if jax.config.read("jax_disable_most_optimizations") else {}
        return made(*args, env_options_overrides=quick | (env_options_overrides or {}), **kwargs)

    made, compiler.get_compile_options = compiler.get_compile_options, options
    jax.devices()
    return os.environ.get("XLA_FLAGS", "")


@pytest.fixture(scope="session")
def one_scan() -> Iterator[None]:
    """Each app that a test opens asks for Streamlit's components among all installed packages; they are the same."""
    from streamlit.components.v2 import manifest_scanner

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", cache(manifest_scanner.scan_component_manifests))
        yield


@pytest.fixture(autouse=True)
def registries() -> Iterator[None]:
    """Kinds of models, predictors and data sets as they were before the test."""
    before = [(registry, dict(registry)) for registry in (KINDS, PREDICTORS, IMAGE_SETS)]
    yield
    for registry, content in before:
        registry.clear()
        registry.update(content)
