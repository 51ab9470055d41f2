"""The examples in docstrings print what they say, and every public name has one and says where it comes from."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import landscape
import landscape.analysis

pytestmark = [pytest.mark.slow, pytest.mark.compiled_quickly]

ROOT = Path(landscape.__file__).parents[1]
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted((ROOT / "landscape").rglob("*.py"))
    if ">>>" in path.read_text(encoding="utf-8")
]
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

# A source in one of its usual forms: a place in the paper, a year, or a number of arXiv.
SOURCE = re.compile(
    r"\b([Ss]ection|[Ee]quation|Definition|Algorithm|Table|Figure|Appendix) \(?\w|\bA\.\d|\b(18|19|20)\d\d\b|arXiv"
)
WORDING = (
    "beyond_control",
    "bounds",
    "counted",
    "minus",
    "telling",
    "together",
    "decimals",
    "deviation",
    "duration",
    "enumeration",
    "interval",
    "number",
    "part_of",
)
COMPUTES_NOTHING = {
    "landscape.Examples",
    "landscape.ImageSet",
    "landscape.Layer",
    "landscape.ModelSpec",
    "landscape.open_study",
    "landscape.run",
    "landscape.from_toml",
    "landscape.preset",
    "landscape.presets",
    "landscape.register_images",
    "landscape.register_model",
    "landscape.register_proxy",
    "landscape.analysis.cost.linear_layers",
    "landscape.analysis.cost.nearest",
    "landscape.analysis.divergence.diverged",
    "landscape.analysis.divergence.divergence",
    "landscape.analysis.divergence.in_words",
    "landscape.analysis.intervals.tail_probability",
    "landscape.analysis.performance.is_text",
    "landscape.analysis.plane.grid",
    "landscape.analysis.plane.three_nodes",
    "landscape.analysis.ranking.unranked.why_unranked",
    *(
        f"landscape.analysis.scorecard.words.{name}"
        for name in ("cells", "figure", "heading", "markdown", "markdown_table", "number", "scale", "verdicts")
    ),
    "landscape.analysis.scorecard.studies.cells",
    "landscape.analysis.summary.csv_file",
    "landscape.analysis.summary.long_table",
    "landscape.analysis.walks.checked_n",
    "landscape.analysis.walks.steps_reached",
    *(f"landscape.analysis.wording.{name}" for name in WORDING),
}


def public() -> Iterator[tuple[str, object]]:
    """Every public name of the package and of its proxies, and every public function of the analysis."""
    for package in (landscape, landscape.proxies):
        for name in package.__all__:
            if not inspect.ismodule(member := getattr(package, name)):
                yield f"{package.__name__}.{name}", member
    for found in pkgutil.walk_packages(landscape.analysis.__path__, "landscape.analysis."):
        module = importlib.import_module(found.name)
        for name, member in inspect.getmembers(module, inspect.isroutine):
            if member.__module__ == module.__name__ and not name.startswith("_"):
                yield f"{module.__name__}.{name}", member


PUBLIC = dict(public())


@pytest.mark.parametrize("name", MODULES)
def test_examples_print_what_they_say(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANDSCAPE_CACHE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    outcome = doctest.testmod(importlib.import_module(name), globs={}, optionflags=OPTIONS)  # as in a new notebook
    assert outcome.attempted > 0
    assert outcome.failed == 0, "the differences are printed above"


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_have_an_example_and_a_source(name: str) -> None:
    text = inspect.getdoc(PUBLIC[name]) or ""
    assert ">>>" in text, f"{name} has no example"
    assert name in COMPUTES_NOTHING or SOURCE.search(text), f"{name} does not say where its definition comes from"


def test_no_name_is_excused_that_does_not_exist() -> None:
    assert PUBLIC.keys() >= COMPUTES_NOTHING
