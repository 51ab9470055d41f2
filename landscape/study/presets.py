"""The studies that ship with the package: TOML files in `landscape/presets`, each at two scales."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

from landscape.study import Study, parsed, validated

LAPTOP, PAPER = "laptop", "paper"  # the scales of a preset


@cache
def presets() -> Mapping[str, Study]:
    """The studies that ship with the package, by name.

    A file `NAME.toml` with a table `[laptop]` holds two studies: NAME at a scale for a laptop, which is the file with
    that table laid over it, and NAME-paper, which is the file without the table. `extends = "OTHER"` starts from the
    content of another file.

    Example:
      >>> import landscape
      >>> landscape.presets()["cnn-cifar10-paper"].reproduces
      'figures 2, 3 (first row), 6 (second), 7; table 4'
    """
    folder = resources.files("landscape") / "presets"
    files = sorted(Path(str(file)) for file in folder.iterdir() if file.name.endswith(".toml"))
    return MappingProxyType({study.name: study for file in files for study in _scales(file)})


def _scales(path: Path) -> list[Study]:
    content = {"name": path.stem} | _extended(path)
    laptop = content.pop(LAPTOP, None)
    if laptop is None:
        return [validated(content)]
    whole = content | {"name": f"{path.stem}-{PAPER}", "title": f"{content['title']}, at the paper's scale"}
    return [validated(_laid_over(content, laptop)), validated(whole)]


def _extended(path: Path) -> dict[str, Any]:
    """The content of a preset's file, laid over that of the file that it `extends`."""
    content = parsed(path)
    other = content.pop("extends", None)
    return content if other is None else _laid_over(_extended(path.with_stem(other)), content)


def _laid_over(content: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """The first content with the second one laid over it: tables are merged, all other values are replaced."""
    merged = dict(content)
    for key, value in other.items():
        both_tables = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _laid_over(merged[key], value) if both_tables else value
    return merged


def preset(name: str) -> Study:
    """The study that ships with the package under a name.

    Raises:
      ValueError: if there is no such study; the message lists the names.

    Example:
      >>> import landscape
      >>> landscape.preset("digits-mlp").model
      MlpSpec(kind='mlp', hidden=(6,))
    """
    found = presets()
    if name not in found:
        raise ValueError(f"unknown study {name!r}; the studies are {', '.join(found)}")
    return found[name]
