"""Folders that only the user who computes can open: whoever writes to them could have code run in the user's name."""

from __future__ import annotations

import os
from pathlib import Path

from landscape.store.sealed import Unwritable


def private_folder(path: Path) -> Path:
    """The folder, made where it is not there yet, and closed to all other users.

    Raises Unwritable where it cannot be made, or something there belongs to another user or leads elsewhere.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from landscape.jobs.guard.private import private_folder
    >>> folder = private_folder(Path(tempfile.mkdtemp()) / "mine")
    >>> oct(folder.stat().st_mode)[-3:]
    '700'
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.is_symlink() or path.stat().st_uid != os.getuid():
            raise Unwritable(f"{path} is a link, or belongs to another user: name another cache folder")
        path.chmod(0o700)
    except Unwritable:
        raise
    except OSError as error:
        raise Unwritable(f"cannot write to {path}: {error.strerror or error}") from error
    return path
