"""Text of somebody else as it can be read: no character of it moves a cursor, turns its neighbours, or hides."""

from __future__ import annotations

import unicodedata

HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn")  # categories of controls, directions, halves of characters, and those unknown


def visible(text: str) -> str:
    r"""The text with `\x1b` in place of a character that is not seen; lines and tabs stay.

    Example:
      >>> from landscape.study.writing.visible import visible
      >>> visible("there is no \x1b[2J or \u202e"), visible("λ → 8")
      ('there is no \\x1b[2J or \\u202e', 'λ → 8')
    """
    return "".join(map(_visible, text))


def _visible(character: str) -> str:
    hidden = character not in "\n\t" and unicodedata.category(character) in HIDDEN
    return character.encode("unicode_escape").decode() if hidden else character
