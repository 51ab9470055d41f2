"""The recipes of ARCHITECTURE.md, each followed literally in a copy of the repository."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.compiled_quickly]

ROOT = Path(__file__).parents[1]
STEP = re.compile(r"<!-- (\w+)(?: ([^\n]*?))? -->\n```\w+\n(.*?)```\n", re.S)
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build")


class Copy(NamedTuple):
    folder: Path

    def run(self, *command: str) -> str:
        environment = {**os.environ, "PYTHONPATH": str(self.folder), "PATH": path_with_this_python()}
        environment.pop("LANDSCAPE_CACHE", None)
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def path_with_this_python() -> str:
    return f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A copy of the repository in which every recipe was followed, step by step."""
    copy = Copy(tmp_path_factory.mktemp("recipes") / "repository")
    shutil.copytree(ROOT, copy.folder, ignore=LEFT_OUT, symlinks=True)
    steps = STEP.findall((ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"))
    assert {action for action, _, _ in steps} == {"write", "append", "replace", "run"}
    for action, target, text in steps:
        follow(copy, action, target, text)
    return copy


def follow(copy: Copy, action: str, target: str, text: str) -> None:
    path = copy.folder / target.split(" : ")[0]
    match action:
        case "write":
            assert not path.exists()
            path.write_text(text, encoding="utf-8")
        case "append":
            path.write_text(path.read_text(encoding="utf-8") + "\n" + text, encoding="utf-8")
        case "replace":
            old, content = target.split(" : ")[1].replace("\\n", "\n") + "\n", path.read_text(encoding="utf-8")
            assert content.count(old) == 1
            path.write_text(content.replace(old, text), encoding="utf-8")
        case "run":
            copy.run("bash", "-e", "-c", text)


def test_the_new_model_and_the_new_proxy_are_in_the_result(followed: Copy) -> None:
    found = json.loads(followed.run(sys.executable, "-m", "landscape", "show", "digits-tanh", "--json"))
    assert [each["width"] for each in found["candidates"]] == [8, 12]
    assert "weight_norm" in found["kendall"]


def test_the_new_data_set_is_listed_and_loads(followed: Copy) -> None:
    code = (
        "from landscape.data import available, load; from landscape.study.examples import DataSpec; "
        "print('stripes' in available(), load(DataSpec(name='stripes')).train.inputs.shape)"
    )
    assert followed.run(sys.executable, "-c", code) == "True (100, 6, 6, 1)\n"


def test_the_new_page_the_new_lesson_and_the_form_with_the_new_model_open(followed: Copy) -> None:
    code = (
        "from streamlit.testing.v1 import AppTest\n"
        "app = AppTest.from_file('app.py', default_timeout=300).run()\n"
        "assert not app.exception, app.exception\n"
        "app.switch_page('pages/own/new.py').run()\n"
        "assert 'Tanh network' in app.selectbox(key='form-Base model').options, app.selectbox\n"
        "app.switch_page('pages/learn/far.py').run()\n"
        "app.radio(key='guess_far').set_value('yes').run()\n"
        "assert not app.exception and app.get('plotly_chart'), app.exception\n"
        "app.switch_page('pages/explore/reached.py').run()\n"
        "assert not app.exception, app.exception\n"
        "print(app.metric[0].value)"
    )
    script = followed.folder / "look.py"
    script.write_text(code)
    assert followed.run(sys.executable, str(script)) == "1000\n"


def test_results_computed_before_lack_the_new_variable(followed: Copy) -> None:
    code = (
        "import landscape; result = landscape.open_study('tinybert'); "
        "print(result['base_weight_norm'].isnull().all().item(), result['base_weight_norm'].dims)"
    )
    assert followed.run(sys.executable, "-c", code) == "True ('seed',)\n"


def test_new_code_is_as_clean_as_the_rest(followed: Copy) -> None:
    followed.run(
        sys.executable, "-m", "ruff", "check", "landscape", "pages", "app.py", "--config", str(ROOT / "pyproject.toml")
    )
    followed.run("lint-imports", "--config", str(ROOT / "pyproject.toml"))
