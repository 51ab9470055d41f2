"""What README and FINDINGS say of the shipped studies: each figure is one that those studies give."""

from __future__ import annotations

import contextlib
import io
import json
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from landscape.analysis.scorecard.findings import PAPER_BASELINES
from landscape.cli.parser import main
from landscape.figures.surface import surface_barriers_data
from landscape.store import places
from landscape.store.results import Store
from landscape.study.predictors import METRIC, predictor_named
from landscape.study.schema import MOMENTS

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
README, FINDINGS = (
    (ROOT / name).read_text(encoding="utf-8").replace("−", "-") for name in ("README.md", "FINDINGS.md")
)
RESULTS = README[README.index("## Command line") : README.index("## From a notebook")]
SHIPPED = sorted(path.parent.name for path in places.GALLERY.glob("*/result.nc"))
NOT_FOUND = re.compile(
    r"\((?:section|sections|A|figure)[^)]*\)"  # a place in the paper
    r"|(?:factors? of|at) \d[\d.]*(?:, [\d.]+)*(?: and [\d.]+)?(?: ×)?"  # what a candidate is
    r"|\d+\.\d+ %(?= of the steps)"  # of the law of the walk, which test_clones computes
)
NUMBER = r"[+-]?\d[\d,]*\.\d+"
INTERVAL = re.compile(rf"({NUMBER})(?: points| %)? ?\[({NUMBER}), ({NUMBER})\]")
ROUNDED = 1e-6


def paragraphs() -> Iterator[tuple[str, list[str]]]:
    """What is said of results, a paragraph or an item of a list at a time, with the shipped studies that it names.

    A table in a block of code is about the study of the paragraph before. The other tables have tests of their own.
    """
    for text in (RESULTS, FINDINGS):
        text = re.sub(r"<!-- (scorecard|studies) -->.*?<!-- /\1 -->", "", text, flags=re.DOTALL)
        named: list[str] = []
        for paragraph in re.split(r"\n\n|\n(?=- )", text):
            names = [each for each in re.findall(r"`([\w-]+)`", paragraph) if each in SHIPPED]
            named = names if names or not paragraph.startswith("```") else named
            if named and re.search(NUMBER, paragraph):
                yield paragraph, list(dict.fromkeys(named))


@cache
def given(study: str) -> tuple[list[float], list[tuple[float, float, float]]]:
    """The numbers of a study, and those that are a mean with its interval."""
    told = [printed("show", study, "--json"), [row for row in scorecard() if row["study"] == study]]
    dataset = Store().open(study)
    more = [
        dataset["copy_cosine"].isel(checkpoint=-1).mean("seed").values.tolist() if "copy_cosine" in dataset else [],
        dataset["least_copy_cosine"].isel(checkpoint=-1).min().item() if "least_copy_cosine" in dataset else [],
        dataset["walk_seconds"].mean("seed").values.tolist(),
        dataset["proxy_seconds"].mean("seed").values.ravel().tolist(),
        [surface_barriers_data(dataset, moment)["barrier"].tolist() for moment in MOMENTS if study == "mlp-cifar10"],
    ]
    return [*numbers([*told, *more])], [*intervals(told)]


@cache
def scorecard() -> list[dict[str, Any]]:
    return printed("scorecard", "--json")


@cache
def printed(*command: str) -> Any:
    with contextlib.redirect_stdout(output := io.StringIO()):
        assert main([*command]) == 0
    return json.loads(output.getvalue())


def numbers(found: Any) -> Iterator[float]:
    """Every number in a tree of JSON."""
    if isinstance(found, dict | list):
        for each in found.values() if isinstance(found, dict) else found:
            yield from numbers(each)
    elif isinstance(found, int | float):
        yield float(found)


def intervals(found: Any) -> Iterator[tuple[float, float, float]]:
    """Every mean with its interval in a tree of JSON."""
    if isinstance(found, dict | list):
        if isinstance(found, dict) and isinstance(found.get("low"), float) and isinstance(found.get("mean"), float):
            yield found["mean"], found["low"], found["high"]
        for each in found.values() if isinstance(found, dict) else found:
            yield from intervals(each)


def rounds_to(value: float, text: str) -> bool:
    """Whether a value, rounded to the digits of the text, is what stands there, with its sign or by how much."""
    said, digits = float(text.replace(",", "")), len(text.partition(".")[2])
    return abs((value if text[0] in "+-" else abs(value)) - said) <= 0.5 * 10**-digits + ROUNDED


def is_given(said: Iterable[str], values: Iterable[tuple[float, ...]]) -> bool:
    """Whether a mean and its interval are among those of a study. What falls "by 5" is there as -5."""
    said, values = [*said], [*values]
    if said[0][0] not in "+-":
        values += [(-mean, -high, -low) for mean, low, high in values]
    return any(all(map(rounds_to, found, said)) for found in values)


@pytest.mark.parametrize(("paragraph", "studies"), [*paragraphs()], ids=lambda each: str(each)[:40])
def test_each_figure_is_one_that_the_studies_give(paragraph: str, studies: list[str]) -> None:
    plain, every = NOT_FOUND.sub("", paragraph), [given(study) for study in studies]
    means = [each for _, means in every for each in means]
    assert [found[0] for found in INTERVAL.finditer(plain) if not is_given(found.groups(), means)] == []
    single = re.findall(NUMBER, INTERVAL.sub("", plain))
    values = [each for values, _ in every for each in values]
    assert [text for text in single if not any(rounds_to(value, text) for value in values)] == []


def test_the_table_of_all_studies_is_the_one_that_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scorecard", "--studies", "--markdown"]) == 0
    assert f"<!-- studies -->\n{capsys.readouterr().out}<!-- /studies -->" in (ROOT / "FINDINGS.md").read_text("utf-8")


@pytest.mark.parametrize("study", SHIPPED)
def test_a_study_at_a_glance_is_its_summary(study: str) -> None:
    """The figures of the one line are among those that `show` prints of every candidate and predictor."""
    line, shown = next(each for each in lines() if each["study"] == study), printed("show", study, "--json")
    measure = line["measure"]
    gains = [each["excess_gain" if shown["control"] else "best_gain"][measure] for each in shown["candidates"]]
    best = max((each for each in gains if each["mean"] is not None), key=lambda each: each["mean"])
    assert {name: line["excess"][name] for name in best} == pytest.approx(best)
    above = sum((each["low"] or 0) > 0 for each in gains)
    assert line["above"] == (above if shown["control"] else None) and line["candidates"] == len(gains)
    rank = {name: each[measure] for name, each in shown["kendall"].items()}
    baselines = [rank[name]["mean"] for name in PAPER_BASELINES if rank[name]["mean"] is not None]
    assert line["baseline"]["mean"] == pytest.approx(max(baselines, default=None))
    assert predictor_named(METRIC).name != line["strongest"] and bool(line["strongest"]) == bool(baselines)
    regret = shown["regret"]
    for figure, found in {
        "metric": rank["M0"],
        "parameters": rank["parameters"],
        "partial": shown["partial_kendall"]["M0"][measure],
        "lost": regret["predictors"]["M0"][measure],
        "lost_by_count": regret["largest"][measure],
        "lost_by_chance": regret["random"][measure],
    }.items():
        assert {name: line[figure][name] for name in found} == pytest.approx(found), figure


@cache
def lines() -> list[dict[str, Any]]:
    return printed("scorecard", "--studies", "--json")


def test_figures_that_no_study_gives_are_noticed() -> None:
    assert not is_given(("+0.89", "+0.82", "+0.97"), given("mlp-cifar10-widths")[1])
    assert is_given(("+0.89", "+0.82", "+0.96"), given("mlp-cifar10-widths")[1])
    assert not is_given(("-0.89", "-0.96", "-0.82"), given("mlp-cifar10-widths")[1]), "the sign counts"
    assert len([*paragraphs()]) > 15
