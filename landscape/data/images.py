"""Image-classification sets of tensorflow-datasets, read with its random-access reader.

Both splits are drawn from the training images: the paper divides CIFAR's 50,000 into 40,000 and 10,000 (Malviya et
al., 2024, arXiv 2405.15895, Table 1).
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from landscape.data.packed import Pack, read_pack, write_pack
from landscape.data.prepared import Prepared, all_prepared, data_folder, find
from landscape.data.split import Data, Split, divide
from landscape.study.examples import DataSpec


def names() -> list[str]:
    """The names of the image-classification sets that are prepared on this computer."""
    return [prepared.name for prepared in all_prepared() if _why_unusable(prepared) is None]


def _why_unusable(prepared: Prepared) -> str | None:
    kinds = {name: str(feature.get("pythonClassName")) for name, feature in prepared.features.items()}
    if not (kinds.get("image", "").endswith(".Image") and kinds.get("label", "").endswith(".ClassLabel")):
        return f"it has {', '.join(kinds)}, but must have an `image` and a `label` with classes"
    if "train" not in prepared.sizes:
        return f"it has no split `train`, only {', '.join(prepared.sizes)}"
    if prepared.format != "array_record":
        return (
            f"its files are of the format {prepared.format}, which only TensorFlow reads; move {prepared.folder} away "
            f"and run `python -m landscape data {prepared.name}`"
        )
    return None


def locate(name: str) -> Prepared:
    """The prepared set with this name.

    Raises:
      ValueError: if the set is missing or unusable; the message says what to do.
    """
    prepared = find(name)
    if prepared is None:
        raise ValueError(
            f"there is no data set {name!r} in {data_folder()} (available there: {', '.join(names()) or 'none'}). "
            f"`pip install tensorflow importlib_resources` and `python -m landscape data {name}` prepare it there; if "
            "another folder has it, name that folder by TFDS_DATA_DIR. digits and python-docs need no download"
        )
    if reason := _why_unusable(prepared):
        raise ValueError(f"{name} in {prepared.folder} is not a set of images to classify: {reason}")
    return prepared


def summary_line(name: str) -> str:
    """What the set is and where it lies, in one line. It raises what `locate` raises."""
    prepared = locate(name)
    return f"{name}: {prepared.sizes['train']:,} training images in {_classes(prepared)} classes, {prepared.folder}"


def load(spec: DataSpec) -> Data:
    """The images of a specification, (examples, height, width, channels), and their labels.

    Each channel has mean 0 and variance 1 over the training images that are drawn.

    Raises:
      ValueError: if the set is missing, if it has fewer training images than the specification asks for, or if its
        images differ in shape.
    """
    pack = None if find(spec.name) else read_pack(spec.name)
    if pack is None:
        prepared = locate(spec.name)
        classes, count, read = _classes(prepared), prepared.sizes["train"], partial(_read, prepared)
    else:
        classes, count, read = pack.classes, len(pack.labels), partial(_read_packed, pack)
    validation, train = (read(rows) for rows in divide(count, spec))
    if train.inputs.shape[1:] != validation.inputs.shape[1:]:
        raise _differing_shapes(spec.name, {train.inputs.shape[1:], validation.inputs.shape[1:]})
    mean, deviation = moments(train.inputs)
    train, validation = (normalised(part, mean, deviation) for part in (train, validation))
    return Data(train, validation, classes)


def pack(name: str) -> Path:
    """Write all training images of a prepared set into one file (`landscape.data.packed`), and return its path.

    Raises:
      ValueError: if the set is missing or unusable, or if its images differ in shape.
    """
    prepared = locate(name)
    whole = _read(prepared, np.arange(prepared.sizes["train"]))
    return write_pack(name, Pack(whole.inputs, whole.targets, _classes(prepared)))


def moments(images: UInt8[np.ndarray, "n ... c"]) -> tuple[Float[np.ndarray, " c"], Float[np.ndarray, " c"]]:
    """The mean and the standard deviation of each channel, from exact sums of integers.

    The deviation of a constant channel is 1, so that dividing by it leaves the channel as it is.

    Example:
      >>> import numpy as np
      >>> from landscape.data.images import moments
      >>> moments(np.array([[[[0, 7], [4, 7]]]], np.uint8))
      (array([2., 7.]), array([2., 1.]))
    """
    sums = np.zeros((2, images.shape[-1]), np.int64)
    for start in range(0, len(images), 1000):  # squares of all at once would take eight times their memory
        x = images[start : start + 1000].astype(np.int64)
        sums += [each.reshape(-1, each.shape[-1]).sum(0) for each in (x, x * x)]
    mean, square = sums / (images.size / images.shape[-1])
    deviation = np.sqrt(np.maximum(square - mean**2, 0))
    return mean, np.where(deviation > 0, deviation, 1)


def normalised(part: Split, mean: np.ndarray, deviation: np.ndarray) -> Split:
    """Examples in float32 with the mean of each channel taken off and divided by its deviation."""
    x = part.inputs.astype(np.float32)
    x -= mean.astype(np.float32)  # in place, since CIFAR takes 0.6 GB in float32
    x /= deviation.astype(np.float32)
    return Split(x, part.targets)


def _read(prepared: Prepared, rows: np.ndarray) -> Split:
    """Images (rows, height, width, channels) of 8 bits and their labels, in the order of `rows`."""
    images, labels = [], []
    order = np.argsort(rows)  # neighbours in the file are read together
    for records in prepared.read("train", rows[order]):
        images.append(_stacked(prepared.name, [record["image"] for record in records]))
        labels += [record["label"] for record in records]
    if len(shapes := {chunk.shape[1:] for chunk in images}) > 1:
        raise _differing_shapes(prepared.name, shapes)
    back = np.argsort(order)
    return Split(np.concatenate(images)[back], np.array(labels, np.int32)[back])


def _read_packed(pack: Pack, rows: np.ndarray) -> Split:
    return Split(pack.images[rows], pack.labels[rows])


def _stacked(name: str, images: list[np.ndarray]) -> np.ndarray:
    if len(shapes := {image.shape for image in images}) > 1:
        raise _differing_shapes(name, shapes)
    if images[0].dtype != np.uint8:
        raise ValueError(f"{name} has images of {images[0].dtype}; each channel must have 8 bits (uint8)")
    return np.stack(images)


def _differing_shapes(name: str, shapes: set[tuple[int, ...]]) -> ValueError:
    shown = " and ".join("×".join(map(str, shape)) for shape in sorted(shapes)[:2])
    return ValueError(f"{name} has images of differing shapes, such as {shown}; all must have the same shape")


def _classes(prepared: Prepared) -> int:
    return int(prepared.features["label"]["classLabel"]["numClasses"])
