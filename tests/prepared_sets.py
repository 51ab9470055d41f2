"""Small sets in the form in which tensorflow-datasets leaves them on disk, written without TensorFlow."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from array_record.python import array_record_module
from tensorflow_datasets.proto import tf_example_pb2

FEATURES = "tensorflow_datasets.core.features"
TEXT = {"text": {"pythonClassName": f"{FEATURES}.text_feature.Text", "text": {}}}


def write_images(
    top: Path, name: str, images: Sequence[np.ndarray], labels: Sequence[int], form: str = "array_record"
) -> Path:
    """A set of RGB images with classes; the declared shape is the first image's, or unknown where they differ."""
    same = len({image.shape for image in images}) == 1
    dimensions = [str(size) for size in images[0].shape] if same else ["-1", "-1", "3"]
    features = {
        "image": {
            "pythonClassName": f"{FEATURES}.image_feature.Image",
            "image": {"dtype": "uint8", "shape": {"dimensions": dimensions}},
        },
        "label": {
            "pythonClassName": f"{FEATURES}.class_label_feature.ClassLabel",
            "classLabel": {"numClasses": str(max(labels) + 1)},
        },
    }
    records = [{"image": _png(image), "label": label} for image, label in zip(images, labels, strict=True)]
    return write_set(top / name / "1.0.0", name, features, {"train": records}, form)


def write_set(
    folder: Path, name: str, features: dict[str, Any], splits: dict[str, list[dict]], form: str = "array_record"
) -> Path:
    """One version of a set, one file a split."""
    folder.mkdir(parents=True)
    for split, records in splits.items():
        path = folder / f"{name}-{split}.{form}-00000-of-00001"
        writer = array_record_module.ArrayRecordWriter(str(path), "group_size:1")
        for record in records:
            writer.write(_example(record))
        writer.close()
    information = {
        "name": name,
        "version": folder.name,
        "fileFormat": form,
        "splits": [
            {
                "name": split,
                "shardLengths": [str(len(records))],
                "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
                "numBytes": "1",
            }
            for split, records in splits.items()
        ],
    }
    described = {"pythonClassName": f"{FEATURES}.features_dict.FeaturesDict", "featuresDict": {"features": features}}
    (folder / "dataset_info.json").write_text(json.dumps(information))
    (folder / "features.json").write_text(json.dumps(described))
    return folder


def _example(record: dict[str, bytes | int]) -> bytes:
    example = tf_example_pb2.Example()
    for name, value in record.items():
        feature = example.features.feature[name]
        if isinstance(value, bytes):
            feature.bytes_list.value.append(value)
        else:
            feature.int64_list.value.append(value)
    return example.SerializeToString()


def _png(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", image[..., ::-1])[1].tobytes()
