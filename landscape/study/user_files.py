"""Files that somebody names by a path: only regular files are opened, since a pipe or a device may never end."""

from __future__ import annotations

import errno
from io import BufferedReader
from pathlib import Path


def opened(path: str | Path) -> BufferedReader:
    """A file, opened to read its bytes.

    Raises OSError where there is none, where it is a folder, and for a pipe, a device or a socket, before it is opened.

    Example:
      >>> from landscape.study.user_files import opened
      >>> opened("/dev/zero")
      Traceback (most recent call last):
        ...
      OSError: [Errno 22] Not a regular file: '/dev/zero'
    """
    path = Path(path)
    if path.exists() and not path.is_dir() and not path.is_file():
        raise OSError(errno.EINVAL, "Not a regular file", str(path))
    return path.open("rb")


def content_of(path: str | Path) -> bytes:
    """All bytes of a file. Raises OSError as `opened` does."""
    with opened(path) as file:
        return file.read()
