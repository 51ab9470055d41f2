"""From the controls of the Study page to a study."""

from __future__ import annotations

import re
from typing import Any

import streamlit as st

from landscape.data import available
from landscape.data.shapes import image_examples
from landscape.study import Study, validated
from pages.shared.controls import checked
from pages.shared.widgets import Choices, Control, Number, Text

VALIDATION = 10_000  # images at most: Table 1; a smaller set leaves 1000 for training


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
        model, group, expansions = _network()
    with right:
        sizes = _sizes(data)
    found = image_examples(data)
    batch = min(sizes["train"], 512 if sizes["train"] >= VALIDATION else 100)
    return {
        "name": f"{data.replace('/', '-')}-{model['kind']}",
        "title": f"{data}, {model['kind'].upper()}, {group} expanded",
        "data": {"name": data, "train_size": sizes["train"], "validation_size": _validation(found.labelled)},
        "model": model,
        "candidates": [[{"widen": group} | expansion] for expansion in expansions],
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
    """Draw the form and return its study. Raises ValueError that says in words what is not allowed."""
    return validated(content())


def _network() -> tuple[dict[str, Any], str, list[dict[str, float]]]:
    kind = checked("network", Choices("Base model", ("mlp", "cnn"), "mlp", "MLP or CNN (Table 2).", True))
    if kind == "mlp":
        hidden = numbers("Hidden units", checked("hidden", Text("Hidden units, a number a layer", "6")))
        model: dict[str, Any] = {"kind": kind, "hidden": hidden}
        groups = [f"hidden{i}" for i in range(1, len(hidden) + 1)]
    else:
        channels = numbers("Channels", checked("channels", Text("Channels, a number a convolution", "8, 32")))
        dense = numbers("Dense units", checked("dense", Text("Dense units, a number a layer", "256")))
        model = {"kind": kind, "channels": channels, "dense": dense}
        groups = [f"conv{i}" for i in range(1, len(channels) + 1)]
        groups += [f"dense{i}" for i in range(1, len(dense) + 1)]
    if not groups:
        raise ValueError("The model needs at least one hidden layer.")
    group = checked("group", Choices("Layer to expand and to permute", groups, groups[0]))
    text = checked("expand", Text("Candidates: widths (8, 12) or factors (×1.5, ×2)", "7, 8, 10, 12, 18"))
    return model, group, expansions(text)


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
    return min(VALIDATION, count - 1000)


def numbers(words: str, text: str) -> list[int]:
    """Whole numbers separated by commas or blanks. Raises ValueError that names the one that is none."""
    parts = re.split(r"[,;\s]+", text.strip())
    if wrong := [part for part in parts if part and not part.isdecimal()]:
        raise ValueError(f"{words}: {wrong[0]!r} is no whole number; write them as 64, 32.")
    return [int(part) for part in parts if part]


def expansions(text: str) -> list[dict[str, float]]:
    """Widths and factors: `12` is a width, `×1.5` or `x1.5` a factor. Raises ValueError that names what is neither."""
    found: list[dict[str, float]] = []
    for part in filter(None, re.split(r"[,;\s]+", text.strip())):
        match = re.fullmatch(r"([×x*])?(\d+(?:\.\d+)?)", part)
        if match is None or (not match[1] and "." in part):
            raise ValueError(f"Candidates: {part!r} is neither a width as 12 nor a factor as ×1.5.")
        found.append({"factor": float(match[2])} if match[1] else {"size": int(match[2])})
    if not found:
        raise ValueError("Candidates: give at least one width as 12 or factor as ×1.5.")
    return found
