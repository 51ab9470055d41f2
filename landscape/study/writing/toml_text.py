"""A study as TOML text, written and read. What is read here may come from anybody, so no file but presets is opened."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from landscape.study.files import EXTENDS, LAPTOP, PRESETS, merged, parsed, scales
from landscape.study.study import Study


def toml_text(study: Study) -> str:
    """The TOML file that describes a study completely, so that it means the same in later versions too.

    Example:
      >>> import landscape
      >>> from landscape.study.writing.toml_text import content_of, toml_text
      >>> study = landscape.preset("digits-mlp")
      >>> landscape.study.validated(content_of(toml_text(study))) == study
      True
    """
    content = study.model_dump(mode="json", exclude_none=True)
    tables = {name: value for name, value in content.items() if isinstance(value, dict)}
    candidates = content.pop("candidates")
    lines = [f"{name} = {_value(value)}" for name, value in content.items() if name not in tables]
    lines += ["candidates = [", *(f"  {_value(candidate)}," for candidate in candidates), "]"]
    for name, table in tables.items():
        lines += ["", f"[{name}]", *(f"{_key(key)} = {_value(value)}" for key, value in table.items())]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {_value(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return repr(value)


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(key: str) -> str:
    return key if key.replace("_", "").isalnum() and key.isascii() else _text(key)


def content_of(text: str) -> dict[str, Any]:
    """The content of a study's TOML text, for `landscape.study.validated`; `extends` may name a shipped file.

    Raises:
      ValueError: for a text that is too long, is not TOML, or extends what is not shipped.
    """
    content = parsed(text)
    laptop, other = content.pop(LAPTOP, {}), content.pop(EXTENDS, None)
    if other is not None:
        known = sorted(path.stem for path in PRESETS.glob("*.toml"))
        if other not in known:
            raise ValueError(f"extends: must name a study that ships, one of {', '.join(known)} (given {other!r:.80})")
        before, smaller = scales(PRESETS / f"{other}.toml")
        content, laptop = merged(before, content), merged(smaller, laptop) if isinstance(laptop, dict) else laptop
    if not isinstance(laptop, dict):
        raise ValueError(f"laptop: must be a table (given {laptop!r:.80})")
    return merged(content, laptop)
