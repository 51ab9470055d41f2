"""From the controls of the Study page to a study."""

from __future__ import annotations

import re
from typing import Any

import streamlit as st

from landscape.data import available
from landscape.data.shapes import image_examples
from landscape.study import Study, validated
from pages.shared import model_form
from pages.shared.controls import checked
from pages.shared.widgets import Choices, Control, Number, Text

WIDENINGS = "Each is a width of the layer such as 12, or a factor such as ×1.5; separate them by commas and blanks."
VALIDATION = 10_000  # images at most: Table 1
LEFT = 1000  # images that a set of less than twice VALIDATION leaves for training, or two thirds of a small one


@st.cache_data(ttl=60)
def images() -> list[str]:
    """The sets of images that can be used here."""
    return [name for name in available() if _countable(name)]


def _countable(name: str) -> bool:
    try:
        return bool(image_examples(name))
    except ValueError:
        return False


def content() -> dict[str, Any]:
    """Draw the form and return the study's content. Raises ValueError for numbers that cannot be read."""
    left, right = st.columns(2)
    with left:
        data = checked("data", Choices("Data set", images(), "digits"))
        spec = model_form.draw()
        groups = list(spec.group_sizes())
        group = checked("group", Choices("Layer to expand and to permute", groups, groups[0]))
        widenings = expansions(checked("expand", Text("Candidates", "×1.25, ×1.5, ×2, ×3", WIDENINGS)))
    with right:
        sizes = _sizes(data)
    found = image_examples(data)
    batch = min(sizes["train"], 512 if sizes["train"] >= VALIDATION else 100)
    return {
        "name": f"{data.replace('/', '-')}-{spec.kind}",
        "title": f"{data}, {model_form.title(spec)}, {group} expanded",
        "data": {"name": data, "train_size": sizes["train"], "validation_size": _validation(found.labelled)},
        "model": spec.model_dump(mode="json"),
        "candidates": [[{"widen": group} | widening] for widening in widenings],
        "training": {
            "batch_size": batch,
            "base_epochs": sizes["base_epochs"],
            "patience": 10,
            "epochs": sizes["epochs"],
        },
        "walk": {
            "group": group,
            "permutations": sizes["permutations"],
            "batch_size": min(512, sizes["train"]),
        },
        "seeds": sizes["seeds"],
    }


def study() -> Study:
    """Draw the form and return its study. Raises ValueError that says which value is not allowed."""
    return validated(content())


def _sizes(data: str) -> dict[str, int]:
    count = image_examples(data).labelled
    largest = count - _validation(count)
    controls: dict[str, Control] = {
        "train": Number("Training images", 1, largest, min(largest, 10_000)),
        "base_epochs": Number("Epochs of the base, at most", 1, 10_000, 200, "Early stopping may end it sooner."),
        "epochs": Number("Epochs after the expansion", 0, 10_000, 100),
        "seeds": Number("Seeds", 1, 100, 3, "How many times everything is repeated."),
        "permutations": Number("Permutations", 1, 100_000, 1000),
    }
    return {name: int(checked(name, control)) for name, control in controls.items()}


def _validation(count: int) -> int:
    """The images for validation, out of so many: at least one, and one is left for training, where there are two."""
    return min(VALIDATION, max(1, count - min(LEFT, 2 * count // 3)))


def expansions(text: str) -> list[dict[str, float]]:
    """Widths and factors: `12` is a width, `×1.5` or `x1.5` a factor.

    Raises ValueError that names what is neither, or what a decimal comma makes ambiguous.
    """
    found: list[dict[str, float]] = []
    if unclear := re.search(r"[×x*]\d+,\d+", text):
        raise ValueError(
            f"Candidates: {unclear[0]!r} can be read in two ways; write {unclear[0].replace(',', '.')} for "
            f"one factor, or {unclear[0].replace(',', ', ')} for two candidates."
        )
    for part in filter(None, re.split(r"[,;\s]+", text.strip())):
        match = re.fullmatch(r"([×x*])?(\d+(?:\.\d+)?)", part)
        if match is None or (not match[1] and "." in part):
            raise ValueError(f"Candidates: {part!r} is neither a width such as 12 nor a factor such as ×1.5.")
        found.append({"factor": float(match[2])} if match[1] else {"size": int(match[2])})
    if not found:
        raise ValueError("Candidates: give at least one width such as 12 or factor such as ×1.5.")
    return found
