"""What the README tells people to run, run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from landscape.cli.parser import main
from landscape.study.presets import presets

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_model_of_ones_own(capsys: pytest.CaptureFixture) -> None:
    (program,) = re.findall(r"<!-- own -->\n```python\n(.*?)```", README, re.DOTALL)
    exec(compile(program, "README.md", "exec"), {})
    found = re.fullmatch(r"M₀ = (-?[\d.]+) %; GradNorm ([\d.e+-]+)\n", capsys.readouterr().out)
    assert found and -40 <= float(found[1]) <= 60 and float(found[2]) > 0


def test_every_preset_of_the_paper_is_named() -> None:
    laptops = {name.removesuffix("-paper") for name in presets()}
    assert laptops <= set(re.findall(r"`([\w-]+)`", README)) | {"digits-mlp"}


def test_the_numbers_are_those_that_show_prints(capsys: pytest.CaptureFixture) -> None:
    assert main(["show", "digits-mlp"]) == 0
    tables = capsys.readouterr().out.split("\n\n", 1)[1]
    assert f"```\n{tables}```" in README
