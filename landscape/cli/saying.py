"""What goes wrong, said on a terminal: in a few lines, whatever text somebody has given, and without controlling it."""

from __future__ import annotations

import re
import sys

from landscape.study.writing.visible import visible

WORD, ALL = 400, 6000  # characters that a word may have, such as a path, and all together


def say(kind: str, text: object) -> None:
    """Print `error: …` or `warning: …` to stderr."""
    print(f"{kind}: {readable(str(text))}", file=sys.stderr)


def readable(text: str) -> str:
    r"""The text with long words cut, and with `\x1b` in place of a character that a terminal would obey.

    Example:
      >>> from landscape.cli.saying import readable
      >>> readable("there is no \x1b[2J"), len(readable("x" * 10**6)) < 1000
      ('there is no \\x1b[2J', True)
    """
    short = re.sub(rf"\S{{{WORD + 1},}}", lambda found: f"{found[0][:WORD]}…", text)
    return visible(short if len(short) <= ALL else f"{short[:ALL]} …")
