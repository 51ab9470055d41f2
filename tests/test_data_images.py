"""Images: the split, what is decoded, and what is said of a set that cannot be used."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from prepared_sets import TEXT, write_images, write_set

from landscape.data import Examples, ImageSet, available, catalogue, load, pack, prepare, register_images, status
from landscape.data.images import moments
from landscape.data.split import divide
from landscape.study.examples import DataSpec

REAL = os.environ.get("TFDS_DATA_DIR")


def real(name: str) -> pytest.MarkDecorator:
    here = REAL is not None and (Path(REAL) / name).is_dir()
    return pytest.mark.skipif(not here, reason=f"needs {name} in a folder named by TFDS_DATA_DIR")


@pytest.fixture
def top(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    return tmp_path


def drawn(count: int, shape: tuple[int, ...] = (5, 4, 3)) -> list[np.ndarray]:
    return list(np.random.default_rng(7).integers(0, 256, (count, *shape), np.uint8))


@pytest.fixture
def tiny(top):
    """Forty images whose label tells which one they are."""
    images = drawn(40)
    write_images(top, "tiny", images, range(40))
    return np.stack(images)


@given(st.integers(2, 60), st.data())
def test_split_is_disjoint_seeded_and_validation_first(count, data):
    validation_size = data.draw(st.integers(1, count - 1))
    train_size = data.draw(st.none() | st.integers(1, count - validation_size))
    spec = DataSpec(train_size=train_size, validation_size=validation_size, seed=data.draw(st.integers(0, 9)))
    validation, train = divide(count, spec)
    assert len(validation) == validation_size
    assert len(train) == (train_size or count - validation_size)
    assert len({*validation, *train} & set(range(count))) == len(validation) + len(train)
    everything = divide(count, spec.model_copy(update={"train_size": None}))
    np.testing.assert_array_equal(validation, everything[0])
    np.testing.assert_array_equal(train, everything[1][: len(train)])


@pytest.mark.parametrize(("train", "validation"), [(31, 10), (None, 40), (1, 40)])
def test_more_than_there_is(tiny, train, validation):
    with pytest.raises(ValueError, match=f"tiny has 40 examples; {train or 'some'} for training and {validation} for"):
        load(DataSpec(name="tiny", train_size=train, validation_size=validation))


def test_pixels_and_labels_belong_together(tiny):
    data = load(DataSpec(name="tiny", train_size=25, validation_size=10, seed=3))
    assert data.classes == 40
    assert data.remask is None
    assert (len(data.train), len(data.validation)) == (25, 10)
    used = tiny[data.train.targets].astype(float)
    mean, deviation = used.mean((0, 1, 2)), used.std((0, 1, 2))
    for part in (data.train, data.validation):
        assert (part.inputs.dtype, part.targets.dtype) == (np.float32, np.int32)
        np.testing.assert_allclose(part.inputs, (tiny[part.targets] - mean) / deviation, rtol=0, atol=1e-5)


def test_another_seed_is_another_split(tiny):
    splits = {tuple(load(DataSpec(name="tiny", validation_size=10, seed=seed)).validation.targets) for seed in range(5)}
    assert len(splits) == 5


def test_same_split_in_a_new_process(tiny):
    code = (
        "from landscape.data import load; from landscape.study.examples import DataSpec; "
        "data = load(DataSpec(name='tiny', train_size=20, validation_size=10, seed=4)); "
        "print(data.validation.targets.tolist(), data.train.targets.tolist(), float(data.train.inputs.std()))"
    )
    data = load(DataSpec(name="tiny", train_size=20, validation_size=10, seed=4))
    here = f"{data.validation.targets.tolist()} {data.train.targets.tolist()} {float(data.train.inputs.std())}"
    assert run(code) == here


def run(code: str) -> str:
    python = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return python.stdout.strip()


def test_a_packed_set_gives_the_splits_of_the_prepared_one(tiny, tmp_path, monkeypatch):
    spec = DataSpec(name="tiny", train_size=25, validation_size=10, seed=3)
    prepared, path = load(spec), pack("tiny")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    path.rename(elsewhere / path.name)
    monkeypatch.setenv("TFDS_DATA_DIR", str(elsewhere))
    packed = load(spec)
    assert packed.classes == prepared.classes
    for part, other in ((packed.train, prepared.train), (packed.validation, prepared.validation)):
        np.testing.assert_array_equal(part.inputs, other.inputs)
        np.testing.assert_array_equal(part.targets, other.targets)


def test_a_pack_is_written_whole_or_not_at_all(tiny, monkeypatch):
    """On a full disk the last one stays, and nothing else."""
    path = pack("tiny")
    before, beside = path.read_bytes(), {*path.parent.iterdir()}

    def full(file, **arrays):
        file.write_bytes(b"half")
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(ValueError, match=r"cannot write .*tiny\.npz: No space left"):
        pack("tiny")
    assert path.read_bytes() == before and {*path.parent.iterdir()} == beside


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK not a zip",
        {"images": np.zeros((3, 2, 2, 1), np.float32), "labels": np.arange(3), "classes": 3},
        {"images": np.zeros((3, 2, 2, 1), np.uint8), "labels": np.arange(2), "classes": 3},
        {"images": np.zeros((3, 2, 2, 1), np.uint8), "labels": np.arange(3)},
        {"images": np.array([object()]), "labels": np.arange(1), "classes": 1},
    ],
    ids=["empty", "no archive", "floats", "a label too few", "no classes", "objects"],
)
def test_a_file_that_is_no_pack_is_named(top, content):
    path = top / "blank.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.savez(path, **content)
    with pytest.raises(ValueError, match=r"blank\.npz is not a packed set of images"):
        load(DataSpec(name="blank", train_size=2, validation_size=1))


def test_moments_are_those_of_the_pixels():
    images = np.stack(drawn(1100, (2, 3, 2)))  # more than one chunk
    images[..., 1] = 9
    mean, deviation = moments(images)
    np.testing.assert_allclose(mean, images.mean((0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(deviation, [images[..., 0].std(), 1], rtol=1e-12)


def test_newest_version_is_read(top):
    old, new = drawn(12, (2, 2, 3)), drawn(12, (3, 3, 3))
    write_images(top, "tiny", new, range(12)).rename(top / "tiny" / "10.0.0")
    write_images(top, "tiny", old, range(12)).rename(top / "tiny" / "9.0.0")
    assert "10.0.0" in status("tiny").text
    assert load(DataSpec(name="tiny", validation_size=2)).train.inputs.shape == (10, 3, 3, 3)


@pytest.mark.parametrize("harm", ["description", "features", "file", "empty file", "folder"])
def test_a_newer_but_damaged_version_does_not_hide_an_intact_one(top, harm):
    write_images(top, "tiny", drawn(12), range(12)).rename(top / "tiny" / "1.5.0")
    newer = write_images(top, "tiny", drawn(9), range(9)).rename(top / "tiny" / "10.0.0")
    (file,) = newer.glob("*.array_record*")
    harms = {
        "description": lambda: (newer / "dataset_info.json").write_text("{"),
        "features": lambda: (newer / "features.json").unlink(),
        "file": file.unlink,
        "empty file": lambda: file.write_bytes(b""),
        "folder": lambda: newer.rename(top / "tiny" / "incomplete.9Z4QF1_10.0.0"),
    }
    harms[harm]()
    assert "tiny" in available()
    assert "12 training images" in status("tiny").text and "1.5.0" in status("tiny").text
    assert len(load(DataSpec(name="tiny", validation_size=2)).train) == 10


def test_what_is_no_set_is_no_set(tiny, top):
    for name in ("downloads", "lost+found", ".Trash-1000", "$RECYCLE.BIN"):
        (top / name / "1.0.0").mkdir(parents=True)
        (top / name / "1.0.0" / "dataset_info.json").write_text("{}")
    (top / "left" / "incomplete.7AB2C1_1.0.0").mkdir(parents=True)
    (top / "left" / "incomplete.7AB2C1_1.0.0" / "dataset_info.json").write_text("{}")
    assert available() == ["digits", "python-docs", "tiny"]
    assert "there: tiny)" in status("left").text


def test_without_a_home_directory_there_are_the_sets_that_need_no_folder(monkeypatch):
    def homeless(path):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("TFDS_DATA_DIR", raising=False)
    monkeypatch.delenv("WIKITEXT_DIR", raising=False)
    monkeypatch.setattr(Path, "expanduser", homeless)
    assert available() == ["digits", "python-docs"]
    assert "home directory" in status("cifar10").text and "TFDS_DATA_DIR" in status("cifar10").text


def test_differing_shapes(top):
    write_images(top, "mixed", [*drawn(10, (4, 4, 3)), *drawn(10, (5, 4, 3))], range(20))
    with pytest.raises(ValueError, match="mixed has images of differing shapes, such as 4×4×3 and 5×4×3"):
        load(DataSpec(name="mixed", validation_size=5))


def test_differing_shapes_between_the_splits(top):
    validation, _ = divide(2, DataSpec(validation_size=1))
    images = [image[: 3 + (row in validation)] for row, image in enumerate(drawn(2, (4, 4, 3)))]
    write_images(top, "mixed", images, range(2))
    with pytest.raises(ValueError, match="mixed has images of differing shapes, such as 3×4×3 and 4×4×3"):
        load(DataSpec(name="mixed", validation_size=1))


def test_files_of_another_format(top):
    write_images(top, "older", drawn(3), range(3), form="tfrecord")
    assert not status("older").present
    with pytest.raises(ValueError, match=r"tfrecord, which only TensorFlow reads.*landscape data older"):
        load(DataSpec(name="older"))
    with pytest.raises(ValueError, match="tfrecord, which only TensorFlow reads"):
        prepare("older")


def test_set_without_images(top):
    write_set(top / "words" / "1.0.0", "words", TEXT, {"train": [{"text": b"a word"}]})
    assert "words" not in available()
    with pytest.raises(ValueError, match=r"words in .* is not a set of images to classify: it has text, but must have"):
        load(DataSpec(name="words"))


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"splits": 3}', '{"splits": [{"name": "train"}]}'])
def test_damaged_description_is_no_set(top, content):
    (write_images(top, "tiny", drawn(3), range(3)) / "dataset_info.json").write_text(content)
    write_images(top, "whole", drawn(3), range(3))
    assert "whole" in available()
    assert "tiny" not in available()
    with pytest.raises(ValueError, match=r"no data set 'tiny' in .*there: whole"):
        load(DataSpec(name="tiny"))


@pytest.mark.parametrize("keep", [0, 100, None])
def test_damaged_records(top, keep):
    (file,) = write_images(top, "tiny", drawn(30), range(30)).glob("*.array_record*")
    file.unlink() if keep is None else file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"tiny/1.0.0 cannot be read: "):
        load(DataSpec(name="tiny", validation_size=5))


def test_missing_set_says_what_to_do(tiny, top):
    present, text = status("mnist")
    assert not present
    for words in (f"no data set 'mnist' in {top}", "there: tiny", "pip install tensorflow", "landscape data mnist"):
        assert words in text
    with pytest.raises(ValueError, match="no data set 'mnist'"):
        load(DataSpec(name="mnist"))


@pytest.mark.parametrize("name", ["..", "../tiny", "/etc", "", "a/../b", "tiny/.."])
def test_a_name_is_no_path(tiny, name):
    assert not status(name).present
    with pytest.raises(ValueError, match="name"):
        DataSpec(name=name)


def test_available_and_status_agree(tiny):
    assert {"digits", "python-docs", "tiny"} <= set(available())
    assert all(status(name).present for name in available())
    assert prepare("tiny") == status("tiny").text
    assert "40 training images in 40 classes" in status("tiny").text


def test_no_folder_at_all(monkeypatch, tmp_path):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "nowhere"))
    monkeypatch.delenv("WIKITEXT_DIR", raising=False)
    assert available() == ["digits", "python-docs"]
    assert "there: none" in status("cifar10").text


def test_looking_imports_nothing_slow(tiny):
    code = (
        "import sys; from landscape.data import available, status; available(); status('mnist'); status('tiny'); "
        "slow = {'jax', 'tensorflow', 'tensorflow_datasets', 'sklearn', 'tokenizers', 'cv2'}; "
        "print(sorted(slow & set(sys.modules)))"
    )
    assert run(code) == "[]"


def test_loading_does_not_import_jax(tiny, tmp_path, monkeypatch):
    """Though it imports what reads the sets, whatever that imports in turn."""
    monkeypatch.setenv("LANDSCAPE_CACHE", str(tmp_path / "cache"))
    code = (
        "import sys; from landscape.data import load; from landscape.study.examples import DataSpec, TextSpec; "
        "load(DataSpec()); load(DataSpec(name='tiny', validation_size=10)); "
        "load(TextSpec(name='python-docs', sequence_length=64, vocabulary=600)); "
        "print(sorted({'jax', 'jaxlib', 'flax', 'tensorflow'} & set(sys.modules)))"
    )
    assert run(code) == "[]"


def installed(monkeypatch, **modules: bool) -> None:
    """Pretend that a package is or is not installed."""
    monkeypatch.setattr(catalogue, "find_spec", lambda name: modules.get(name, True) or None)


def test_preparing_needs_tensorflow(top, monkeypatch):
    installed(monkeypatch, tensorflow=False)
    with pytest.raises(ValueError, match="`pip install tensorflow`, then `python -m landscape data mnist`"):
        prepare("mnist", pytest.fail)
    installed(monkeypatch, tensorflow=False, importlib_resources=False)
    with pytest.raises(ValueError, match="`pip install tensorflow importlib_resources`, then"):
        prepare("mnist", pytest.fail)


def test_preparing_an_unknown_set_names_its_like(top, monkeypatch):
    installed(monkeypatch)
    with pytest.raises(ValueError, match="no data set 'cifr10'; did you mean cifar10"):
        prepare("cifr10", pytest.fail)


def test_preparing_says_so_first_and_then_writes_array_records(top, monkeypatch):
    import tensorflow_datasets as tfds

    said = []

    def builder(name: str, data_dir: str, file_format: str) -> SimpleNamespace:
        assert (data_dir, file_format, len(said)) == (str(top), "array_record", 1)
        return SimpleNamespace(download_and_prepare=lambda: write_images(top, name, drawn(3), range(3)))

    installed(monkeypatch)
    monkeypatch.setattr(tfds, "builder", builder)
    assert prepare("mnist", said.append) == status("mnist").text
    assert "mnist" in said[0]
    assert "download" in said[0]
    assert "mnist" in available()


def test_failed_download_is_one_clear_error(top, monkeypatch):
    import tensorflow_datasets as tfds

    def builder(*_: str, **__: str) -> None:
        raise ConnectionError("no route to host")

    installed(monkeypatch)
    monkeypatch.setattr(tfds, "builder", builder)
    with pytest.raises(ValueError, match="mnist could not be prepared: no route to host"):
        prepare("mnist", lambda line: None)


def test_digits_are_split_like_everything_else():
    from sklearn.datasets import load_digits

    spec = DataSpec(train_size=300, validation_size=200, seed=5)
    data, whole = load(spec), load_digits()
    for part, rows in zip((data.validation, data.train), divide(1797, spec), strict=True):
        np.testing.assert_array_equal(part.inputs[..., 0] * 16, whole.images[rows])
        np.testing.assert_array_equal(part.targets, whole.target[rows])
    with pytest.raises(ValueError, match="digits has 1797 examples; 1500 for training and 500 for validation"):
        load(DataSpec(train_size=1500))


@real("cifar10")
def test_cifar10_equals_an_independent_decoding():
    from array_record.python.array_record_module import ArrayRecordReader

    spec = DataSpec(name="cifar10", train_size=300, validation_size=40, seed=1)
    data, rows = load(spec), divide(50000, spec)[1]
    (file,) = (Path(REAL) / "cifar10").glob("*/*train*")
    records = ArrayRecordReader(str(file)).read([int(row) for row in rows])
    pixels = np.stack([np.asarray(Image.open(io.BytesIO(record[record.index(b"\x89PNG") :]))) for record in records])
    mean, deviation = pixels.mean((0, 1, 2)), pixels.std((0, 1, 2))
    np.testing.assert_allclose(data.train.inputs, (pixels - mean) / deviation, rtol=0, atol=1e-5)
    assert data.train.inputs.shape == (300, 32, 32, 3)
    assert set(data.train.targets) == set(range(10))


@real("cifar10")
def test_cifar10_has_room_for_the_papers_split():
    validation, train = divide(50000, DataSpec(name="cifar10", train_size=40000, validation_size=10000))
    assert (len(train), len(validation)) == (40000, 10000)
    assert "50,000 training images in 10 classes" in status("cifar10").text


@real("cifar100")
def test_cifar100_says_how_many_there_are():
    data = load(DataSpec(name="cifar100", train_size=200, validation_size=100))
    assert data.classes == 100
    assert len(set(data.train.targets)) > 50
    with pytest.raises(ValueError, match="cifar100 has 10000 examples; 40000 for training and 10000"):
        load(DataSpec(name="cifar100", train_size=40000, validation_size=10000))


def test_a_registered_set_is_a_data_set_like_any_other():
    images = np.arange(40 * 3 * 3, dtype=np.float64).reshape(40, 3, 3, 1)
    labels = np.arange(40) % 4
    ours = ImageSet(read=lambda: (images, labels), examples=Examples((3, 3, 1), 4, 40), summary="40 images")
    register_images("ours", ours)
    assert "ours" in available()
    assert status("ours") == (True, "ours: 40 images")
    data = load(DataSpec(name="ours", train_size=30, validation_size=10))
    assert data.classes == 4
    rows = np.concatenate([data.validation.inputs, data.train.inputs])[:, 0, 0, 0].astype(int) // 9
    np.testing.assert_array_equal(np.sort(rows), np.arange(40))
    np.testing.assert_array_equal(np.concatenate([data.validation.targets, data.train.targets]), labels[rows])


@pytest.mark.parametrize("name", ["digits", "wikitext-2"])
def test_a_name_that_is_taken_is_refused(name):
    ours = ImageSet(read=lambda: None, examples=Examples((3, 3, 1), 4, 40), summary="")
    with pytest.raises(ValueError, match=f"'{name}' is known already"):
        register_images(name, ours)


@pytest.mark.parametrize(
    ("shape", "labels", "message"),
    [
        ((39, 3, 3, 1), np.zeros(39, int), r"shape \(39, 3, 3, 1\)"),
        ((40, 3, 3), np.zeros(40, int), r"promises \(40, 3, 3, 1\)"),
        ((40, 3, 3, 1), np.full(40, 4), "from 0 to 3; it has 4"),
        ((40, 3, 3, 1), np.full(40, -1), "from 0 to 3; it has -1"),
        ((40, 3, 3, 1), np.zeros(40), "labels of type float64"),
    ],
)
def test_arrays_that_are_not_as_promised_are_refused(shape, labels, message):
    ours = ImageSet(read=lambda: (np.zeros(shape), labels), examples=Examples((3, 3, 1), 4, 40), summary="")
    register_images("ours", ours)
    with pytest.raises(ValueError, match=message):
        load(DataSpec(name="ours", validation_size=5))
