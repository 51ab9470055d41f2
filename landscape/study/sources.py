"""Parts of a study that lie in files of one's own: where they lie, and a hash of what they hold.

Two studies are the same where the content of their files is, wherever these lie; so a study's key holds the hash and
not the path.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Annotated, ClassVar, Self

from pydantic import Field, PlainSerializer

from landscape.study.base import Frozen
from landscape.study.user_files import opened

# A path on this computer, of which a record and a result keep the name only: the rest tells about its owner, and says
# nothing elsewhere.
SourcePath = Annotated[str, PlainSerializer(lambda path: Path(path).name, when_used="json")]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]

MOST_BYTES = 200 * 2**20  # of a file of weights


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

    @property
    def unread(self) -> bool:
        """Whether there is something to read at the path, and `identified` has not."""
        return self.content is None

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
    with opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Weights(Frozen):
    """The trained network that stands in the place of the trained base: a safetensors file.

    Attributes:
      sha256: the SHA-256 of the file's content, in hexadecimal digits, which is all that a key or a record has of it.
      file: where that content lies on this computer, if that is known.

    Example:
      >>> from pathlib import Path
      >>> from landscape.study.sources import Weights
      >>> written = Path("base.safetensors").write_bytes(b"")
      >>> Weights.of("base.safetensors").sha256[:8]
      'e3b0c442'
    """

    sha256: Sha256
    file: Annotated[str, Field(exclude=True)] = ""

    @classmethod
    def of(cls, path: str | Path) -> Self:
        """The weights in a file. Raises ValueError for one that cannot be read or has more than 200 MiB."""
        return cls(sha256=hashlib.sha256(content_of(path)).hexdigest(), file=str(Path(path).absolute()))

    def content(self) -> bytes:
        """The content of the file. Raises ValueError where it is not on this computer, or has changed."""
        if not self.file:
            raise ValueError(f"the weights {self.sha256[:16]} are not on this computer; give their file again")
        content = content_of(self.file)
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise ValueError(f"{self.file} has changed since the study was made")
        return content


def content_of(path: str | Path) -> bytes:
    """The content of a file of weights. Raises ValueError, which names it, as `Weights.of` does."""
    try:
        with opened(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > MOST_BYTES:
                raise ValueError(f"{path} has {size:,} bytes; weights may have {MOST_BYTES:,} at most")
            return file.read()
    except OSError as error:
        raise ValueError(f"the weights {path} cannot be read: {error.strerror}") from None
