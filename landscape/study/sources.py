"""Parts of a study that lie in files of one's own: where they lie, and a hash of what they hold.

Two studies are the same where the content of their files is, wherever these lie; so a study's key holds the hash and
not the path.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Annotated, ClassVar, Self

from pydantic import PlainSerializer, SerializationInfo, SerializerFunctionWrapHandler, model_serializer

from landscape.study.base import Frozen, written_as
from landscape.study.user_files import opened

# A path on this computer, of which a record and a result keep the name only: the rest tells about its owner, and says
# nothing elsewhere.
SourcePath = Annotated[str, PlainSerializer(lambda path: Path(path).name, when_used="json")]
Sha256 = Annotated[str, written_as("[0-9a-f]{64}", "a SHA-256 of 64 digits, each from 0 to 9 or from a to f")]

BERT_SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


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


class Brought(Frozen):
    """A file that a study knows by the hash of its content.

    Attributes:
      sha256: the SHA-256 of the file's content, in hexadecimal digits, which is all that a key or a record has of it.
      file: where that content lies on this computer, if that is known.
    """

    what: ClassVar[str]
    suffix: ClassVar[str]
    most_bytes: ClassVar[int]

    sha256: Sha256
    file: str = ""

    @model_serializer(mode="wrap")
    def _without_its_place(self, plain: SerializerFunctionWrapHandler, info: SerializationInfo) -> dict[str, str]:
        return {name: each for name, each in plain(self).items() if info.mode != "json" or name != "file"}

    @classmethod
    def of(cls, path: str | Path) -> Self:
        """The file at a path. Raises ValueError for one that cannot be read or is too large."""
        return cls(sha256=hashlib.sha256(cls.read(path)).hexdigest(), file=str(Path(path).absolute()))

    def content(self) -> bytes:
        """The content of the file. Raises ValueError where it is not on this computer, or has changed."""
        if not self.file:
            raise ValueError(f"the {self.what} {self.sha256[:16]} are not on this computer; give their file again")
        content = self.read(self.file)
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise ValueError(f"{self.file} has changed since the study was made")
        return content

    @classmethod
    def read(cls, path: str | Path) -> bytes:
        """The content of a file of this kind. Raises ValueError, which names it, as `of` does."""
        try:
            with opened(path) as file:
                size = os.fstat(file.fileno()).st_size
                if size > cls.most_bytes:
                    raise ValueError(f"{path} has {size:,} bytes; {cls.what} may have {cls.most_bytes:,} at most")
                return file.read()
        except OSError as error:
            raise ValueError(f"the {cls.what} {path} cannot be read: {error.strerror}") from None


class Weights(Brought):
    """The trained network that stands in the place of the trained base: a safetensors file of at most 200 MiB.

    Example:
      >>> from pathlib import Path
      >>> from landscape.study.sources import Weights
      >>> written = Path("base.safetensors").write_bytes(b"")
      >>> Weights.of("base.safetensors").sha256[:8]
      'e3b0c442'
    """

    what: ClassVar[str] = "weights"
    suffix: ClassVar[str] = ".safetensors"
    most_bytes: ClassVar[int] = 200 * 2**20


class Vocabulary(Brought):
    r"""The vocabulary of a published BERT: its `vocab.txt`, in UTF-8, with one token of WordPiece a line.

    Example:
      >>> from pathlib import Path
      >>> from landscape.study.sources import Vocabulary
      >>> written = Path("vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhill\n##s\n")
      >>> Vocabulary.of("vocab.txt").tokens()[5:]
      ('hill', '##s')

    References:
      Devlin et al. (2019), arXiv 1810.04805; Wu et al. (2016), arXiv 1609.08144, section 4.1.
    """

    what: ClassVar[str] = "tokens of the vocabulary"
    suffix: ClassVar[str] = ".txt"
    most_bytes: ClassVar[int] = 2**22

    def tokens(self) -> tuple[str, ...]:
        """The tokens in the order of their numbers. Raises ValueError, as `content` and `tokens_in` do."""
        return tokens_in(self.content())


def tokens_in(content: bytes) -> tuple[str, ...]:
    r"""The tokens in the content of a vocabulary.

    Raises:
      ValueError: unless it is UTF-8 with one token a line, none of them twice and none missing of `BERT_SPECIALS`.

    Example:
      >>> from landscape.study.sources import tokens_in
      >>> tokens_in(b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[PAD]\n")
      Traceback (most recent call last):
      ValueError: the vocabulary has the token [PAD] in line 1 and in line 5
    """
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"the vocabulary is not UTF-8: {error.reason} at byte {error.start:,}") from None
    tokens = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]
    lines: dict[str, int] = {}
    for number, token in enumerate(tokens, 1):
        if not token or " " in token or "\t" in token:
            raise ValueError(f"line {number:,} of the vocabulary is not one token: {token[:40]!r}")
        if (first := lines.setdefault(token, number)) != number:
            raise ValueError(f"the vocabulary has the token {token} in line {first:,} and in line {number:,}")
    if missing := [token for token in BERT_SPECIALS if token not in lines]:
        raise ValueError(f"the vocabulary lacks {', '.join(missing)}, so it is none of a BERT")
    return tuple(tokens)
