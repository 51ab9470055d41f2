"""The command line: what a newcomer types, and what they get for it."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from invented import address
from prepared_sets import write_images

from landscape import best_gain, gain, manifold_metric
from landscape.analysis.wording import interval, minus
from landscape.cli.computing import every
from landscape.cli.computing.progress import ProgressLine
from landscape.cli.naming import named_study
from landscape.cli.parser import main
from landscape.cli.tables import json_text
from landscape.jobs import resume
from landscape.jobs.progress import Progress
from landscape.store import places
from landscape.store.results import Store
from landscape.study import from_toml
from landscape.study.presets import label, preset
from landscape.study.schema import TIMES, empty

__all__ = ["address"]  # a fixture

pytestmark = [pytest.mark.slow, pytest.mark.compiled_quickly]

ROOT = Path(__file__).parents[1]

TOML = """
candidates = [[{ widen = "hidden1", size = 6 }], [{ widen = "hidden1", size = 9 }]]
seeds = 2
data = { train_size = 120, validation_size = 100 }
model = { kind = "mlp", hidden = [5] }
training = { batch_size = 60, base_epochs = 2, epochs = 2 }
walk = { group = "hidden1", permutations = 6, batch_size = 60, nodes = 2 }
"""


class Computed(NamedTuple):
    """The tiny study, computed in two cache folders: by as many processes as the command chooses, and by one."""

    file: str
    caches: list[Path]
    printed: list[str]
    errors: list[str]

    @property
    def cache(self) -> str:
        return str(self.caches[0])


@pytest.fixture(scope="module")
def computed(tmp_path_factory: pytest.TempPathFactory) -> Computed:
    folder = tmp_path_factory.mktemp("computed")
    (folder / "tiny.toml").write_text(TOML)
    caches = [folder / "a", folder / "b"]
    commands = [
        [sys.executable, "-m", "landscape", "run", str(folder / "tiny.toml"), "--cache", str(cache), *options]
        for cache, options in zip(caches, (["--json"], ["--workers", "1"]), strict=True)
    ]
    started = partial(subprocess.run, capture_output=True, text=True, timeout=300)
    done = [started(command) for command in commands]  # one after the other, as the second need not compile
    assert [each.returncode for each in done] == [0, 0], done
    return Computed(str(folder / "tiny.toml"), caches, [each.stdout for each in done], [each.stderr for each in done])


@pytest.fixture(autouse=True)
def no_shipped_gallery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "GALLERY", tmp_path / "shipped")


@pytest.fixture
def nothing_to_compute(monkeypatch: pytest.MonkeyPatch) -> None:
    """Studies without tasks: their results are all missing values, at once."""
    monkeypatch.setattr(resume, "plan_study", lambda study, divisions=1, first=0: {})


def dataset_of(computed: Computed, which: int = 0) -> xr.Dataset:
    return Store(computed.caches[which]).open("tiny")


def test_run_ends_with_one_line_of_json(computed: Computed) -> None:
    last = json.loads(computed.printed[0].splitlines()[-1])
    study = from_toml(computed.file)
    assert last.keys() == {"key", "path", "seconds"}
    assert last["key"] == study.key and last["seconds"] > 0
    assert Path(last["path"]) == computed.caches[0] / study.key / "result.nc"
    assert not dataset_of(computed).barrier.isnull().any()


def test_progress_is_on_stderr_and_reaches_the_end(computed: Computed) -> None:
    shares = [int(found) for found in re.findall(r"(\d+)%", computed.errors[0])]
    assert shares == sorted(shares) and shares[-1] == 100
    assert "\r" not in computed.errors[0]


class Terminal(io.TextIOWrapper):
    """A terminal that knows ASCII only."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), "ascii", errors="backslashreplace")

    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_one_live_line_and_need_not_be_utf8(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    with ProgressLine() as line:
        line.show(Progress("running", "hidden1 → 9: walking", 0.25, left=90))
    sys.stderr.flush()
    shown = sys.stderr.buffer.getvalue().decode("ascii")
    assert " 25%" in shown and r"hidden1 \u2192 9: walking, 1 min 30 s left" in shown
    assert shown.endswith("\x1b[2K")  # the line is erased


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp437"])
def test_output_need_not_be_utf8(computed: Computed, encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """JSON stays JSON, and a table is shown, whatever the terminal or the pipe can encode."""
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding))
    for options in ([], ["--json"]):
        assert main(["show", "tiny", "--cache", computed.cache, *options]) == 0
    sys.stdout.flush()
    table, braces, rest = sys.stdout.buffer.getvalue().partition(b"{")
    assert b"M\\u2080 in %" in table
    assert json.loads((braces + rest).decode("ascii"))["candidates"][0]["candidate"] == "hidden1 → 6"


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_printed_json_is_read_back_from_any_encoding(found: object) -> None:
    assert json.loads(json_text(found).encode("ascii")) == found


def test_a_file_of_a_study_may_have_any_suffix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bare name is that of a preset, though."""
    monkeypatch.chdir(tmp_path)
    key = from_toml(toml_file(tmp_path / "mine.toml")).key
    for name in ("MINE.TOML", "mine.txt", "digits-mlp"):
        toml_file(tmp_path / name)
    paths = "mine.toml", "MINE.TOML", "mine.txt", "./digits-mlp"
    assert {named_study(path, Store(tmp_path)).key for path in paths} == {key}
    assert named_study("digits-mlp", Store(tmp_path)) == preset("digits-mlp")


def toml_file(path: Path) -> Path:
    path.write_text(TOML)
    return path


def test_several_processes_and_one_compute_the_same_numbers(computed: Computed) -> None:
    first, second = (dataset_of(computed, which).drop_vars(TIMES) for which in range(2))
    for dataset in (first, second):
        for changing in ("computed", "seconds"):
            del dataset.attrs[changing]
    xr.testing.assert_identical(first, second)


def test_second_run_is_read_without_jax_or_dask(computed: Computed) -> None:
    code = (
        "import sys; from landscape.cli.parser import main; status = main(sys.argv[1:]); "
        "assert not {'jax', 'distributed'} & set(sys.modules); sys.exit(status)"
    )
    command = [sys.executable, "-c", code, "run", computed.file, "--cache", computed.cache, "--json"]
    again = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    first = json.loads(computed.printed[0])
    assert (again["key"], again["path"]) == (first["key"], first["path"])


@pytest.mark.parametrize("name", ["tiny", "file", "key", "netcdf"])
def test_show_gives_the_numbers(computed: Computed, name: str, capsys: pytest.CaptureFixture) -> None:
    dataset, key = dataset_of(computed), from_toml(computed.file).key
    names = {"tiny": "tiny", "file": computed.file, "key": key[:5], "netcdf": f"{computed.cache}/{key}/result.nc"}
    assert main(["show", names[name], "--q", "0.3", "--n", "5", "--json", "--cache", computed.cache]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [shown[field] for field in ("key", "name", "q", "n", "seeds", "epochs")] == [key, "tiny", 0.3, 5, 2, 2]
    metric = manifold_metric(dataset, 0.3, 5).sel(checkpoint=0).mean("seed")
    gains = best_gain(dataset, "accuracy").mean("seed")
    for i, candidate in enumerate(shown["candidates"]):
        assert candidate["candidate"] == dataset.candidate.values[i]
        assert candidate["width"] == (6, 9)[i]
        assert candidate["parameters"] == 64 * candidate["width"] + candidate["width"] * 11 + 10
        assert candidate["M0"]["mean"] == pytest.approx(float(metric[i]))
        assert candidate["best_gain"]["accuracy"]["mean"] == pytest.approx(float(gains[i]))
        assert candidate["M0"]["low"] <= candidate["M0"]["mean"] <= candidate["M0"]["high"]
    assert {"M0", "parameters"} <= shown["kendall"].keys()


def test_run_without_json_shows_the_table(computed: Computed, capsys: pytest.CaptureFixture) -> None:
    assert main(["show", "tiny", "--cache", computed.cache]) == 0
    table = capsys.readouterr().out
    assert table == computed.printed[1]
    assert all(text in table for text in ("hidden1 → 6", "hidden1 → 9", "q = 0.4", "n = 6", "Kendall's τ"))


def test_run_shows_what_is_stored_by_any_of_its_names(computed: Computed, capsys: pytest.CaptureFixture) -> None:
    """A study that has no preset is found by its name, by that with digits of its key, and by its key."""
    study = from_toml(computed.file)
    for name in ("tiny", label("tiny", study.key), study.key):
        assert main(["run", name, "--cache", computed.cache]) == 0
        assert capsys.readouterr().out == computed.printed[1]


def test_a_reader_that_leaves_is_no_error() -> None:
    """As `head` does: no traceback."""
    command = f"{sys.executable} -m landscape list | head -n 1"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=True, timeout=300)
    assert done.stdout.startswith("name") and done.stderr == ""


def test_list_names_presets_results_and_damage(computed: Computed, capsys: pytest.CaptureFixture) -> None:
    damaged = computed.caches[0] / ("0" * 16)
    damaged.mkdir()
    try:
        assert main(["list", "--json", "--cache", computed.cache]) == 0
    finally:
        damaged.rmdir()
    out, err = capsys.readouterr()
    rows = {row["name"]: row for row in json.loads(out)}
    assert rows["tiny"]["state"] == "computed" and rows["tiny"]["key"] == from_toml(computed.file).key
    assert rows["digits-mlp"]["state"] == "not computed" and rows["digits-mlp"]["key"] == preset("digits-mlp").key
    assert damaged.name in err and "record.json" in err
    assert main(["list", "--cache", computed.cache]) == 0
    assert {line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]} == {
        row["label"] for row in rows.values()
    }


def test_list_names_a_study_that_was_begun(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    study = preset("digits-mlp").scaled(seeds=2)
    Store(tmp_path).parts(study).write("seed0-base", empty(study).isel(seed=[0]), {})
    assert main(["list", "--json", "--cache", str(tmp_path)]) == 0
    rows = {row["key"]: row for row in json.loads(capsys.readouterr().out)}
    assert (rows[study.key]["name"], rows[study.key]["state"], rows[study.key]["seeds"]) == (
        "digits-mlp",
        "unfinished",
        2,
    )
    assert rows[preset("digits-mlp").key]["state"] != "unfinished"


def test_exported_netcdf_is_the_whole_result(computed: Computed, tmp_path: Path) -> None:
    target = tmp_path / "study.nc"
    assert main(["export", "tiny", "-o", str(target), "--cache", computed.cache]) == 0
    xr.testing.assert_identical(xr.load_dataset(target), dataset_of(computed))
    assert [path.name for path in tmp_path.iterdir()] == ["study.nc"]


def test_exported_csv_has_a_row_a_seed_candidate_and_checkpoint(computed: Computed, tmp_path: Path) -> None:
    target, dataset = tmp_path / "study.csv", dataset_of(computed)
    assert main(["export", "tiny", "-o", str(target), "--q", "0.2", "--n", "4", "--cache", computed.cache]) == 0
    with target.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == dataset.sizes["seed"] * dataset.sizes["candidate"] * dataset.sizes["checkpoint"]
    metric, grown = manifold_metric(dataset, 0.2, 4), gain(dataset, "accuracy")
    for row in rows:
        at = {"seed": int(row["seed"]), "candidate": row["candidate"]}
        epoch = int(row["epoch"])
        assert float(row["metric_percent"]) == pytest.approx(float(metric.sel(at | {"checkpoint": epoch})))
        assert float(row["gain_accuracy_points"]) == pytest.approx(float(grown.sel(at | {"epoch": epoch})))
        loss = float(dataset.validation_loss.sel(at | {"epoch": epoch}))
        assert float(row["validation_loss_nats"]) == pytest.approx(loss, rel=1e-6)
        assert int(row["width"]) == int(dataset.width.sel(model=at["candidate"]))


ERRORS = {
    "run nope": "unknown study 'nope'; all names are listed by: python -m landscape list$",
    "run digts-mlp": "unknown study 'digts-mlp'; did you mean digits-mlp.*? All names are listed by",
    "run tinyy": "unknown study 'tinyy'; did you mean tinybert",
    "run nope.toml": "nope.toml: No such file",
    "run BAD": "walk: unknown key .grop.",
    "run MALFORMED": "this is not TOML",
    "run FILE --seeds 0": "seeds: must be at least 1 .given 0",
    "run FILE --epochs -1": "training.epochs: must be at least 0 .given -1",
    "run FILE --permutations 0": "walk.permutations: must be at least 1 .given 0",
    "run FILE --permutations -1": "walk.permutations: must be at least 1 .given -1",
    "run FILE --train-size 0": "data.train_size: must be at least 1 .given 0",
    "run FILE --train-size 10": "walk.batch_size = 60 is larger than the 10 training examples",
    "run FILE --train-size 5000 --workers 1": "1797 examples; 5000 for training",
    "run FILE --scheduler 127.0.0.1:1": "there is no Dask scheduler at '127.0.0.1:1'",
    "run": "run takes either the NAME of a study or --all",
    "run digits-mlp --all": "run takes either the NAME of a study or --all",
    "run digits-mlp --scale paper": "--scale goes with --all; NAME-paper is the preset NAME at the paper's scale",
    "show nope": "'nope' names no result; all names are listed by: python -m landscape list$",
    "show tin": "'tin' names no result; did you mean tiny-",
    "show digits-mlp": "'digits-mlp' names no result; it is computed by: python -m landscape run digits-mlp$",
    "show tiny --q 0": "q must lie strictly between 0 and 1; got 0",
    "show tiny --q 1.5": "q must lie strictly between 0 and 1; got 1.5",
    "show tiny --q nan": "q must lie strictly between 0 and 1; got nan",
    "show tiny --n 7": "n must be from 1 to 6, the permutations computed; got 7",
    "show tiny --n 0": "n must be from 1 to 6, the permutations computed; got 0",
    "show FOREIGN": "foreign.nc: this is not a readable NetCDF",
    "export tiny -o study.xlsx": "must end in .nc or .csv; got 'study.xlsx'",
    "export tiny -o nowhere/study.nc": "cannot write nowhere/study.nc: No such file",
    "export nope -o study.nc": "'nope' names no result",
    "gallery nope": "unknown study 'nope'; all names are listed by: python -m landscape list$",
}


def test_without_a_command_all_of_them_are_listed(capsys: pytest.CaptureFixture) -> None:
    assert main([]) == 2
    told = capsys.readouterr().err
    assert all(re.search(rf"^    {name} +\w", told, re.MULTILINE) for name in ("list", "run", "show", "jobs"))


@pytest.mark.parametrize("command", ["export tiny -o {}/a.csv", "report tiny -o {}/a.html"])
def test_a_read_only_folder_is_named(
    command: str, computed: Computed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """Where nothing can be removed either."""

    def refuse(*given: object, **options: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    for name in ("write_bytes", "unlink"):
        monkeypatch.setattr(Path, name, refuse)
    assert main([*command.format(tmp_path).split(), "--cache", computed.cache]) == 2
    assert re.search("cannot write .*/a.*: Read-only file system", capsys.readouterr().err)


NO_NUMBERS = {
    "show tiny --q half": "--q: must be a number between 0 and 1 (given 'half')",
    "export tiny -o a.csv --n all": "--n: must be a whole number from 1 on (given 'all')",
    "run tiny --seeds 1.5": "--seeds: must be a whole number (given '1.5')",
    "engine --idle nan": "--idle: must be a number of seconds, above 0 and up to a year (given 'nan')",
    "engine --idle -1": "--idle: must be a number of seconds, above 0 and up to a year (given '-1')",
}


@pytest.mark.parametrize("line", NO_NUMBERS)
def test_what_is_no_number_is_named_with_what_is_allowed(line: str, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        main(line.split())
    assert NO_NUMBERS[line] in capsys.readouterr().err


@pytest.mark.parametrize("line", ERRORS)
def test_user_error_is_one_line(
    computed: Computed, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("landscape.jobs.background.client.TIMEOUT", 0.2)
    Path("bad.toml").write_text(TOML.replace("group", "grop"))
    Path("malformed.toml").write_text("seeds = = 3")
    Path("foreign.nc").write_text("no NetCDF")
    files = {"FILE": computed.file, "BAD": "bad.toml", "MALFORMED": "malformed.toml", "FOREIGN": "foreign.nc"}
    arguments = [files.get(word, word) for word in line.split()]
    assert main([*arguments, "--cache", computed.cache]) == 2
    out, err = capsys.readouterr()
    assert out == "" and "Traceback" not in err
    assert re.search(rf"^error: (.*\s)?{ERRORS[line]}", err, re.DOTALL | re.MULTILINE), err
    assert list(computed.caches[0].glob("0*")) == []


BERT = TOML.replace("hidden1", "ffn1").replace('kind = "mlp", hidden = [5]', 'kind = "bert", hidden = 8, ffn = 5')
CNN = TOML.replace("hidden1", "conv1").replace('kind = "mlp", hidden = [5]', 'kind = "cnn", channels = [5]')
WIKITEXT = 'data = { name = "wikitext-2", sequence_length = 16, '


def on(data: str, toml: str = TOML) -> str:
    """The tiny study on other data."""
    return toml.replace("data = { ", data)


UNREADABLE = {
    "a set that is not here": (
        on('data = { name = "svhn_cropped", '),
        "no data set 'svhn_cropped' in .* TFDS_DATA_DIR",
    ),
    "text that is not here": (
        on(WIKITEXT, BERT),
        "wikitext-2 was not found.*Place wiki.train.tokens.*python-docs needs no",
    ),
    "text that is not UTF-8": (on(WIKITEXT, BERT), "wiki.valid.tokens is not UTF-8 text: .* at byte 4"),
    "text that is too short": (
        on(WIKITEXT, BERT),
        "the validation text of wikitext-2 has 4 tokens; a sequence of length 16 takes 14",
    ),
    "images for a model of text": (
        BERT,
        "model of kind 'bert' cannot read digits; the kinds that read .* are 'mlp', 'cnn'",
    ),
    "text for a model of images": (
        on(WIKITEXT),
        "model of kind 'mlp' cannot read wikitext-2; the kinds that read text are 'bert'",
    ),
    "images too small": (
        on('data = { name = "dots", ', CNN),
        r"a CNN needs images .* at least 2×2; got shape \(1, 1, 3\)",
    ),
    "images of many shapes": (
        on('data = { name = "mixed", ', CNN),
        "mixed has images of differing shapes, such as 1×1×3",
    ),
    "too few images": (
        TOML.replace("120", "1700"),
        "digits has 1797 examples; 1700 for training and 100 for validation",
    ),
    "a large batch": (
        TOML.replace("batch_size = 60, base", "batch_size = 121, base"),
        "training.batch_size = 121 is .* 120",
    ),
    "a large walk": (
        TOML.replace("batch_size = 60, nodes", "batch_size = 121, nodes"),
        "walk.batch_size = 121 is .* the 120",
    ),
}

TEXTS = {"text that is not UTF-8": b"a b \xff", "text that is too short": b"a a a a"}


@pytest.mark.parametrize("case", UNREADABLE)
def test_data_that_a_study_cannot_use_are_named_before_anything_is_trained(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    if case in TEXTS:
        (tmp_path / "wiki.train.tokens").write_text("a few words " * 400)
        (tmp_path / "wiki.valid.tokens").write_bytes(TEXTS[case])
    for name, width in (("dots", 1), ("mixed", 2)):
        images = [np.zeros((1, width if i % 2 else 1, 3), np.uint8) for i in range(240)]
        write_images(tmp_path, name, images, [i % 3 for i in range(240)])
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("WIKITEXT_DIR", str(tmp_path))
    monkeypatch.setenv("LANDSCAPE_CACHE", str(tmp_path / "cache"))
    toml, said = UNREADABLE[case]
    (tmp_path / "study.toml").write_text(toml)
    assert main(["run", str(tmp_path / "study.toml"), "--workers", "1", "--cache", str(tmp_path / "cache")]) == 2
    out, err = capsys.readouterr()
    assert out == "" and "Traceback" not in err and "finished" not in err
    assert re.search(f"^error: .*{said}", err, re.DOTALL | re.MULTILINE), err


def test_all_presets_of_a_scale_are_computed_whatever_becomes_of_each(computed, monkeypatch, capsys):
    """One is computed, one fails, one is stored; that of the other scale is left alone."""
    stored = from_toml(computed.file)
    large = stored.model_copy(update={"training": stored.training.model_copy(update={"batch_size": 121, "epochs": 1})})
    known = {"a-paper": stored, "b-paper": large, "c-paper": stored.scaled(seeds=1, permutations=2), "d": stored}
    renamed = {name: study.model_copy(update={"name": name}) for name, study in known.items()}
    monkeypatch.setattr(every, "presets", lambda: renamed)
    arguments = ["run", "--all", "--scale", "paper", "--workers", "1", "--cache", computed.cache]
    assert main(arguments) == 1
    told = capsys.readouterr()
    table = [line.split() for line in told.out.splitlines()[1:4]]
    assert sorted(each[0] for each in table) == ["a-paper", "b-paper", "c-paper"]
    assert "To compute: 2 of 3 studies, about " in told.out and "Checkpoints take up to " in told.out
    assert "error: b-paper failed: training.batch_size = 121 is larger than the 120 training examples" in told.err
    assert "Failed: 1 of 3. The same command tries them again." in told.err
    assert renamed["c-paper"].key in Store(computed.cache)
    assert main([*arguments, "--json"]) == 1
    again = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {each["name"]: "error" in each for each in again} == {"a-paper": False, "b-paper": True, "c-paper": False}


@pytest.mark.parametrize("line", ["show tiny --n many", "export tiny", "fly", "run tiny --seeds 1.5"])
def test_wrong_usage(line: str, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as raised:
        main(line.split())
    assert raised.value.code == 2
    assert "usage: python -m landscape" in capsys.readouterr().err


@pytest.mark.usefixtures("nothing_to_compute")
def test_result_that_cannot_be_stored_is_shown(
    computed: Computed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def full(source: object, target: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "replace", full)
    cache = tmp_path / "cache"
    assert main(["run", computed.file, "--cache", str(cache)]) == 1
    out, err = capsys.readouterr()
    assert "hidden1 → 9" in out
    assert f"not stored: cannot write to {cache}: No space left on device" in err
    assert main(["run", computed.file, "--json", "--cache", str(cache)]) == 1
    assert json.loads(capsys.readouterr().out)["path"] is None


@pytest.mark.usefixtures("nothing_to_compute")
def test_damaged_result_is_computed_again(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "tiny.toml").write_text(TOML)
    arguments = ["run", str(tmp_path / "tiny.toml"), "--json", "--cache", str(tmp_path / "cache")]
    assert main(arguments) == 0
    path = Path(json.loads(capsys.readouterr().out)["path"])
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert main(["show", path.parent.name, "--cache", str(tmp_path / "cache")]) == 2
    assert f"{path.parent.name} is damaged" in capsys.readouterr().err
    assert main(arguments) == 0
    assert Store(tmp_path / "cache").read(path.parent.name).sizes["seed"] == 2


@pytest.mark.usefixtures("nothing_to_compute")
def test_scaled_preset_goes_to_the_gallery_only_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    cache = ["--cache", str(tmp_path)]
    for _ in range(2):
        assert main(["gallery", "digits-mlp", *cache]) == 0
        assert Path(capsys.readouterr().out.strip()) == tmp_path / "gallery" / "digits-mlp" / "result.nc"
    assert Store(tmp_path).find("digits-mlp").key == preset("digits-mlp").key
    assert main(["run", "digits-mlp", "--seeds", "3", "--json", *cache]) == 0
    assert json.loads(capsys.readouterr().out)["key"] == preset("digits-mlp").scaled(seeds=3).key


@pytest.mark.usefixtures("nothing_to_compute")
def test_run_on_a_scheduler(computed: Computed, address: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    arguments = ["run", computed.file, "--scheduler", address, "--json", "--cache", str(tmp_path)]
    assert main(arguments) == 0
    path = json.loads(capsys.readouterr().out)["path"]
    assert np.isnan(Store(tmp_path).open(path).barrier).all()
    assert main(arguments) == 0  # it is stored now
    assert json.loads(capsys.readouterr().out)["path"] == path


def test_failure_on_a_scheduler(
    computed: Computed,
    address: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    def fail(study: object, divisions: int, first: int = 0) -> dict:
        raise MemoryError("too large")

    monkeypatch.setattr(resume, "plan_study", fail)
    assert main(["run", computed.file, "--scheduler", address, "--cache", str(tmp_path)]) == 1
    assert "tiny failed: MemoryError: too large" in capsys.readouterr().err


def test_list_says_what_a_preset_reproduces_and_what_it_would_take(
    computed: Computed, capsys: pytest.CaptureFixture
) -> None:
    assert main(["list", "--json", "--cache", computed.cache]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert "figure 1" in rows["mlp-cifar10"]["reproduces"]
    assert rows["mlp-cifar10-paper"]["estimated_seconds"] > rows["mlp-cifar10"]["estimated_seconds"] > 0
    assert rows["tiny"]["seconds"] > 0 and rows["tiny"]["estimated_seconds"] is None
    assert rows["tinybert-paper"]["estimated_seconds"] > rows["mlp-cifar10-paper"]["estimated_seconds"]


def test_list_works_without_any_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(places, "GALLERY", tmp_path / "none")
    assert main(["list", "--cache", str(tmp_path)]) == 0
    assert "cnn-cifar10-paper" in capsys.readouterr().out


def test_report_is_one_page_with_the_numbers_that_show_prints(
    computed: Computed, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    target = tmp_path / "report.html"
    assert main(["report", "tiny", "-o", str(target), "--q", "0.3", "--cache", computed.cache]) == 0
    capsys.readouterr()
    assert main(["show", "tiny", "--q", "0.3", "--json", "--cache", computed.cache]) == 0
    shown = json.loads(capsys.readouterr().out)
    page = target.read_text(encoding="utf-8")
    assert all(f"<td>{each['parameters']}</td>" in page for each in shown["candidates"])
    told = page.replace("\N{NO-BREAK SPACE}", " ")
    assert all(minus(interval(**each["M0"], digits=1)) in told for each in shown["candidates"])
    assert shown["key"] in page and page.count("Plotly.newPlot(") >= 13
    assert "python -m landscape run tiny" in page and "@article{" in page and "prefers-color-scheme: dark" in page
    assert "Computed on" in page and re.search(
        r"of \d+ edges? exists?", page
    )  # where it comes from, and what a figure shows
    outside = re.findall(r"""(?:src|href)=["']?https?:""", page.split("</script>", 1)[1])
    assert not outside  # it opens without a network


@pytest.mark.parametrize("output", ["report.pdf", "report"])
def test_a_report_is_html(computed: Computed, tmp_path: Path, capsys: pytest.CaptureFixture, output: str) -> None:
    assert main(["report", "tiny", "-o", str(tmp_path / output), "--cache", computed.cache]) == 2
    assert ".html" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_data_says_what_is_here_and_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    assert main(["data"]) == 0
    assert "digits: 1,797 images" in capsys.readouterr().out
    assert main(["data", "digits"]) == 0
    for name, said in (("wikitext-103", str(tmp_path)), ("no-such-set", "no data set 'no-such-set'")):
        assert main(["data", name]) == 2
        assert said in capsys.readouterr().err
