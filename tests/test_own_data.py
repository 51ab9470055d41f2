"""Data of one's own: arrays, images in folders and text, each read as it lies, or refused in one sentence."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landscape.cli.parser import main
from landscape.data import load, own
from landscape.data.shapes import examples_of
from landscape.jobs.local import run
from landscape.store.results import Store
from landscape.study import Study, from_toml, validated
from landscape.study.examples import ArraysSpec, FolderSpec, ProseSpec

RNG = np.random.default_rng(0)
SIZES: dict[str, Any] = {"validation_size": 10}
STUDY = """
data = {{ {data}, validation_size = 10 }}
candidates = [[{{ widen = "hidden1", size = 9 }}]]
model = {{ kind = "mlp", hidden = [6] }}
walk = {{ group = "hidden1" }}
"""


def saved(folder: Path, **arrays: Any) -> ArraysSpec:
    np.savez(folder / "arrays.npz", **arrays)
    return ArraysSpec(file=str(folder / "arrays.npz"), **SIZES).identified()


def tables(count: int = 40, classes: int = 4, first: int = 0) -> dict[str, np.ndarray]:
    return {"inputs": RNG.normal(size=(count, 5)), "labels": first + np.arange(count) % classes}


def write_images(folder: Path, shape: tuple[int, ...] = (6, 4, 3), classes: str = "ab", count: int = 8) -> np.ndarray:
    import cv2

    images = RNG.integers(0, 256, (len(classes), count, *shape), dtype=np.uint8)
    for name, group in zip(classes, images, strict=True):
        (folder / name).mkdir(parents=True)
        for i, image in enumerate(group):
            stored = image[..., [2, 1, 0, 3][: shape[-1]]] if shape[-1] > 1 else image  # OpenCV writes blue first
            assert cv2.imwrite(str(folder / name / f"{i}.png"), stored)
    return images.reshape(-1, *shape)


@settings(max_examples=15)
@given(
    shape=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    first=st.integers(0, 1000),
    kind=st.sampled_from([np.uint8, np.uint16, np.int64]),
)
def test_arrays_of_any_shape_and_labels_from_any_number_on(
    tmp_path_factory: pytest.TempPathFactory, shape: list[int], first: int, kind: type
) -> None:
    first = min(first, np.iinfo(kind).max - 3)
    inputs, labels = RNG.normal(size=(40, *shape)), (first + np.arange(40) % 4).astype(kind)
    spec = saved(tmp_path_factory.mktemp("arrays"), inputs=inputs, labels=labels)
    data = load(spec)
    assert data.classes == 4 and len(data.train) == 30 and len(data.validation) == 10
    assert examples_of(own.surveyed(spec)) == (tuple(shape), 4, 40, 1)
    both = np.concatenate([data.train.inputs, data.validation.inputs])
    rows = [np.flatnonzero((inputs.astype(np.float32) == each).reshape(40, -1).all(1))[0] for each in both]
    assert sorted(rows) == list(range(40))
    assert np.array_equal(np.concatenate([data.train.targets, data.validation.targets]), np.array(rows) % 4)


def test_bytes_are_normalised_by_the_training_examples_that_are_drawn(tmp_path: Path) -> None:
    images = RNG.integers(0, 256, (40, 6, 4, 3), dtype=np.uint8)
    spec = saved(tmp_path, inputs=images, labels=np.arange(40) % 2).model_copy(update={"train_size": 20})
    data = load(spec)
    assert np.allclose(data.train.inputs.mean((0, 1, 2)), 0, atol=1e-6)
    assert np.allclose(data.train.inputs.std((0, 1, 2)), 1, atol=1e-6)
    same = load(spec.model_copy(update={"validation_size": 5}))
    assert len(same.train) == 20 and same.train.inputs.dtype == np.float32


def test_a_part_for_validation_stays_apart(tmp_path: Path) -> None:
    train, validation = RNG.normal(size=(30, 5)), RNG.normal(size=(12, 5))
    labels = {"train_labels": np.arange(30) % 3, "validation_labels": np.arange(12) % 2}
    spec = saved(tmp_path, train_inputs=train, validation_inputs=validation, **labels)
    data = load(spec)
    assert len(data.train) == 30 and len(data.validation) == 10
    assert all((validation.astype(np.float32) == each).all(1).any() for each in data.validation.inputs)
    with pytest.raises(ValueError, match=r"arrays.npz has 12 examples for validation_size = 13"):
        load(spec.model_copy(update={"validation_size": 13}))


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "other names": ({"x_train": np.zeros((4, 2))}, "it has x_train; it must have either inputs and labels, or"),
    "objects": ({"inputs": np.array([{}, 1], object), "labels": [0, 1]}, "inputs holds objects of Python"),
    "text": ({"inputs": np.array([["a"], ["b"]]), "labels": [0, 1]}, "inputs is of <U1; allowed are uint8, float16"),
    "whole numbers": ({"inputs": np.zeros((2, 3), int), "labels": [0, 1]}, "inputs is of int64; allowed are uint8"),
    "no features": ({"inputs": np.zeros(2), "labels": [0, 1]}, r"inputs has shape \(2,\)"),
    "nothing": ({"inputs": np.zeros((0, 3)), "labels": np.zeros(0, int)}, r"inputs has shape \(0, 3\)"),
    "lengths": ({"inputs": np.zeros((2, 3)), "labels": [0, 1, 1]}, "inputs has 2 examples and labels 3"),
    "one-hot": ({"inputs": np.zeros((2, 3)), "labels": np.eye(2, dtype=int)}, r"labels is of int64 and shape \(2, 2\)"),
    "fractions": ({"inputs": np.zeros((2, 3)), "labels": [0.0, 1.0]}, "labels is of float64"),
    "negative": (
        {"inputs": np.zeros((2, 3)), "labels": [-1, 1]},
        "labels must hold whole numbers from 0 on",
    ),
    "one class": ({"inputs": np.zeros((2, 3)), "labels": [7, 7]}, "labels holds one class only, 7"),
    "empty class": ({"inputs": np.zeros((3, 3)), "labels": [1, 2, 4]}, "labels runs from 1 to 4 without 3"),
    "far": ({"inputs": np.zeros((2, 3)), "labels": [0, 10**15]}, "labels runs from 0 to 1000000000000000 without 1,"),
    "NaN": ({"inputs": [[0.0], [np.nan]], "labels": [0, 1]}, "inputs must be finite in float32; example 1 holds NaN"),
    "large": ({"inputs": [[1e300], [0.0]], "labels": [0, 1]}, "inputs must be finite in float32; example 0 holds"),
    "unlike parts": (
        {
            "train_inputs": np.zeros((2, 3)),
            "train_labels": [0, 1],
            "validation_inputs": np.zeros((2, 4)),
            "validation_labels": [0, 1],
        },
        r"train_inputs has shape \(2, 3\) of float64 and validation_inputs has shape \(2, 4\)",
    ),
    "unknown class": (
        {
            "train_inputs": np.zeros((2, 3)),
            "train_labels": [0, 1],
            "validation_inputs": np.zeros((2, 3)),
            "validation_labels": [0, 2],
        },
        "validation_labels has 2, which train_labels does not have",
    ),
    "too few": (tables(12), "arrays.npz has 12 examples; 5 for training and 10 for validation were asked for"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_wrong_with_arrays_is_one_sentence_that_names_the_file(tmp_path: Path, fault: str) -> None:
    arrays, expected = FAULTS[fault]
    spec = saved(tmp_path, **arrays).model_copy(update={"train_size": 5})
    with pytest.raises(ValueError, match=expected) as refusal:
        own.surveyed(spec)
    assert "arrays.npz" in str(refusal.value) and "\n" not in str(refusal.value)


def test_a_file_that_is_no_archive_or_damaged_is_named(tmp_path: Path) -> None:
    spec = saved(tmp_path, **tables())
    path = Path(spec.file)
    with zipfile.ZipFile(path) as archive:
        content = archive.read("inputs.npy")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("inputs.npy", content[:-8])
        archive.writestr("labels.npy", content)
    with pytest.raises(ValueError, match=r"arrays.npz: inputs is damaged: it is not as long as its shape"):
        own.surveyed(spec.identified())
    path.write_bytes(b"\x80\x04pickle")
    with pytest.raises(ValueError, match=r"arrays.npz is no `.npz` file"):
        own.surveyed(spec.identified())
    path.unlink()
    with pytest.raises(ValueError, match=r"arrays.npz cannot be read: No such file"):
        spec.identified()


@pytest.mark.parametrize(("shape", "split"), [((6, 4, 3), False), ((4, 6, 1), False), ((3, 5, 4), True)])
def test_images_in_folders(tmp_path: Path, shape: tuple[int, ...], split: bool) -> None:
    images = write_images(tmp_path / "train" if split else tmp_path, shape)
    if split:
        write_images(tmp_path / "validation", shape, count=6)
    (tmp_path / ".hidden").write_bytes(b"")
    spec = FolderSpec(folder=str(tmp_path), validation_size=4).identified()
    read = own.folders.read(tmp_path)
    assert np.array_equal(read.train.inputs, images)
    assert np.array_equal(read.train.targets, np.repeat([0, 1], 8))
    data = load(spec)
    assert data.train.inputs.shape == (16 if split else 12, *shape) and data.classes == 2
    assert np.allclose(data.train.inputs.mean((0, 1, 2)), 0, atol=1e-6)


def test_what_is_wrong_with_a_folder_of_images_is_one_sentence(tmp_path: Path) -> None:
    def refused(expected: str) -> None:
        with pytest.raises(ValueError, match=expected):
            own.folders.read(tmp_path)

    refused("must have a folder of images for each class, at least two; it has 0")
    write_images(tmp_path)
    (tmp_path / "c").mkdir()
    refused("c holds no image, and every class needs a training example")
    write_images(tmp_path / "c" / "within", (5, 5, 3), classes="x")
    refused("has 5×5×3 pixels and channels, another image 6×4×3; all must be alike")
    (tmp_path / "b" / "notes.md").write_text("a note")
    refused("notes.md is no image in the folder of a class; allowed are .png")
    (tmp_path / "b" / "notes.md").rename(tmp_path / "b" / "0.png")
    refused("0.png cannot be read as an image")
    (tmp_path / "train").mkdir()
    refused("has the folders a, b, c, train; beside train and validation none may be")


def test_prose_is_divided_by_lines(tmp_path: Path) -> None:
    path = tmp_path / "prose.txt"
    path.write_text("\n\n".join(f"line {i} of a short text about valleys and hills" for i in range(200)))
    spec = ProseSpec(text=str(path), sequence_length=16, vocabulary=256, validation_size=8).identified()
    corpus = own.prose.read(path)
    assert corpus.train[-1].startswith("line 179 ") and corpus.validation[0].startswith("line 180 ")
    data = load(spec)
    assert data.train.inputs["tokens"].shape[1] == 16 and len(data.validation) == 8
    path.write_text("one line\n" * 9)
    with pytest.raises(ValueError, match=r"prose.txt has 9 lines that are not blank"):
        own.surveyed(spec.identified())
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"prose.txt is not UTF-8 text"):
        own.surveyed(spec.identified())


def study(folder: Path, data: str) -> Study:
    (folder / "mine.toml").write_text(STUDY.format(data=data))
    return from_toml(folder / "mine.toml")


def test_the_key_holds_the_content_and_not_the_place(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
        np.savez(folder / "arrays.npz", inputs=np.arange(40.0).reshape(20, 2), labels=np.arange(20) % 2)
    first, second = (study(folder, 'file = "arrays.npz"') for folder in (here, there))
    assert first.data != second.data and first.key == second.key
    surveyed = first.model_copy(update={"data": own.surveyed(first.data)})
    assert surveyed.key == first.key == surveyed.scaled(seeds=surveyed.seeds).key
    assert examples_of(surveyed.scaled(seeds=2).data).labelled == 20
    np.savez(there / "arrays.npz", inputs=-np.arange(40.0).reshape(20, 2), labels=np.arange(20) % 2)
    assert study(there, 'file = "arrays.npz"').key != first.key
    with pytest.raises(ValueError, match=r"arrays.npz has changed since the study was read"):
        load(second.data)


def test_a_folder_has_a_hash_of_its_files_and_their_names(tmp_path: Path) -> None:
    write_images(tmp_path / "images", (2, 2, 3))
    first = study(tmp_path, 'folder = "images"')
    (tmp_path / "images" / ".DS_Store").write_bytes(b"hidden")
    assert study(tmp_path, 'folder = "images/"').key == first.key
    (tmp_path / "images" / "a" / "0.png").rename(tmp_path / "images" / "b" / "8.png")
    assert study(tmp_path, 'folder = "images"').key != first.key


def test_a_study_without_the_hash_of_its_data_has_no_key() -> None:
    content = {"model": {"kind": "mlp", "hidden": [6]}, "walk": {"group": "hidden1"}}
    content |= {"name": "mine", "data": {"file": "arrays.npz"}, "candidates": [[{"widen": "hidden1", "size": 9}]]}
    with pytest.raises(ValueError, match=r"its data are arrays.npz, which only `python -m landscape run STUDY.toml`"):
        _ = validated(content).key


def test_what_a_file_may_not_say_of_data(tmp_path: Path) -> None:
    for data, expected in {
        'file = "no.npz"': r"no.npz cannot be read: No such file",
        "file = 3": r"data.file: must be a text",
        'text = "prose.txt", vocabulary = 2': r"data.vocabulary: must be at least 256",
        'file = "a.npz", folder = "b"': r"data: unknown key 'folder'",
    }.items():
        with pytest.raises(ValueError, match=expected):
            study(tmp_path, data)


def test_the_command_says_what_lies_at_a_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = saved(tmp_path, **tables(first=1))
    write_images(tmp_path / "images")
    assert main(["data", spec.file]) == 0 and main(["data", f"{tmp_path}/images"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0].endswith("arrays.npz: 40 examples of 5, float32, in 4 classes")
    assert told[1].endswith("images: 16 examples of 6×4×3, uint8, in 2 classes")
    assert main(["data", str(tmp_path / "no.npz")]) == 2
    assert "no.npz: No such file" in capsys.readouterr().err


def test_a_model_that_cannot_read_the_shape_refuses_before_anything_is_computed(tmp_path: Path) -> None:
    np.savez(tmp_path / "arrays.npz", **tables())
    content = study(tmp_path, 'file = "arrays.npz"').model_dump()
    content |= {"model": {"kind": "cnn"}, "walk": {"group": "conv1"}, "candidates": [[{"widen": "conv1", "size": 9}]]}
    with pytest.raises(ValueError, match=r"a CNN needs images of .* got shape \(5,\)"):
        run(validated(content), tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_a_batch_larger_than_data_of_ones_own_leaves_no_unfinished_study(tmp_path: Path) -> None:
    np.savez(tmp_path / "arrays.npz", **tables())
    larger = study(tmp_path, 'file = "arrays.npz"').model_dump()
    larger["training"] |= {"batch_size": 4000}
    larger["walk"] |= {"batch_size": 4000}
    with pytest.raises(ValueError, match=r"batch_size = 4000 is larger than the \d+ training examples"):
        run(validated(larger), tmp_path / "cache")
    assert Store(tmp_path / "cache").begun() == []
