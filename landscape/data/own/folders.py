"""Images of one's own in one folder for each class, whose names in their order are the classes from 0 on.

The folders of the classes lie at the top, and a study draws both its splits of them; or they lie in two folders `train`
and `validation`. All images have the same size and the same channels of 8 bits: grey, colour, or colour with alpha.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from landscape.data.own.checks import Labelled, Part, labelled
from landscape.study.sources import visible_files

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
PARTS = ("train", "validation")


def read(folder: Path) -> Labelled:
    """The images of a folder.

    Raises ValueError that names what does not fit: a file that is no image, images that differ in size or channels,
    a class without images.
    """
    tops = _subfolders(folder)
    names = [top.name for top in tops]
    if {*names} & {*PARTS} and {*names} != {*PARTS}:
        raise ValueError(f"{folder} has the folders {', '.join(names)}; beside {' and '.join(PARTS)} none may be")
    parts = [folder / part for part in PARTS] if {*names} == {*PARTS} else [folder]
    classes = [top.name for top in _subfolders(parts[0])]
    if len(classes) < 2:
        raise ValueError(f"{parts[0]} must have a folder of images for each class, at least two; it has {len(classes)}")
    if others := {top.name for part in parts[1:] for top in _subfolders(part)} - {*classes}:
        raise ValueError(f"{parts[1]} has the class {min(others)}, which {parts[0]} does not have")
    files = [_files(part, classes, required=part == parts[0]) for part in parts]
    shape = _decoded(files[0][0][0]).shape
    return labelled([_part(part, each, shape) for part, each in zip(parts, files, strict=True)])


def _subfolders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _files(folder: Path, classes: list[str], *, required: bool) -> list[tuple[Path, int]]:
    """Every image of the classes with its class. Raises ValueError for other files, and where there is none."""
    found = []
    for label, name in enumerate(classes):
        files = visible_files(folder / name)
        if not files and required:
            raise ValueError(f"{folder / name} holds no image, and every class needs a training example")
        found += [(file, label) for file in files]
    if not found:
        raise ValueError(f"{folder} holds no image")
    strays = [path for path in visible_files(folder) if path.parent == folder]
    strays += [path for path, _ in found if path.suffix.lower() not in SUFFIXES]
    if strays:
        raise ValueError(f"{strays[0]} is no image in the folder of a class; allowed are {', '.join(SUFFIXES)}")
    return found


def _part(folder: Path, files: list[tuple[Path, int]], shape: tuple[int, ...]) -> Part:
    images = np.empty((len(files), *shape), np.uint8)
    for i, (file, _) in enumerate(files):
        image = _decoded(file)
        if image.shape != shape:
            shown = ["×".join(map(str, size)) for size in (image.shape, shape)]
            raise ValueError(f"{file} has {shown[0]} pixels and channels, another image {shown[1]}; all must be alike")
        images[i] = image
    return Part(str(folder), images, str(folder), np.array([label for _, label in files]))


def _decoded(file: Path) -> UInt8[np.ndarray, "h w c"]:
    """An image of 8 bits: grey, or red, green and blue, with alpha where the file has it."""
    import cv2  # what tensorflow-datasets decodes images by

    swapped = {3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGBA}
    try:
        image = cv2.imdecode(np.fromfile(file, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:  # an empty file, or sizes beyond what it decodes
        image = None
    if image is None or (image.ndim > 2 and image.shape[2] not in swapped):
        raise ValueError(f"{file} cannot be read as an image")
    if image.dtype != np.uint8:
        raise ValueError(f"{file} has channels of {image.dtype}; each must have 8 bits")
    return image[..., None] if image.ndim == 2 else cv2.cvtColor(image, swapped[image.shape[2]])
