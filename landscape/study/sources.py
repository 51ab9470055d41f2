"""Parts of a study that lie in files of one's own: where they lie, and a hash of what they hold.

Two studies are the same where the content of their files is, wherever these lie; so a study's key holds the hash and
not the path.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, ClassVar, Self

from pydantic import Field

from landscape.study.base import Frozen

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Sourced(Frozen):
    """A part of a specification whose content lies in a file or folder.

    Attributes:
      content: the SHA-256 of what lies there, 64 hexadecimal digits; None until `identified` has read it.
      found: what the package has found in it, once it has looked. It follows from the content.
    """

    located_by: ClassVar[str]  # the field that holds the path

    content: Sha256 | None = None

    @property
    def path(self) -> Path:
        """Where the content lies."""
        return Path(getattr(self, self.located_by))

    def identified(self) -> Self:
        """The same with the hash of what lies at the path now, and without what was found there before.

        Raises ValueError where nothing can be read there.
        """
        return self.model_copy(update={"content": digest(self.path), "found": None})

    def unchanged_path(self) -> Path:
        """The path. Raises ValueError unless what lies there is what it was when this was identified."""
        if self.content != digest(self.path):
            raise ValueError(f"{self.path} has changed since the study was read; read the study again")
        return self.path


def digest(path: Path) -> str:
    """The SHA-256 of a file, or of the names and contents of all files in a folder that are not hidden.

    Raises ValueError where there is neither.

    Example:
      >>> from pathlib import Path
      >>> from landscape.study.sources import digest
      >>> written = Path("prose.txt").write_bytes(b"A hill.")
      >>> digest(Path("prose.txt"))[:16]
      '5247bf65fe3c51f6'
    """
    try:
        if not path.is_dir():
            return _file_digest(path)
        lines = (f"{_file_digest(file)} {file.relative_to(path).as_posix()}\n" for file in visible_files(path))
        return hashlib.sha256("".join(lines).encode()).hexdigest()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None


def visible_files(folder: Path) -> list[Path]:
    """All files of a folder and of those within it, sorted, but for hidden ones and those in hidden folders."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts))


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
