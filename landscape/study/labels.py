"""What lists and links call a study, and whether a text that somebody types means it."""

from __future__ import annotations

import re

from landscape.study.presets import preset_keys

SHOWN, NEEDED = 6, 4  # first digits of a key: as many as a label shows, and as many as a text needs


def label(name: str, key: str) -> str:
    """The name of a preset; for any other study, its name and the first digits of its key, which tell it from others.

    Example:
      >>> from landscape.study.labels import label
      >>> label("digits-mlp", "5df1f8a0aa0cdd7d")
      'digits-mlp-5df1f8'
    """
    return name if preset_keys().get(name) == key else f"{name}-{key[:SHOWN]}"


def means(text: str, name: str, key: str) -> bool:
    """Whether a text tells a study by its key: by the first four or more digits of it, alone or after the name.

    Example:
      >>> from landscape.study.labels import means
      >>> means("digits-mlp-5df1f8", "digits-mlp", "5df1f8a0aa0cdd7d"), means("5df1", "digits-mlp", "5df1f8a0aa0cdd7d")
      (True, True)
    """
    found = re.fullmatch(f"(?:(.+)-)?([0-9a-f]{{{NEEDED},}})", text)
    return found is not None and found[1] in (None, name) and key.startswith(found[2])
