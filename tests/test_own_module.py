"""Studies of modules of one's own: found out by tracing, computed by the command line, opened everywhere."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from streamlit.testing.v1 import AppTest
from trained import LENGTH, SPECS, VOCABULARY

from landscape.analysis import cost
from landscape.cli.parser import main
from landscape.jobs.background.client import Jobs
from landscape.jobs.local import run
from landscape.jobs.own import prepared, surveyed
from landscape.jobs.own.described import described, handed_over
from landscape.models.functional import Network, split
from landscape.numerics.multiply_adds import multiply_adds
from landscape.store.results import Store
from landscape.study import Study, from_toml, recorded, schema, validated
from landscape.study.examples import Examples
from landscape.study.kinds import BertSpec, ModelSpec, OwnSpec
from landscape.study.presets import preset
from landscape.study.schema import study_of

pytestmark = pytest.mark.compiled_quickly

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"<!-- study ([\w.]+) -->\n```\w+\n(.*?)```", README, re.DOTALL))
NET, STUDY = FILES["net.py"], FILES["mine.toml"]
OUTSIDE = (
    "pages/home/home.py",
    "pages/own/",
    "pages/compare/scorecard.py",
    "pages/explore/sharpness.py",
)

PAGES = sorted(  # without lessons, which open no study
    page
    for page in (str(path.relative_to(ROOT)) for path in ROOT.glob("pages/*/*.py"))
    if not page.startswith(("pages/shared/", "pages/learn/"))
)


def write(folder: Path, net: str = NET, study: str = STUDY) -> Path:
    """The three files of a study; returns that of the study."""
    (folder / "net.py").write_text(net)
    (folder / "mine.toml").write_text(study)
    with contextlib.chdir(folder):
        exec(FILES["data.py"], {})
    return folder / "mine.toml"


@pytest.mark.parametrize("name", SPECS)
def test_multiply_adds_are_those_that_the_kinds_count(name: str) -> None:
    spec: ModelSpec = SPECS[name]
    text = isinstance(spec, BertSpec)
    examples = Examples((LENGTH,), VOCABULARY, 0, 3) if text else Examples((8, 6, 2), 10, 0)
    network = nnx.eval_shape(lambda: split(spec.build(examples.shape, examples.classes, nnx.Rngs(0))))
    inputs: Any = jax.ShapeDtypeStruct((1, *examples.shape), jnp.float32)
    if text:
        inputs = {"tokens": jnp.ones((1, LENGTH), int), "positions": jnp.ones((1, 3), int)}
    layers = spec.linear_layers(spec.group_sizes(), examples)
    assert multiply_adds(Network.logits, network, inputs) == sum(layer.multiply_adds for layer in layers)


def test_multiply_adds_of_loops_and_branches() -> None:
    matrix = jnp.ones((4, 4))
    scanned = lambda x: jax.lax.scan(lambda x, _: (x @ matrix, None), x, None, 5)[0]  # noqa: E731
    assert multiply_adds(scanned, jnp.ones(4)) == 5 * 16
    either = lambda x: jax.lax.cond(x[0] > 0, lambda: matrix @ x, lambda: x)  # noqa: E731
    assert multiply_adds(either, jnp.ones(4)) == 16


def test_what_is_found_of_a_module(tmp_path: Path) -> None:
    study = prepared(from_toml(write(tmp_path)))
    assert study.group_sizes() == [{"up": 8}, {"up": 10}, {"up": 16}]
    assert study.model.facts.batch_norm and not study.model.facts.deepens
    expected = [6 * width + width + 2 * width + 3 * width + 3 for width in (8, 10, 16)]
    assert cost.parameters(study) == expected
    assert cost.multiply_adds(study) == [9 * width for width in (8, 10, 16)]
    assert len(NET.splitlines()) <= 20
    assert study.key == from_toml(tmp_path / "mine.toml").key  # what is found follows from the files
    assert study.scaled(seeds=1).model == study.model
    sent = recorded(study.model_dump(mode="json"))
    assert sent.key == study.key and (sent.data.file, sent.model.module) == ("table.npz", "net.py:build")


def test_the_key_holds_the_source_and_not_its_place(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    here, there = from_toml(write(tmp_path)), from_toml(write(tmp_path / "there"))
    assert here.model != there.model and here.key == there.key
    assert from_toml(write(tmp_path, NET.replace("0.1", "0.2"))).key != here.key
    other = STUDY.replace("net.py:build", "net.py:other")
    assert from_toml(write(tmp_path, NET, other)).key != here.key


FAULTS: dict[str, tuple[str, str, str]] = {
    "no file": (STUDY.replace("net.py", "no.py"), NET, r"no.py cannot be read: No such file"),
    "no function": (STUDY.replace(":build", ":made"), NET, r"net.py has no function made\(shape, classes, rngs\)"),
    "no path": (STUDY.replace("net.py:build", "net"), NET, r"model.module: .*\.py:"),
    "syntax": (STUDY, "def build(:", r"net.py is not Python: invalid syntax"),
    "import": (STUDY, "import nowhere_to_be_found", r"net.py cannot be imported: ModuleNotFoundError: No module named"),
    "exit": (STUDY, "raise SystemExit(3)", r"net.py cannot be imported: SystemExit: 3"),
    "beside": (STUDY, "from other import Net", r"net.py imports other from beside it, and a study knows one file only"),
    "arguments": (STUDY, "def build(): pass", r"build\(\(6,\), 3, rngs\) fails: TypeError: build\(\) takes 0"),
    "raises": (STUDY, NET.replace("shape[0]", "shape[1]"), r"build\(\(6,\), 3, rngs\) fails: IndexError"),
    "no module": (STUDY, "def build(shape, classes, rngs): return 3", r"must return a flax.nnx.Module; it returns int"),
    "inputs": (STUDY, NET.replace("shape[0]", "5"), r"Net cannot be run .+ \(4, 6\): TypeError, in line 11: "),
    "type": (
        STUDY,
        NET.replace("self.up(x)", "scanned(self.up(x))")
        + "\n\nimport jax\n\n\ndef scanned(x):\n    start = jax.numpy.zeros(x.shape[-1], 'float32')\n"
        "    return jax.lax.scan(lambda c, row: (0 * c + row.sum(), row), start, x)[1]\n",
        r"cannot be scored by SynFlow, .+ the type of its inputs: TypeError",
    ),
    "recurrent": (
        STUDY,
        NET.replace(
            "        self.norm", "        self.rnn = nnx.RNN(nnx.SimpleCell(1, 6, rngs=rngs))\n        self.norm"
        )
        .replace("self.up(x)", "self.up(self.rnn(x[..., None])[:, -1])")
        .replace("nnx.Linear(features, 8", "nnx.Linear(6, 8"),
        r"takes no part in a study, which aligns its seeds: rnn.cell.dense_h.kernel has several axes in one unit group",
    ),
    "huge": (STUDY, NET.replace("8, rngs", "2**40, rngs"), r"returns take \d+ TB, and this computer has .+ of memory"),
    "logits": (
        STUDY,
        NET.replace(", classes, rngs)\n", ", 5, rngs)\n"),
        r"must return logits of shape \(4, 3\) .* \(4, 5\)",
    ),
    "random": (
        STUDY,
        NET.replace("self.up(x)", "self.up(x) + 0 * nnx.Rngs(0).normal((len(x), 1))"),
        r"outputs of Net depend on a random number",
    ),
    "batch": (
        STUDY,
        NET.replace("return self.down", "x = -x if len(x) == 3 else x\n        return self.down"),
        r"Net traces differently for another number of examples",
    ),
    "neighbours": (
        STUDY,
        NET.replace("self.up(x)", "self.up(x - x.mean(0))"),
        r"depend on the other examples of the batch",
    ),
    "group": (
        STUDY.replace('group = "up"', 'group = "hidden"'),
        NET,
        r"walk.group = 'hidden' is not a unit group; they are up",
    ),
    "candidate": (STUDY.replace("size = 10", "size = 7"), NET, r"up = 7 does not widen the base: it must be above 8"),
    "depth": (
        STUDY.replace('{ widen = "up", size = 10 }', '{ deepen = "up" }'),
        NET,
        r"deepen 'up': the module has no method `deepened`",
    ),
    "evenly": (
        STUDY,
        NET.replace("nnx.BatchNorm", "nnx.LayerNorm"),
        r"up = 10 is no whole multiple of 8: only copying each unit equally often preserves the function",
    ),
    "silent": (STUDY.replace(", size = 10", ', size = 10, units = "silent"'), NET, r"one width.*units = 'silent'"),
    "start": (STUDY + '[expansion]\nstart = "random"', NET, r"a module of your own has one width"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_wrong_with_a_module_is_one_sentence(tmp_path: Path, fault: str) -> None:
    study, net, expected = FAULTS[fault]
    (tmp_path / "other.py").write_text("Net = None")
    with pytest.raises(ValueError, match=expected) as refusal:
        prepared(from_toml(write(tmp_path, net, study)))
    assert "\n" not in str(refusal.value).partition("mine.toml:\n")[2].strip()


def test_a_function_of_a_notebook_is_known_by_what_it_computes(tmp_path: Path) -> None:
    study = validated(from_toml(write(tmp_path)).model_dump() | {"model": {"kind": "own"}})
    with pytest.raises(ValueError, match=r"mine has no key yet: its model names no `module` such as net.py:build"):
        run(study, tmp_path / "cache")

    def built(code: str) -> Study:
        names: dict[str, Any] = {}
        exec(code, names)
        return handed_over(surveyed(study), names["build"])

    first = built(NET)
    assert built(NET.replace("self.up", "self.first")).key != first.key  # another order in which weights are drawn
    assert built(NET.replace("classes", "labels")).key == first.key
    assert built(NET.replace("0.1", "0.2")).key != first.key  # dropout, which only training has
    assert built(NET.replace("gelu", "relu")).key != first.key
    assert described(first).group_sizes()[0] == {"up": 8}
    with pytest.raises(ValueError, match="`build` is for a model of kind 'own'; the study has one of kind 'mlp'"):
        handed_over(preset("digits-mlp"), lambda shape, classes, rngs: None)


def test_a_table_by_hand_and_a_method_that_deepens_are_kept(tmp_path: Path) -> None:
    net = """
from flax import nnx
from landscape.models.mlp import mlp


class Own(nnx.Module):
    def __init__(self, chain):
        self.chain = chain

    def __call__(self, x):
        return self.chain(x)

    def groups(self):
        moved = lambda axes: tuple(type(axis)(f"chain.{axis.path}", axis.axis, axis.inner) for axis in axes)
        found = self.chain.groups().items()
        return {name: type(group)(moved(group.produces), moved(group.consumes)) for name, group in found}

    def deepened(self, after, name):
        return Own(self.chain.deepened(after, name))


def build(shape, classes, rngs):
    return Own(mlp(shape[0], (5, 4), classes, rngs))
"""
    text = STUDY.replace('{ widen = "up", size = 10 }', '{ deepen = "hidden1" }').replace('"up"', '"hidden1"')
    (tmp_path / "landscape").mkdir()  # as at the top of a checkout, where nothing but the installed package is meant
    (tmp_path / "landscape" / "__init__.py").touch()
    study = prepared(from_toml(write(tmp_path, net, text)))
    assert study.group_sizes()[1] == {"hidden1": 5, "hidden2": 4, "hidden1_1": 5}
    assert cost.parameters(study)[1] - cost.parameters(study)[0] == 5 * 5 + 5
    with pytest.raises(ValueError, match=r"1 layer after hidden1 gives groups of \{.*hidden1_10"):
        prepared(from_toml(write(tmp_path, net.replace("(after, name))", "(after, name + '0'))"), text)))


def forgotten(study: Study, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The study as another process knows it, which has not been handed its function; its file would leave a trace."""
    assert isinstance(study.model, OwnSpec)
    monkeypatch.setattr("landscape.models.own.HANDED", {})
    monkeypatch.setattr("landscape.jobs.own.described.HANDED", {})
    trace = study.model.path.with_name("was run")
    study.model.path.write_text(f"open({str(trace)!r}, 'w').close()\n{NET}")
    return trace


def test_a_study_that_was_stored_or_sent_runs_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = prepared(from_toml(write(tmp_path)))
    trace = forgotten(study, monkeypatch)
    sent = recorded(study.model_dump(mode="json"))
    named = r"python -m landscape run STUDY.toml`, with the file of the study that names net.py:build"
    for refused in (
        lambda: run(sent, tmp_path / "cache"),
        lambda: Jobs(Store(tmp_path / "cache")).submit(sent),
        lambda: sent.model.build((6,), 3, nnx.Rngs(0)),
    ):
        with pytest.raises(ValueError, match=named):
            refused()
    bare = study.model.model_copy(update={"found": None})
    with pytest.raises(ValueError, match="it was never computed"):
        recorded(study.model_dump(mode="json") | {"model": bare.model_dump(mode="json")})
    assert not trace.exists()


def test_the_app_takes_no_paths_and_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANDSCAPE_CACHE", str(tmp_path / "cache"))
    path = write(tmp_path)
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=300).run().switch_page("pages/own/new.py").run()
    for text in (path.read_text(), f'data = {{ file = "{tmp_path}/table.npz" }}'):
        app.text_area(key="pasted").set_value(text)
        app.button(key="use-pasted").click().run()
        assert not app.exception
        told = [error.value.replace("\\", "") for error in app.error]
        assert any("python -m landscape run" in each for each in told), told


def visited(page: str, study: Study) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=300)
    app.query_params["study"] = f"mine-{study.key[:6]}"
    app.switch_page(page).run()
    assert not app.exception
    return app


@pytest.mark.slow
def test_two_commands_and_every_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], one_scan: None
) -> None:
    monkeypatch.setenv("LANDSCAPE_CACHE", str(tmp_path / "cache"))
    path = write(tmp_path)
    assert main(["run", str(path)]) == 0 and "up × 2" in capsys.readouterr().out
    study = from_toml(path)
    stored = Store().read(study.key)
    assert stored["parameters"].values.tolist() == cost.parameters(study_of(stored)) == [99, 123, 195]
    assert np.isfinite(stored["barrier"]).all() and np.isfinite(stored["proxy"]).all()

    assert str(tmp_path) not in stored.attrs["study"]
    begun = study_of(stored).scaled(seeds=3)
    Store().parts(begun).write("base-seed0", schema.part(begun, {"seed": 0}, base_stop=np.array(1)), {})
    trace = forgotten(study, monkeypatch)
    (tmp_path / "table.npz").unlink()
    for page in PAGES:
        app = visited(page, study)
        assert app.get("plotly_chart") or page.startswith(OUTSIDE), page
    told = [info.value for info in visited("pages/explore/study.py", begun).info]
    assert any("The app does not go on" in each and "python -m landscape run" in each for each in told), told
    assert not trace.exists()


def test_workers_are_sent_no_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path)
    assert main(["run", str(path), "--scheduler", "tcp://127.0.0.1:1", "--cache", str(tmp_path / "cache")]) == 2
    assert "run mine without --scheduler" in capsys.readouterr().err
