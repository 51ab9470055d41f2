"""The house as ARCHITECTURE.md draws it: who may import whom, and how large its rooms are."""

from __future__ import annotations

import ast
import os
import pkgutil
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import landscape
import landscape.study

ROOT = Path(__file__).parents[1]
LOOKING = ("study", "data", "store", "analysis", "lessons", "figures", "cli")
SOURCES = sorted((ROOT / "landscape").rglob("*.py"))


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    """Checks the contracts of `pyproject.toml`, as CI does."""
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"]
    environment = os.environ | {"PYTHONPATH": str(root)}
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)


FAULTS = [
    ("landscape/analysis/curves.py", "import flax", "landscape.analysis is not allowed to import flax"),
    ("landscape/study/base.py", "import landscape.store.netcdf", "landscape.study is not allowed to import"),
    ("pages/shared/show.py", "import landscape.barriers.walk", "pages is not allowed to import jax"),
    ("landscape/models/mlp.py", "import streamlit", "landscape is not allowed to import streamlit"),
]


def test_imports_keep_the_contracts_which_notice_what_does_not(tmp_path: Path) -> None:
    for name in ("landscape", "pages"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=lambda *_: {"gallery", "__pycache__"})
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    checked = lint_imports(tmp_path)
    assert checked.returncode == 0, checked.stdout
    for where, line, _ in FAULTS:
        with (tmp_path / where).open("a") as file:
            file.write(f"\n{line}\n")
    checked = lint_imports(tmp_path)
    assert checked.returncode == 1 and all(broken in checked.stdout for _, _, broken in FAULTS), checked.stdout


def test_looking_at_results_loads_no_jax() -> None:
    """Every module of the packages that look, and the app's side of jobs, in a process of its own."""
    packages = (landscape.__path__[0] + f"/{name}" for name in LOOKING)
    names = [
        f"landscape.{Path(package).name}.{module.name}"
        for package in packages
        for module in pkgutil.walk_packages([package])
    ]
    assert len(names) > 40
    code = (
        f"import importlib, sys; list(map(importlib.import_module, {[*names, 'landscape.jobs.background.client']!r}))\n"
        "sys.exit(str({'jax', 'jaxlib', 'flax', 'optax', 'streamlit'} & set(sys.modules)))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert loaded.stderr == "set()\n"


@pytest.mark.slow
def test_opening_the_app_loads_only_what_its_first_page_needs() -> None:
    """Each of these takes as long to import as a page takes to be drawn."""
    code = (
        "import sys; from streamlit.testing.v1 import AppTest; "
        "app = AppTest.from_file('app.py', default_timeout=300).run(); "
        "assert not app.exception; sys.exit(str({'scipy.stats', 'distributed', 'networkx', 'jax'} & set(sys.modules)))"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert loaded.stderr.splitlines()[-1] == "set()", loaded.stderr


def test_files_are_short() -> None:
    lengths = {path.relative_to(ROOT).as_posix(): len(path.read_text().splitlines()) for path in SOURCES}
    assert {path: length for path, length in lengths.items() if length > 300} == {}


def test_folders_are_small() -> None:
    """About a dozen modules each."""
    counts = {folder: len(list(folder.glob("*.py"))) for folder in {path.parent for path in SOURCES}}
    assert {folder.name: count for folder, count in counts.items() if count > 14} == {}


def test_functions_are_short() -> None:
    """Without their docstrings, which may be long: shapes, units, examples and references are worth their lines."""
    functions = {
        f"{path.relative_to(ROOT)}:{node.name}": code_lines(node)
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert functions and {name: lines for name, lines in functions.items() if lines >= 40} == {}


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines of a function from `def` to its end, but for its docstring."""
    documentation = function.body[0] if ast.get_docstring(function) else None
    of_docstring = documentation.end_lineno - documentation.lineno + 1 if documentation else 0
    return function.end_lineno - function.lineno + 1 - of_docstring
