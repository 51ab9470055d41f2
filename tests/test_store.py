"""The store: exact round trips, and no kind of damage that is shown or fatal."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache as once
from functools import partial
from importlib import resources
from pathlib import Path

import dask
import ml_dtypes
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from landscape.cli.parser import main
from landscape.store import netcdf, places
from landscape.store.parts.pauses import pause, paused_at
from landscape.store.results import Store
from landscape.store.sealed import DamagedEntry, Unwritable, write_sealed
from landscape.study import Study, schema, validated
from landscape.study.presets import label, preset

BEFORE = {"device": "CPU, 4 cores", "computed": "2025-12-01T00:00:00+00:00", "seconds": 1, "versions": {}, "seeds": 1}
SHIPPED = sorted(path.parent for path in (Path(__file__).parents[1] / "cache" / "gallery").glob("*/record.json"))


def tiny(**changes: object) -> Study:
    content = {
        "name": "tiny",
        "model": {"kind": "mlp", "hidden": [6]},
        "candidates": [[{"widen": "hidden1", "size": 7}]],
        "training": {"base_epochs": 3, "epochs": 2},
        "walk": {"group": "hidden1", "permutations": 5, "nodes": 3},
        "seeds": 2,
    }
    return validated(content | changes)


def filled(study: Study, seed: int = 0) -> xr.Dataset:
    """A result of arbitrary numbers that can be, NaN among them."""
    dataset, rng = schema.empty(study), np.random.default_rng(seed)
    for name, variable in dataset.data_vars.items():
        values = rng.uniform(1, 2 if str(name).endswith("accuracy") else 300, variable.shape)
        variable.values[...] = (values - str(name).endswith("accuracy")).astype(variable.dtype)
        if variable.dtype.kind == "f":
            variable.values.flat[:1] = np.nan
    return dataset


def record(study: Study) -> dict:
    known = {"key": study.key, "name": study.name, "title": study.title, "study": study.model_dump(mode="json")}
    return known | {"device": "CPU, 2 cores", "computed": "2026-01-01T00:00:00+00:00", "seconds": 3.0, "versions": {}}


@pytest.fixture(autouse=True)
def no_shipped_gallery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "GALLERY", tmp_path / "shipped")


@pytest.fixture
def cache(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


@pytest.mark.parametrize(
    "study",
    [
        tiny(),
        tiny(seeds=1),  # no pairs of seeds
        tiny(walk={"group": "hidden1", "permutations": 1, "nodes": 2}, training={"base_epochs": 1, "epochs": 0}),
        tiny(candidates=[[{"widen": "hidden1", "factor": 1.5}, {"deepen": "hidden1", "layers": 2}]]),
    ],
    ids=["tiny", "one seed", "smallest", "deeper"],
)
def test_round_trip_is_exact(cache: Store, study: Study) -> None:
    dataset = filled(study)
    entry = cache.write(dataset, record(study))
    for again in (cache.read(study.key), cache.open(study.name), cache.open(study.key[:6]), cache.open(entry.path)):
        xr.testing.assert_identical(again, dataset)
        assert {name: variable.dtype for name, variable in again.variables.items()} == {
            name: variable.dtype for name, variable in dataset.variables.items()
        }
    assert study.key in cache
    assert cache.entries() == ([entry], [])


def test_a_file_with_the_names_of_an_earlier_version_opens_with_those_of_today(cache: Store) -> None:
    study, dataset = tiny(), filled(tiny())
    write_sealed(cache.root / study.key, {"result.nc": netcdf.encode(dataset.rename(moment="stage"))}, record(study))
    for again in (cache.read(study.key), netcdf.read(cache.entry(study.key).path)):
        xr.testing.assert_identical(again, dataset)


def test_a_variable_added_later_is_missing_in_results_computed_before(
    cache: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, dataset = tiny(), filled(tiny())
    cache.write(dataset, record(study))
    late = schema.Variable(("seed", "candidate", "copy"), "1", "a cosine", optional=True)
    count = schema.Variable(("seed",), "1", "a count", np.int64, optional=True)
    coordinates = schema.coordinates
    monkeypatch.setattr(schema, "VARIABLES", schema.VARIABLES | {"cosine": late, "count": count})
    monkeypatch.setattr(schema, "coordinates", lambda study: coordinates(study) | {"copy": np.arange(3)})
    again = cache.read(study.key)
    assert again["cosine"].dims == late.dims and again.sizes["copy"] == 3
    assert again["cosine"].isnull().all() and (again["count"] == -1).all()
    xr.testing.assert_identical(again.drop_vars(["cosine", "count", "copy"]), dataset)
    whole = cache.root / "whole.nc"
    whole.write_bytes(netcdf.encode(again))
    xr.testing.assert_identical(netcdf.read(whole), again)


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda path: path.name)
def test_shipped_results_keep_their_keys_and_open_with_the_names_of_today(folder: Path) -> None:
    """Each also opens by its preset's name, and its key is that of its record, its study and its preset."""
    study = preset(folder.name)
    dataset = netcdf.read(folder / "result.nc")
    assert "moment" in dataset.dims and "stage" not in dataset.dims
    recorded = json.loads((folder / "record.json").read_text())["key"]
    assert {recorded, dataset.attrs["key"], schema.study_of(dataset).key} == {study.key}


def of_another_program() -> bytes:
    """A file with what results do without: packed numbers, a scalar, truth values, an axis without values, a mask."""
    packed = {"dtype": "int16", "scale_factor": 0.5, "add_offset": 1.0, "_FillValue": -1}
    variables = {"packed": (("x", "y"), [[1.5, np.nan, 2.0]] * 2), "scalar": 3.0, "flag": ("x", [True, False])}
    attributes = {"one": [1.0], "several": [1, 2], "text": "τ", "bytes": np.bytes_(b"fixed")}
    dataset = xr.Dataset(variables, {"x": ["a", "été"]}, attributes)
    return bytes(dataset.to_netcdf(engine="h5netcdf", encoding={"packed": packed}))


@pytest.mark.parametrize("folder", [*SHIPPED, None], ids=lambda path: path.name if path else "another program")
def test_files_are_read_as_xarray_reads_them(folder: Path | None) -> None:
    content = (folder / "result.nc").read_bytes() if folder else of_another_program()
    ours, expected = netcdf.load(content), xr.load_dataset(io.BytesIO(content), engine="h5netcdf")
    xr.testing.assert_identical(ours, expected)
    types = {name: variable.dtype for name, variable in expected.variables.items()}
    assert [(name, variable.dtype) for name, variable in ours.variables.items()] == [*types.items()]


def test_shipped_results_open_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "GALLERY", SHIPPED[0].parent)
    entries, damaged = Store(tmp_path).entries()
    assert damaged == [] and [entry.name for entry in entries] == [path.name for path in SHIPPED]
    for entry in entries:
        assert entry.shipped and Store(tmp_path).open(entry.name).attrs["key"] == entry.key == preset(entry.name).key


def test_the_gallery_of_the_package_is_that_of_the_checkout() -> None:
    assert Path(str(resources.files("landscape") / "gallery")).resolve() == SHIPPED[0].parent


def test_where_the_cache_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder named by the caller, by the environment, by the checkout around, or the user's."""
    checkout, elsewhere = tmp_path / "checkout", tmp_path / "elsewhere"
    for folder in (checkout / "cache" / "gallery", checkout / "pages", elsewhere):
        folder.mkdir(parents=True)
    (checkout / "app.py").touch()
    monkeypatch.setenv(places.VARIABLE, str(tmp_path / "environment"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    monkeypatch.chdir(checkout / "pages")
    assert Store("argument").root == checkout / "pages" / "argument"
    assert Store().root == tmp_path / "environment"
    monkeypatch.setenv(places.VARIABLE, "")
    assert Store().root == checkout / "cache"
    monkeypatch.chdir(elsewhere)
    if sys.platform == "linux":
        assert Store().root == tmp_path / "user" / "landscape"
    assert Store().entries() == ([], []) and not Store().root.exists()


def test_no_home_directory_is_said_in_words(tmp_path: Path) -> None:
    """To a user whom the system does not know, and whose environment names no home."""
    code = (
        "import pwd; pwd.getpwuid = lambda uid: (_ for _ in ()).throw(KeyError(uid))\n"
        "import sys; from landscape.__main__ import main; sys.exit(main(['list']))"
    )
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    asked = subprocess.run([sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert asked.returncode == 2 and "home directory" in asked.stderr and "--cache" in asked.stderr
    assert len(asked.stderr.splitlines()) == 1


def test_new_process_reads_the_same_without_jax(cache: Store) -> None:
    cache.write(filled(tiny()), record(tiny()))
    code = (
        "import sys; from landscape.store.results import Store; "
        f"print(float(Store({str(cache.root)!r}).open('tiny').barrier.sum())); assert 'jax' not in sys.modules"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert float(printed) == float(filled(tiny()).barrier.sum())


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, dict[str, bytes], xr.Dataset]:
    study = tiny()
    entry = Store(tmp_path_factory.mktemp("written")).write(filled(study), record(study))
    return study, {path.name: path.read_bytes() for path in entry.folder.iterdir()}, filled(study)


def lay(root: Path, key: str, files: dict[str, bytes]) -> Store:
    """A cache folder with just these files as one entry."""
    shutil.rmtree(root, ignore_errors=True)
    (root / key).mkdir(parents=True)
    for name, content in files.items():
        (root / key / name).write_bytes(content)
    return Store(root)


def assert_damaged(cache: Store, key: str) -> None:
    """Named in the listing; named and set aside on reading; then as if it had never been there."""
    entries, damaged = cache.verify()
    assert (entries, [damage.name for damage in damaged]) == ([], [key])
    assert key not in cache
    with pytest.raises(DamagedEntry, match=key):
        cache.read(key)
    assert [path.name.split("-")[0] for path in (cache.root / ".damaged").iterdir()] == [key]
    assert cache.entries() == ([], [])
    with pytest.raises(ValueError, match="no result"):
        cache.read(key)


@settings(max_examples=40)
@given(st.data())
def test_flipped_bit_is_never_shown(written, tmp_path_factory, data: st.DataObject) -> None:
    study, files, dataset = written
    name = data.draw(st.sampled_from(sorted(files)))
    place = data.draw(st.integers(0, 8 * len(files[name]) - 1))
    content = bytearray(files[name])
    content[place // 8] ^= 1 << place % 8
    root = tmp_path_factory.getbasetemp() / "flipped"
    cache = lay(root, study.key, files | {name: bytes(content)})
    try:
        same = json.loads(content) == json.loads(files[name])  # as a space that became a line break
    except ValueError:
        same = False
    if same:
        xr.testing.assert_identical(cache.read(study.key), dataset)
    else:
        assert_damaged(cache, study.key)


@settings(max_examples=20)
@given(st.data())
def test_truncated_file_is_never_shown(written, tmp_path_factory, data: st.DataObject) -> None:
    study, files, _ = written
    name = data.draw(st.sampled_from(sorted(files)))
    length = data.draw(st.integers(0, len(files[name]) - 1))
    cache = lay(tmp_path_factory.getbasetemp() / "truncated", study.key, files | {name: files[name][:length]})
    assert_damaged(cache, study.key)


@pytest.mark.parametrize(
    "record_text",
    [b"", b"{", b"[]", b"null", b"3", b'"text"', b"{}", b'{"seal": 1}', b'{"sha256": []}', b"\xff\xfe", b"[" * 100_000],
)
def test_malformed_record(written, tmp_path: Path, record_text: bytes) -> None:
    study, files, _ = written
    assert_damaged(lay(tmp_path / "cache", study.key, files | {"record.json": record_text}), study.key)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", None),
        ("name", 3),
        ("title", ["a"]),
        ("key", 7),
        ("study", [1]),
        ("study", {}),
        ("device", {}),
        ("computed", 5),
        ("versions", 3),
        ("seconds", "abc"),
        ("seconds", -1),
        ("seconds", float("nan")),
        ("seconds", float("inf")),
        ("seconds", 10**400),
        ("title", "x" * 10**6),
        ("device", "\x1b[2J"),
        ("taken", "many"),
        ("earlier", 3),
        ("earlier", [3]),
        ("earlier", [{}]),
        ("earlier", [BEFORE | {"seeds": 0}]),
        ("earlier", [BEFORE | {"seeds": 2}]),
        ("earlier", [BEFORE | {"seconds": 4.0}]),
        ("earlier", [BEFORE | {"versions": []}]),
    ],
)
def test_absurd_content_under_an_intact_seal_is_named_and_hides_no_other_entry(written, tmp_path, field, value):
    study, files, _ = written
    content = record(study) | {field: value}
    write_sealed(tmp_path / "cache" / study.key, {"result.nc": files["result.nc"]}, content)
    other = tiny(seeds=3)
    cache = Store(tmp_path / "cache")
    cache.write(filled(other), record(other))
    entries, damaged = cache.entries()
    assert [entry.key for entry in entries] == [other.key]
    assert [damage.name for damage in damaged] == [study.key]
    with pytest.raises(DamagedEntry, match=study.key):
        cache.read(study.key)


ENDLESS = {"a pipe": os.mkfifo, "a device": partial(os.symlink, "/dev/zero")}


@pytest.mark.parametrize("file", ["record.json", "result.nc"])
@pytest.mark.parametrize("put", ENDLESS.values(), ids=ENDLESS)
def test_a_file_that_never_ends_is_not_read(cache: Store, put: Callable[[Path], None], file: str) -> None:
    """Nor waited for: nothing else could be listed meanwhile."""
    absurd, other = tiny(), tiny(seeds=3)
    for study in (absurd, other):
        cache.write(filled(study), record(study))
    (cache.root / absurd.key / file).unlink()
    put(cache.root / absurd.key / file)
    assert [entry.key for entry in cache.verify().entries] == [other.key]
    assert absurd.key not in cache
    with pytest.raises(DamagedEntry, match=r"Not a regular file"):
        cache.read(absurd.key)


@pytest.mark.parametrize("file", [".study", ".elapsed", ".paused", "seed0-base/record.json", "seed0-base/part.nc"])
def test_of_an_unfinished_study_neither(cache: Store, file: str) -> None:
    parts = cache.parts(tiny())
    assert parts.note_study()
    parts.note_elapsed(3.0)
    pause(parts.folder, 0.5)
    parts.write("seed0-base", one_part(tiny(), 0), {})
    parts.write("seed1-base", one_part(tiny(), 1), {})
    (parts.folder / file).unlink()
    os.mkfifo(parts.folder / file)
    assert cache.begun() == [tiny()]
    assert parts.elapsed() in (0.0, 3.0) and paused_at(parts.folder) in (None, 0.5)
    assert {*parts.read()} == {"seed1-base", *([] if "/" in file else ["seed0-base"])}


def test_an_outcome_of_something_else_under_an_intact_seal_is_set_aside(cache: Store) -> None:
    study, parts = tiny(), cache.parts(tiny())
    files = {"part.nc": b"no NetCDF", "weights.safetensors": b""}
    write_sealed(parts.folder / "seed0-base", files, record(study) | {"task": "seed0-base"})
    parts.write("seed1-base", one_part(study, 1), {})
    assert list(parts.read()) == ["seed1-base"] and parts.names() == {"seed1-base"}


@pytest.mark.parametrize(("name", "value"), [("validation_accuracy", 7), ("barrier", -1), ("seconds", -2)])
def test_numbers_that_cannot_be_are_not_shown_under_an_intact_seal(cache: Store, name: str, value: float) -> None:
    """The entry is named as damaged and set aside, and can be computed again; others are as they were."""
    absurd, other = tiny(), tiny(seeds=3)
    for study in (absurd, other):
        dataset = filled(study)
        if study is absurd:
            dataset[name].values[...] = value
        write_sealed(cache.root / study.key, {"result.nc": netcdf.encode(dataset)}, record(study))
    assert [damage.name for damage in cache.verify().damaged] == [absurd.key]
    with pytest.raises(DamagedEntry, match=f"{absurd.key} is damaged: {name} "):
        cache.read(absurd.key)
    assert absurd.key not in cache
    cache.write(filled(absurd), record(absurd))
    assert {study.key for study in (absurd, other)} == {entry.key for entry in cache.verify().entries}


def test_only_results_wait_for_the_disk(cache: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The outcome of a task that a power failure damages is computed again."""
    waits: list[int] = []
    monkeypatch.setattr("landscape.store.sealed.os.fsync", waits.append)
    study = tiny()
    cache.parts(study).write("base-seed0", filled(study), {"seed0-epoch0": {"w": np.ones(2, np.float32)}})
    assert not waits
    cache.write(filled(study), record(study))
    assert len(waits) == len(list(cache.entry(study.key).path.parent.iterdir()))


@pytest.mark.parametrize("missing", ["record.json", "result.nc"])
def test_half_written_entry(written, tmp_path: Path, missing: str) -> None:
    study, files, _ = written
    left = {name: content for name, content in files.items() if name != missing}
    assert_damaged(lay(tmp_path / "cache", study.key, left), study.key)


def test_entry_in_the_wrong_folder(written, tmp_path: Path) -> None:
    _, files, _ = written
    other = tiny(seeds=3).key
    assert_damaged(lay(tmp_path / "cache", other, files), other)


@pytest.mark.parametrize("kind", ["file", "empty folder", "foreign folder"])
def test_garbage_in_place_of_an_entry(tmp_path: Path, kind: str) -> None:
    cache, key = Store(tmp_path / "cache"), tiny().key
    cache.root.mkdir()
    if kind == "file":
        (cache.root / key).write_text("no folder")
    else:
        (cache.root / key).mkdir()
    if kind == "foreign folder":
        (cache.root / key / "notes.txt").write_text("nothing of ours")
    assert_damaged(cache, key)


def test_files_with_narrower_types_are_read_in_the_present_ones() -> None:
    """As SynFlow's scores and the swaps were once stored."""
    whole = filled(tiny())
    narrow = whole.assign(proxy=whole.proxy.astype(np.float32), swaps=whole.swaps.astype(np.int16))
    again = netcdf.decode(netcdf.encode(narrow))
    assert (again.proxy.dtype, again.swaps.dtype) == (np.float64, np.int32)
    np.testing.assert_array_equal(again.proxy, whole.proxy.astype(np.float32))
    np.testing.assert_array_equal(again.swaps, whole.swaps)


@pytest.mark.parametrize(
    ("name", "held", "lost"),
    [("swaps", 35627, 2**31), ("proxy", 1e300, None), ("curve", 3e38, 1e39), ("curve", np.inf, 1e39)],
)
def test_assembling_refuses_what_a_variable_cannot_hold(name: str, held: float, lost: float | None) -> None:
    study = tiny()
    part = filled(study)[[name]].astype(np.int64 if name == "swaps" else np.float64)
    part[name].values[...] = held
    np.testing.assert_allclose(schema.assemble(study, [part])[name], held, rtol=1e-6)
    if lost is not None:
        part[name].values.flat[-1] = lost
        with pytest.raises(ValueError, match=f"{name} is .* cannot hold"):
            schema.assemble(study, [part])


@once
def foreign_files() -> dict[str, bytes]:
    """Files that hold no result of this study, each under what is said of it."""
    study, other = tiny(), filled(tiny())
    renamed = other.rename({"barrier": "wall"})
    shorter = other.isel(permutation=slice(3))
    retyped = other.assign(width=other.width.astype(np.float32))
    relabelled = other.assign_coords(candidate=["hidden1 → 70"])
    return {
        "is missing": netcdf.encode(renamed),
        "permutation": netcdf.encode(shorter),
        "float32": netcdf.encode(retyped),
        "candidate": netcdf.encode(relabelled),
        "its key": netcdf.encode(other.assign_attrs(key=tiny(seeds=3).key)),
        "do not name a study": netcdf.encode(xr.Dataset({"x": ("y", [1.0])}, attrs={"title": "weather"})),
        "train_size": netcdf.encode(other.assign_attrs(study=study.model_dump_json().replace("null", "0", 1))),
        "not a readable": b"\x89HDF\r\n\x1a\n" + bytes(100),
    }


FOREIGN = ["is missing", "permutation", "float32", "candidate", "its key", "do not name a study", "train_size"]


@pytest.mark.parametrize("reason", [*FOREIGN, "not a readable"])
def test_foreign_file_is_named(cache: Store, tmp_path: Path, reason: str) -> None:
    """By its path, and where its record fits it."""
    path, content = tmp_path / "foreign.nc", foreign_files()[reason]
    path.write_bytes(content)
    with pytest.raises(ValueError, match=reason) as raised:
        cache.open(path)
    assert str(path) in str(raised.value)
    write_sealed(cache.root / tiny().key, {"result.nc": content}, record(tiny()))
    with pytest.raises(DamagedEntry, match=reason):
        cache.read(tiny().key)
    assert tiny().key not in cache


def test_stray_files_are_nothing(cache: Store) -> None:
    entry = cache.write(filled(tiny()), record(tiny()))
    (cache.root / ".tmp-left").mkdir()
    (cache.root / ".engine").mkdir()
    (cache.root / "notes.txt").write_text("mine")
    assert cache.entries() == ([entry], [])


def test_what_is_not_ours_is_neither_damaged_nor_in_the_way(cache: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders of file systems, backups and other programs, in the cache, the gallery and among the parts."""
    entry, begun = cache.write(filled(tiny()), record(tiny())), tiny(seeds=3)
    cache.publish(entry.key, "tiny")
    monkeypatch.setattr(places, "GALLERY", cache.root / "gallery")
    cache.parts(begun).write("seed0-base", one_part(begun, 0), {})
    before = cache.entries()
    for parent in (cache.root, cache.root / "gallery", cache.root / ".parts", cache.parts(begun).folder):
        for name in ("@eaDir", "$RECYCLE.BIN", "System Volume Information", "lost+found", "__pycache__", "0ther"):
            (parent / name).mkdir()
            (parent / name / "desktop.ini").write_text("nothing of ours")
        (parent / "Thumbs").write_text("nothing of ours")
    assert cache.entries() == before and not before.damaged
    assert cache.begun() == [begun]
    assert list(cache.parts(begun).read()) == ["seed0-base"]
    assert (cache.parts(begun).folder / "@eaDir" / "desktop.ini").exists()
    assert not (cache.root / ".damaged").exists()


def test_damaged_entry_is_computed_again(cache: Store) -> None:
    """Writing puts an intact entry in place of a damaged one, which is kept aside."""
    entry = cache.write(filled(tiny()), record(tiny()))
    entry.path.write_bytes(b"gone")
    cache.write(filled(tiny()), record(tiny()))
    xr.testing.assert_identical(cache.read(tiny().key), filled(tiny()))
    assert len(list((cache.root / ".damaged").iterdir())) == 1


def test_writers_at_once(cache: Store) -> None:
    """Every writer succeeds, every reader sees one of the results whole, nothing else is left behind."""
    datasets = [filled(tiny(), seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        for entry in pool.map(lambda dataset: cache.write(dataset, record(tiny())), datasets):
            assert entry.key == tiny().key
    assert any(cache.read(tiny().key).identical(dataset) for dataset in datasets)
    assert [path.name for path in cache.root.iterdir()] == [tiny().key]


@pytest.mark.slow
def test_writers_in_two_processes(cache: Store, tmp_path: Path) -> None:
    path = tmp_path / "given.nc"
    path.write_bytes(netcdf.encode(filled(tiny())))
    code = (
        "import sys, json; from landscape.store import netcdf; from landscape.store.results import Store\n"
        "store, dataset = Store(sys.argv[1]), netcdf.read(sys.argv[2])\n"
        "for _ in range(5): store.write(dataset, json.loads(sys.argv[3]))"
    )
    command = [sys.executable, "-c", code, str(cache.root), str(path), json.dumps(record(tiny()))]
    writers = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(2)]
    assert [writer.communicate()[1] for writer in writers] == [b"", b""]
    xr.testing.assert_identical(cache.read(tiny().key), filled(tiny()))
    assert [path.name for path in cache.root.iterdir()] == [tiny().key]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_full_or_read_only_folder(cache: Store, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    dataset = filled(tiny())

    def refuse(source: object, target: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(Unwritable, match=os.strerror(code)) as raised:
        cache.write(dataset, record(tiny()))
    assert str(cache.root) in str(raised.value)
    assert list(cache.root.iterdir()) == []
    xr.testing.assert_identical(dataset, filled(tiny()))


def test_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    cache = Store(tmp_path / "cache")
    assert cache.entries() == ([], [])
    with pytest.raises(Unwritable, match="cache"):
        cache.write(filled(tiny()), record(tiny()))


def test_damage_in_a_read_only_folder_is_named_and_stays(cache: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = cache.write(filled(tiny()), record(tiny()))
    entry.path.write_bytes(b"gone")

    def refuse(source: object, target: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(DamagedEntry, match="checksum"):
        cache.read(tiny().key)
    assert entry.path.exists()


def test_find_prefers_the_preset_as_it_is(cache: Store) -> None:
    whole = preset("digits-mlp").scaled(permutations=3, seeds=1)
    scaled = whole.scaled(permutations=4)
    cache.write(schema.empty(scaled), record(scaled))
    assert cache.find("digits-mlp").key == scaled.key
    cache.write(schema.empty(whole), record(whole))
    with pytest.raises(ValueError, match="several") as raised:
        cache.find("digits-mlp")
    assert whole.key in str(raised.value) and scaled.key in str(raised.value)
    for study in (whole, scaled):  # by what the app and `list` call it
        assert cache.find(label(study.name, study.key)).key == study.key
    with pytest.raises(ValueError, match="names no result"):
        cache.find(f"another-{whole.key[:6]}")
    exact = preset("digits-mlp")
    cache.write(schema.empty(exact), record(exact))
    assert cache.find("digits-mlp").key == exact.key


@pytest.mark.parametrize("text", ["", "tin", "0123", "../secret", "TINY", "ab", "x" * 300, "\0"])
def test_an_unknown_name_is_told_with_the_nearest_and_the_way_to_all(cache: Store, text: str) -> None:
    cache.write(filled(tiny()), record(tiny()))
    with pytest.raises(ValueError, match=r"no result.*ll names are listed by: python -m landscape list") as raised:
        cache.find(text)
    assert repr(text) in str(raised.value)
    near = f"did you mean {label('tiny', tiny().key)}"
    assert (near in str(raised.value)) == (text in ("tin", "TINY"))


@pytest.mark.parametrize("key", ["", "..", "../../etc", "gallery", "g" * 16, "0" * 15])
def test_malformed_key(cache: Store, key: str) -> None:
    with pytest.raises(ValueError, match="16 hexadecimal digits"):
        cache.read(key)
    assert key not in cache


def test_gallery_is_read_and_never_written(cache: Store) -> None:
    entry = cache.write(filled(tiny()), record(tiny()))
    shipped = cache.publish(entry.key, "shown")
    assert shipped.folder == cache.root / "gallery" / "shown" and shipped.shipped
    shutil.rmtree(entry.folder)
    assert cache.find("tiny") == shipped
    xr.testing.assert_identical(cache.read(entry.key), filled(tiny()))
    shipped.path.write_bytes(b"gone")
    with pytest.raises(DamagedEntry, match="shown is damaged"):
        cache.read(entry.key)
    assert [damage.name for damage in cache.verify().damaged] == ["shown"]
    assert shipped.path.exists()


def test_publish_replaces(cache: Store) -> None:
    for study in (tiny(), tiny(seeds=3)):
        cache.write(filled(study), record(study))
        assert cache.publish(study.key, "shown").key == study.key


def test_a_publication_that_fails_leaves_the_old_one(cache: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.write(filled(tiny()), record(tiny()))
    shown = cache.publish(tiny().key, "shown")

    def full(*args: object) -> None:
        raise Unwritable("no space left")

    monkeypatch.setattr("landscape.store.results.write_sealed", full)
    with pytest.raises(Unwritable):
        cache.publish(tiny().key, "shown")
    shutil.rmtree(cache.entry(tiny().key).folder)
    assert cache.find("tiny") == shown


def one_part(study: Study, seed: int) -> xr.Dataset:
    return filled(study)[["base_barrier", "base_stop"]].isel(seed=[seed])


def test_a_dask_client_that_has_closed_is_in_nobodys_way(cache: Store) -> None:
    """The client of a worker in this process stays Dask's scheduler after its end, where another one is still open."""
    with dask.config.set(scheduler="distributed"):
        cache.parts(tiny()).write("seed0-base", one_part(tiny(), 0), {})
        xr.testing.assert_identical(cache.parts(tiny()).read()["seed0-base"].part, one_part(tiny(), 0))
        cache.write(filled(tiny()), record(tiny()))
        assert cache.read(tiny().key)


def test_parts_resume_and_show(cache: Store) -> None:
    study, weights = tiny(), {"start": {"hidden1.kernel": np.eye(3, dtype=np.float32), "head.bias": np.zeros(2)}}
    parts = cache.parts(study)
    assert parts.read() == {}
    parts.write("seed1-base", one_part(study, 1), weights)
    parts.write("seed0-base", one_part(study, 0), {})
    kept = cache.parts(study).read()
    assert sorted(kept) == ["seed0-base", "seed1-base"] and dict(kept["seed0-base"].weights) == {}
    np.testing.assert_equal(dict(kept["seed1-base"].weights), weights)
    with pytest.raises(KeyError, match="end"):
        kept["seed1-base"].weights["end"]
    xr.testing.assert_identical(kept["seed1-base"].part, one_part(study, 1))
    partial = cache.partial(study)
    np.testing.assert_array_equal(partial.base_barrier, filled(study).base_barrier)
    assert np.isnan(partial.barrier).all()
    parts.remove()
    assert parts.read() == {}
    xr.testing.assert_identical(cache.partial(study), schema.empty(study))


@pytest.mark.parametrize("name", ["part.nc", "weights.safetensors", "record.json"])
def test_damaged_part_is_dropped(cache: Store, name: str, caplog: pytest.LogCaptureFixture) -> None:
    study = tiny()
    for seed in range(2):
        cache.parts(study).write(f"seed{seed}-base", one_part(study, seed), {})
    with (cache.parts(study).folder / "seed0-base" / name).open("ab") as file:
        file.write(b"x")
    assert list(cache.parts(study).read()) == ["seed1-base"]
    assert "seed0-base" in caplog.text
    caplog.clear()
    assert list(cache.parts(study).read()) == ["seed1-base"]
    assert caplog.text == ""


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16", "int32", "uint32", "bool"])
def test_weights_come_back_as_they_were(cache: Store, dtype: str) -> None:
    """Of every dtype that networks hold, uint32 for random keys; of any shape, and however they lie in memory."""
    whole = np.arange(24).reshape(2, 3, 4).astype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)
    arrays = {"whole": whole, "scalar": whole[1, 2, 3, ...], "none": whole[:0], "turned": whole.T, "few": whole[:, ::2]}
    cache.parts(tiny()).write("seed0-base", one_part(tiny(), 0), {"end": arrays, "other": {"whole": whole[0]}})
    weights = cache.parts(tiny()).read()["seed0-base"].weights
    assert list(weights) == ["end", "other"] and len(weights) == 2
    assert weights["end"].keys() == arrays.keys()
    for path, array in arrays.items():
        assert weights["end"][path].dtype == array.dtype
        np.testing.assert_array_equal(weights["end"][path], array)


def test_an_outcome_that_another_version_kept_is_set_aside(cache: Store, caplog: pytest.LogCaptureFixture) -> None:
    """It held its weights as NPZ; what else is kept stays."""
    study, parts = tiny(), cache.parts(tiny())
    files = {"part.nc": bytes(one_part(study, 0).to_netcdf(engine="scipy")), "weights.npz": b"any"}
    write_sealed(parts.folder / "seed0-base", files, record(study) | {"task": "seed0-base"})
    parts.write("seed1-base", one_part(study, 1), {})
    assert parts.names() == {"seed0-base", "seed1-base"}
    assert list(parts.read()) == ["seed1-base"] and parts.names() == {"seed1-base"}
    assert "another version kept it, as part.nc, weights.npz" in caplog.text
    assert np.isnan(cache.partial(study).base_barrier[0]).all()
    parts.remove()
    assert not parts.folder.exists()


def test_studies_that_were_begun_are_found(cache: Store) -> None:
    """From what is kept of them; not those that are finished, nor what another version left."""
    study, done, strange = tiny(), tiny(seeds=1), tiny(seeds=3)
    assert cache.begun() == []
    for each in (study, done, strange):
        cache.parts(each).write("seed0-base", one_part(each, 0), {})
    cache.write(filled(done), record(done))
    cache.parts(strange).folder.rename(cache.root / ".parts" / ("0" * 16))
    assert cache.begun() == [study]
    cache.parts(study).remove()
    assert cache.begun() == []


def test_weights_are_read_by_who_asks_for_them(cache: Store) -> None:
    """Not by who looks at a partial result: there may be gigabytes of them."""
    study, weights = tiny(), {"one": {"kernel": np.eye(3)}}
    written = cache.parts(study).write("seed0-base", one_part(study, 0), weights)
    np.testing.assert_equal(dict(written.weights), weights)
    (cache.parts(study).folder / "seed0-base" / "weights.safetensors").write_bytes(b"")
    np.testing.assert_array_equal(cache.partial(study).base_barrier[0], filled(study).base_barrier[0])
    assert cache.parts(study).read() == {}


def test_part_of_another_task_or_study_is_dropped(cache: Store) -> None:
    study, other = tiny(), tiny(seeds=3)
    cache.parts(study).write("seed0-base", one_part(study, 0), {})
    source = cache.parts(study).folder / "seed0-base"
    shutil.copytree(source, cache.parts(study).folder / "seed1-base")
    shutil.copytree(source, cache.parts(other).folder / "seed0-base")
    assert list(cache.parts(study).read()) == ["seed0-base"]
    assert cache.parts(other).read() == {}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can take the rights of another user for a moment")
def test_a_folder_that_cannot_be_entered_is_named_and_hides_nothing_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither what forbids to read its names nor what forbids to enter it, or one above it, ends in a traceback."""
    with tempfile.TemporaryDirectory() as name:
        (top := Path(name)).chmod(0o755)
        for mode in (0o700, 0o744):
            (gallery := top / f"{mode:o}" / "gallery").mkdir(parents=True)
            gallery.chmod(mode)
        (top / "cache").mkdir(mode=0o755)
        study = tiny()
        Store(top / "cache").write(filled(study), record(study))
        (shut := top / "shut" / "gallery").mkdir(parents=True)
        shut.parent.chmod(0o700)
        for closed in (shut, top / "700" / "gallery", top / "744" / "gallery"):
            monkeypatch.setattr(places, "GALLERY", closed)
            os.seteuid(65534)
            try:
                assert main(["list", "--cache", str(top / "cache")]) == 0
            finally:
                os.seteuid(0)
            out, err = capsys.readouterr()
            assert "tiny" in out
            assert f"{closed} is damaged: it cannot be read: Permission denied" in err


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda whole: b"", "it is empty"),
        (lambda whole: b"a letter" + whole, "it begins like none"),
        (lambda whole: whole[:-1], "it is damaged or cut off"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_in_plain_words(damage: Callable[[bytes], bytes], said: str) -> None:
    whole = netcdf.encode(xr.Dataset({"m": ("n", np.arange(3.0))}))
    with pytest.raises(ValueError, match=f"not a readable NetCDF-4 file: {said}"):
        netcdf.decode(damage(whole))
