"""Image-classification sets of tensorflow-datasets, read with its random-access reader.

The paper splits the 50,000 training images of CIFAR into 40,000 and 10,000 (Table 1); so do these, by seed.
"""

from __future__ import annotations

import numpy as np

from landscape.data.prepared import Prepared, everything, find, folder
from landscape.data.split import Data, Split, divide
from landscape.study.examples import DataSpec


def names() -> list[str]:
    """The image-classification sets that are prepared here."""
    return [prepared.name for prepared in everything() if fault(prepared) is None]


def fault(prepared: Prepared) -> str | None:
    """Why a set is of no use here; None for one that is."""
    kinds = {name: str(feature.get("pythonClassName")) for name, feature in prepared.features.items()}
    if not (kinds.get("image", "").endswith(".Image") and kinds.get("label", "").endswith(".ClassLabel")):
        return f"it has {', '.join(kinds)}; an `image` and a `label` with classes are needed"
    if "train" not in prepared.sizes:
        return f"it has no split `train`, only {', '.join(prepared.sizes)}"
    if prepared.format != "array_record":
        return (
            f"its files are {prepared.format}, which only TensorFlow reads; move {prepared.folder} away "
            f"and run `python -m landscape data {prepared.name}`"
        )
    return None


def locate(name: str) -> Prepared:
    """A usable prepared set. Raises ValueError saying what is wrong with it, or what to do where it is missing."""
    prepared = find(name)
    if prepared is None:
        raise ValueError(
            f"no data set {name!r} in {folder()} (there: {', '.join(names()) or 'none'}): "
            f"`pip install tensorflow importlib_resources` and `python -m landscape data {name}` prepare it there, "
            "or TFDS_DATA_DIR names the folder that has it; digits and python-docs need no download"
        )
    if reason := fault(prepared):
        raise ValueError(f"{name} in {prepared.folder} is no set of images to classify: {reason}")
    return prepared


def describe(name: str) -> str:
    """What the set is and where. Raises ValueError as `locate`."""
    prepared = locate(name)
    return f"{name}: {prepared.sizes['train']:,} training images in {_classes(prepared)} classes, {prepared.folder}"


def load(spec: DataSpec) -> Data:
    """Images (examples, height, width, channels) with mean 0 and variance 1 a channel, and their labels.

    The mean and the variance are those of the chosen training images. Raises ValueError for a set that is
    missing, has fewer training images than asked for, or images that differ in shape.
    """
    prepared = locate(spec.name)
    validation, train = (_read(prepared, rows) for rows in divide(prepared.sizes["train"], spec))
    if train.inputs.shape[1:] != validation.inputs.shape[1:]:
        raise _mixed(spec.name, {train.inputs.shape[1:], validation.inputs.shape[1:]})
    mean, deviation = moments(train.inputs)
    train, validation = (_normalised(part, mean, deviation) for part in (train, validation))
    return Data(train, validation, _classes(prepared))


def moments(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation a channel of integer images, from exact sums; 1 for a constant channel."""
    sums = np.zeros((2, images.shape[-1]), np.int64)
    for start in range(0, len(images), 1000):  # squares of all at once would take eight times their memory
        x = images[start : start + 1000].astype(np.int64)
        sums += [x.sum((0, 1, 2)), (x * x).sum((0, 1, 2))]
    mean, square = sums / (images.size / images.shape[-1])
    deviation = np.sqrt(np.maximum(square - mean**2, 0))
    return mean, np.where(deviation > 0, deviation, 1)


def _normalised(part: Split, mean: np.ndarray, deviation: np.ndarray) -> Split:
    x = part.inputs.astype(np.float32)
    x -= mean.astype(np.float32)  # in place: CIFAR takes 0.6 GB
    x /= deviation.astype(np.float32)
    return Split(x, part.targets)


def _read(prepared: Prepared, rows: np.ndarray) -> Split:
    """Pixels (rows, height, width, channels) of 8 bits and labels, in the order of `rows`."""
    images, labels = [], []
    order = np.argsort(rows)  # neighbours in the file are read together
    for records in prepared.read("train", rows[order]):
        images.append(_stacked(prepared.name, [record["image"] for record in records]))
        labels += [record["label"] for record in records]
    if len(shapes := {chunk.shape[1:] for chunk in images}) > 1:
        raise _mixed(prepared.name, shapes)
    back = np.argsort(order)
    return Split(np.concatenate(images)[back], np.array(labels, np.int32)[back])


def _stacked(name: str, images: list[np.ndarray]) -> np.ndarray:
    if len(shapes := {image.shape for image in images}) > 1:
        raise _mixed(name, shapes)
    if images[0].dtype != np.uint8:
        raise ValueError(f"{name} has images of {images[0].dtype}; images of 8 bits a channel are needed")
    return np.stack(images)


def _mixed(name: str, shapes: set[tuple[int, ...]]) -> ValueError:
    shown = " and ".join("×".join(map(str, shape)) for shape in sorted(shapes)[:2])
    return ValueError(f"{name} has images of differing shapes, such as {shown}; all must have the same")


def _classes(prepared: Prepared) -> int:
    return int(prepared.features["label"]["classLabel"]["numClasses"])
