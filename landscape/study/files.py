"""Studies in TOML files: one reader for the files that ship with the package and for those of its users."""

from __future__ import annotations

import codecs
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from landscape.study.examples import OWN
from landscape.study.sources import Brought, Sourced, Vocabulary, Weights
from landscape.study.study import Study, validated
from landscape.study.user_files import opened

PRESETS = Path(str(resources.files("landscape") / "presets"))
EXTENDS, LAPTOP = "extends", "laptop"  # what a file may hold beside the fields of a study
PATHS = {"data": tuple(OWN), "model": ("module",)}  # the settings that are paths, from the folder of the file on
WEIGHTS, TOKENS = "weights", "tokens"  # of the base, and of its text: paths of files
File = TypeVar("File", bound=Brought)
MOST_CHARACTERS = 50_000
MOST_BYTES = 4 * MOST_CHARACTERS + 4  # in UTF-32, with a byte-order mark
TOO_LONG = f"not a study: it is longer than {MOST_CHARACTERS:,} characters"
MOST_LEVELS = 10  # of tables and lists within each other; `[laptop]` and a step of a candidate make four
TOO_DEEP = f"not a study: its tables and lists lie more than {MOST_LEVELS} deep in each other"
MARKS = {  # byte-order marks, which Windows' editors and shells write; that of UTF-32 begins with that of UTF-16
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def from_toml(path: str | Path) -> Study:
    r"""The study that a TOML file describes; its name is that of the file, unless the file has another one.

    A table `[laptop]` is laid over the rest of the file, as in the shipped files; without that table, the study is the
    rest alone. `extends = "OTHER"` starts from the content of OTHER.toml in the same folder, or else from the shipped
    file of that name. `weights = "base.safetensors"` makes the network in that file the base (`Study.starting_from`),
    and `data.tokens = "vocab.txt"` reads text in the vocabulary of a published BERT.
    The file may be in UTF-8, or in UTF-16 or UTF-32 with a byte-order mark. Paths of weights and of data of your own
    begin at the folder of the file, and what lies there is hashed.

    Raises:
      ValueError: that names the file and each fault in it.
      OSError: if the file cannot be read.

    Example:
      >>> import landscape
      >>> from pathlib import Path
      >>> written = Path("mine.toml").write_text('extends = "digits-mlp"\nmodel = { hidden = [5] }')
      >>> landscape.from_toml("mine.toml").labels[0]
      'hidden1 → 7'
    """
    path = Path(path)
    try:
        study = validated({"name": path.stem} | merged(*scales(path)))
        return identified(study)
    except ValueError as error:
        raise ValueError(f"{path}:\n{error}") from None


def identified(study: Study) -> Study:
    """The study with a hash of everything that it takes from files of one's own, so that it has a key.

    Raises ValueError where such a file cannot be read.

    Example:
      >>> import numpy as np
      >>> from landscape.study import validated
      >>> from landscape.study.files import identified
      >>> np.savez("two.npz", inputs=np.eye(2), labels=np.arange(2))
      >>> model, walk = {"kind": "mlp", "hidden": [6]}, {"group": "hidden1"}
      >>> steps = {"candidates": [[{"widen": "hidden1", "size": 9}]]}
      >>> study = validated({"name": "mine", "data": {"file": "two.npz"}, "model": model, "walk": walk} | steps)
      >>> len(identified(study).key)
      16
    """
    parts = {"data": study.data, "model": study.model}
    unread = {name: part for name, part in parts.items() if isinstance(part, Sourced) and part.unread}
    return study.model_copy(update={name: part.identified() for name, part in unread.items()})


def scales(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The content of a file and the table that lays the scale of a laptop over it, which is empty without one.

    Raises ValueError for a file that is not TOML, or whose `extends` or `laptop` is not what it must be, and OSError.
    """
    content = _extended(path, ())
    laptop = content.pop(LAPTOP, {})
    if not isinstance(laptop, dict):
        raise ValueError(f"{LAPTOP}: must be a table of what differs on a laptop (given {laptop!r})")
    return content, laptop


def parsed(text: str) -> dict[str, Any]:
    """The content of a TOML text, which may come from anybody.

    Raises:
      ValueError: for a text that is too long, is not TOML, or holds tables in tables or numbers beyond all that a study
        has.

    Example:
      >>> from landscape.study.files import parsed
      >>> parsed("walk.nodes = 5")
      {'walk': {'nodes': 5}}
    """
    if len(text) > MOST_CHARACTERS:
        raise ValueError(TOO_LONG)
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"this is not TOML: {error}") from None
    except RecursionError:
        raise ValueError(TOO_DEEP) from None
    except ValueError:  # Python's limit on the digits of an integer
        raise ValueError("this is not TOML: it holds a number of thousands of digits") from None
    level = [content]
    for _ in range(MOST_LEVELS):
        level = [each for part in level for each in (part.values() if isinstance(part, dict) else part)]
        level = [each for each in level if isinstance(each, dict | list)]
    if level:
        raise ValueError(TOO_DEEP)
    return content


def merged(content: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """The first content with the second one laid over it: tables are merged, all other values are replaced."""
    found = dict(content)
    for key, value in other.items():
        both_tables = isinstance(value, dict) and isinstance(found.get(key), dict)
        found[key] = merged(found[key], value) if both_tables else value
    return found


def _extended(path: Path, before: tuple[Path, ...]) -> dict[str, Any]:
    """The content of a file, laid over that of the file that it extends; `before` are those that extend this one."""
    content = _parsed(path)
    other = content.pop(EXTENDS, None)
    if other is None:
        return content
    found = _named(other, path)
    if found in (*before, path):
        raise ValueError(f"{EXTENDS}: {' → '.join(each.stem for each in (*before, path, found))} is a circle")
    return merged(_extended(found, (*before, path)), content)


def _named(other: object, path: Path) -> Path:
    """The file that another one calls by its name."""
    if not isinstance(other, str) or not other or other != Path(other).name:
        raise ValueError(f"{EXTENDS}: must be the name of a study's file, without folder and suffix (given {other!r})")
    places = (path.with_name(f"{other}.toml"), PRESETS / f"{other}.toml")
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        shipped = ", ".join(sorted(file.stem for file in PRESETS.glob("*.toml")))
        raise ValueError(
            f"{EXTENDS}: there is no {other}.toml beside {path.name}; the shipped files are {shipped} (given {other!r})"
        )
    return found


def _parsed(path: Path) -> dict[str, Any]:
    """The content of a TOML file. Raises ValueError for one in another format, and as `parsed` does."""
    with opened(path) as file:
        written = file.read(MOST_BYTES + 1)
    if len(written) > MOST_BYTES:
        raise ValueError(TOO_LONG)
    encoding = next((encoding for mark, encoding in MARKS.items() if written.startswith(mark)), "utf-8")
    try:
        text = written.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(f"this is not TOML: {error}; save it as UTF-8") from None
    return _anchored(parsed(text), path.absolute().parent)


def _anchored(content: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The content of a file in a folder, with its paths beginning at the root of the disk, and weights as read."""
    found = dict(content)
    for section, names in PATHS.items():
        table = found.get(section)
        if isinstance(table, dict):
            paths = {name: table[name] for name in names if isinstance(table.get(name), str)}
            unread = {name: value for name, value in table.items() if not paths or name not in ("content", "found")}
            found[section] = unread | {name: str(folder / Path(path).expanduser()) for name, path in paths.items()}
    if WEIGHTS in found:
        found[WEIGHTS] = _brought(Weights, WEIGHTS, found[WEIGHTS], folder)
    if isinstance(data := found.get("data"), dict) and TOKENS in data:
        found["data"] = data | in_the_tokens_of(_brought(Vocabulary, f"data.{TOKENS}", data[TOKENS], folder))
    if isinstance(laptop := found.get(LAPTOP), dict):
        found[LAPTOP] = _anchored(laptop, folder)
    return found


def in_the_vocabulary_of(path: str | Path, study: Study) -> Study:
    r"""The study whose text is read in the tokens of a published BERT, from its `vocab.txt`.

    Raises:
      ValueError: for a study of images, and for a file that is no vocabulary.

    Example:
      >>> import landscape
      >>> from pathlib import Path
      >>> from landscape.study.files import in_the_vocabulary_of
      >>> specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
      >>> written = Path("vocab.txt").write_text("\n".join([*specials, *map(str, range(300))]))
      >>> in_the_vocabulary_of("vocab.txt", landscape.preset("tinybert")).data.vocabulary
      305

    References:
      Devlin et al. (2019), arXiv 1810.04805.
    """
    if study.data.modality != "text":
        raise ValueError(f"--vocabulary goes with text, and {study.name} is about {study.data.modality}")
    content = study.model_dump()
    return validated(content | {"data": content["data"] | in_the_tokens_of(Vocabulary.of(path))})


def in_the_tokens_of(vocabulary: Vocabulary) -> dict[str, Any]:
    """What a table of text says that is read in the vocabulary of a file. Raises ValueError for what is none."""
    return {"vocabulary": len(vocabulary.tokens()), TOKENS: vocabulary}


def _brought(kind: type[File], key: str, path: object, folder: Path) -> File:
    """The file that a study in a folder calls by its path. Raises ValueError where it cannot be read."""
    if not isinstance(path, str) or not path:
        raise ValueError(f"{key}: must be the path of a {kind.suffix} file (given {path!r})")
    return kind.of(folder / Path(path).expanduser())
