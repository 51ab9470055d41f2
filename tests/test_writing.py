"""Studies as people write them: the notation of candidates, ready-made sets of them, and TOML text."""

from __future__ import annotations

import re
import tomllib
from html import unescape
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import small_study, synthetic

from landscape.cli.report import html_report
from landscape.data.shapes import examples_of
from landscape.study import Study, validated
from landscape.study.examples import Examples
from landscape.study.files import from_toml
from landscape.study.kinds import MlpSpec
from landscape.study.presets import preset, presets
from landscape.study.steps import NewUnits
from landscape.study.writing.notation import MOST_CHARACTERS, candidates_from, written
from landscape.study.writing.toml_text import content_of, toml_text
from landscape.study.writing.ways import EQUAL, ways

OF_EACH_KIND = ("digits-mlp", "equal-parameters", "cnn-cifar100", "resnet18-cifar10", "tinybert", "minibert")

groups = st.from_regex(r"[a-z]{1,8}[0-9]{0,2}\*?", fullmatch=True)
units = st.sampled_from(get_args(NewUnits))
steps = st.one_of(
    st.builds(lambda group, size: {"widen": group, "size": size}, groups, st.integers(1, 10**5)),
    st.builds(lambda group, tenths: {"widen": group, "factor": tenths / 100}, groups, st.integers(101, 10**5)),
    st.builds(lambda group, size, units: {"widen": group, "size": size, "units": units}, groups, st.just(9), units),
    st.builds(lambda group, layers: {"deepen": group, "layers": layers}, groups, st.integers(1, 64)),
)


@given(st.lists(st.lists(steps, min_size=1, max_size=3), max_size=4))
def test_candidates_are_read_as_they_were_written(candidates) -> None:
    assert candidates_from(written(candidates)) == candidates == candidates_from(written(candidates, "; "))


@pytest.mark.parametrize("name", presets())
def test_the_notation_is_that_of_labels(name: str) -> None:
    study = presets()[name]
    assert written(study.model_dump(mode="json", exclude_none=True)["candidates"]).split("\n") == study.labels


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("hidden1", "'hidden1' is not a step"),
        ("hidden1 × 1,5", "'5' is not a step"),
        ("after hidden1", "'after hidden1' is not a step"),
        ("hidden1 → 1.5", "'hidden1 → 1.5' is not a step"),
        ("12", "'12' is not a step"),
        ("hidden1 → 12 (zero)", "'hidden1 → 12 (zero)' is not a step"),
        ("a → 1, , b → 2", "'' is not a step"),
        ("a → 1;" * MOST_CHARACTERS, "120,000 characters"),
    ],
)
def test_what_is_no_step_is_named(text: str, named: str) -> None:
    with pytest.raises(ValueError, match=re.escape(named)):
        candidates_from(text)


@pytest.mark.parametrize("name", OF_EACH_KIND)
def test_every_way_is_a_study(name: str) -> None:
    study = preset(name)
    found = ways(study.model, examples_of(study.data))
    assert any(way.endswith("* wider") for way in found) or len(study.group_sizes()[0]) == 1
    assert any(way.startswith("deeper") for way in found)
    for candidates in found.values():
        made = validated(study.model_dump(mode="json") | {"candidates": candidates})
        sizes = made.group_sizes()
        assert len({tuple(each.items()) for each in sizes}) == len(sizes), "each candidate is another network"


@pytest.mark.parametrize("name", OF_EACH_KIND)
def test_equal_parameter_counts_are(name: str) -> None:
    from landscape.analysis.cost import parameters

    study = preset(name)
    candidates = ways(study.model, examples_of(study.data))[EQUAL]
    base, *counts = parameters(validated(study.model_dump(mode="json") | {"candidates": candidates}))
    assert min(counts) > base and max(counts) <= 1.1 * min(counts)


def test_a_base_without_room_has_no_way() -> None:
    """One unit cannot be widened by a quarter, nor can a set of equal counts be found for it by that."""
    found = ways(MlpSpec(hidden=(1,)), Examples((2,), 2, 10))
    assert [step["factor"] for (step,) in found["hidden1 wider"]] == [1.5, 3]


@pytest.mark.parametrize("name", presets())
def test_a_toml_text_is_its_study(name: str) -> None:
    study = presets()[name]
    assert validated(content_of(toml_text(study))) == study
    assert content_of(f'extends = "{name}"') if name in ("tinybert", "minibert") else True


@settings(max_examples=50)
@given(st.text(st.characters(exclude_categories=["C", "Z"], include_characters=" "), max_size=30))
def test_any_title_survives(title: str) -> None:
    study = preset("digits-mlp").model_copy(update={"title": title})
    assert Study.model_validate(tomllib.loads(toml_text(study))).title == title


def test_a_text_may_extend_what_ships_and_nothing_else() -> None:
    study = validated({"name": "mine"} | content_of('extends = "cnn-cifar10"\nseeds = 2\n[laptop]\nseeds = 1'))
    assert study.seeds == 1 and study.data == preset("cnn-cifar10").data
    for other in ("'../secret'", "'/etc/passwd'", "3", "['digits-mlp']"):
        with pytest.raises(ValueError, match="extends: must name a study that ships"):
            content_of(f"extends = {other}")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("seeds = ", "not TOML"),
        ("x = " + "[" * 5000, "more than 10 deep"),
        ("#" * 60_000, "50,000 characters"),
        ("laptop = 1", "a table"),
    ],
)
def test_what_is_no_study_text_is_refused(text: str, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        content_of(text)


EQUAL_SIZES = {"equal-parameters": 4, "equal-parameters-digits": 14, "equal-parameters-cifar10": 12}


@pytest.mark.parametrize("name", EQUAL_SIZES)
def test_studies_of_equal_size_keep_it_to_one_percent(name: str) -> None:
    study = preset(name)
    examples = examples_of(study.data)
    counts = [
        sum(each.parameters for each in study.model.linear_layers(sizes, examples)) for sizes in study.group_sizes()
    ]
    middle = (max(counts[1:]) + min(counts[1:])) / 2
    assert len(counts) == 1 + EQUAL_SIZES[name] and max(counts[1:]) / middle <= 1.01
    assert min(counts[1:]) > 1.15 * counts[0]


def test_a_report_holds_the_file_that_its_commands_name(tmp_path: Path) -> None:
    """So that a reader who has nothing but the report computes the same study."""
    study = small_study(seeds=2)
    report = html_report(synthetic(study, np.random.default_rng(0)))
    (name, text) = re.findall(r"<summary>The file (\S+), with every setting</summary><pre>(.*?)</pre>", report, re.S)[0]
    assert f"python -m landscape run {name}" in report
    (tmp_path / name).write_text(unescape(text))
    assert from_toml(tmp_path / name).key == study.key
