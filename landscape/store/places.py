"""Where results lie: the cache folder, which is written to, and the gallery of shipped results, which is only read.

The cache folder is the first of these that there is:

1. the folder that the caller names, by `--cache` or by an argument;
2. the folder that the environment variable LANDSCAPE_CACHE names; the app sets it to `cache/` beside `app.py`;
3. `cache/` at the top of the checkout that the current directory lies in;
4. the user's cache directory, which is `~/.cache/landscape` on Linux.

The gallery is part of the package. In a checkout it is a link to `cache/gallery/`.
"""

from __future__ import annotations

import math
import os
import shutil
from importlib import resources
from pathlib import Path

import platformdirs

VARIABLE = "LANDSCAPE_CACHE"
GALLERY = Path(str(resources.files("landscape") / "gallery")).resolve()


def cache_folder(named: str | Path | None = None) -> Path:
    """The absolute path of the cache folder, which need not exist yet; `named` is what the caller asks for.

    Raises ValueError where nothing names a folder and the user has no home directory.
    """
    if named := named or os.environ.get(VARIABLE):
        return Path(named).absolute()
    checkout = _checkout(Path.cwd())
    return checkout / "cache" if checkout else _of_the_user()


def free_bytes(folder: Path) -> float:
    """The bytes that can still be written to the disk of a cache folder, which need not exist yet.

    They are endless where the folder cannot be written to: what is kept of a study stays in memory then.

    >>> from pathlib import Path
    >>> from landscape.store.places import free_bytes
    >>> free_bytes(Path("no such folder").absolute()) == free_bytes(Path().absolute())
    True
    """
    there = next(each for each in (folder, *folder.parents) if os.path.isdir(each))
    return shutil.disk_usage(there).free if os.access(there, os.W_OK) else math.inf


def children(parent: Path) -> list[Path]:
    """What lies in a folder, sorted by name; nothing where it cannot be read."""
    try:
        return sorted(parent.iterdir())
    except OSError:
        return []


def barred(folder: Path) -> str:
    """Why a folder that is there cannot be looked into; empty where it can, or where no folder is.

    Example:
      >>> from pathlib import Path
      >>> from landscape.store.places import barred
      >>> barred(Path()), barred(Path("no such folder"))
      ('', '')
    """
    try:
        os.listdir(folder)
        os.stat(os.path.join(folder, "."))  # to read the names in a folder is one right, to enter it another
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _checkout(folder: Path) -> Path | None:
    """The top of the checkout of this project in which a folder lies, or None."""
    tops = (top for top in (folder, *folder.parents) if os.path.isdir(top / "cache" / "gallery"))
    return next((top for top in tops if os.path.isfile(top / "app.py")), None)


def _of_the_user() -> Path:
    try:
        return platformdirs.user_cache_path("landscape", appauthor=False)
    except RuntimeError as error:
        raise ValueError(
            f"there is no folder to keep results in: {error}; "
            f"name one by --cache or by the environment variable {VARIABLE}"
        ) from None
