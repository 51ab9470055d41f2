"""The studies that ship with the package, TOML files in `landscape/presets` at up to three scales; names of studies.

The names are those in lists, what a text means by them, and what is said of one that means no study, or several.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import SequenceMatcher
from functools import cache
from pathlib import Path
from types import MappingProxyType

from landscape.study import Study, validated
from landscape.study.files import PRESETS, from_toml, scales

LAPTOP, GPU, PAPER = SCALES = "laptop", "gpu", "paper"
SHOWN, NEEDED = 6, 4  # first digits of a key: as many as a label shows, and as many as a text needs
OFFERED, NAMED = 3, 6  # names: so many that are like an unknown one, and so many of those that one may mean
ALIKE = 0.6  # the likeness of two names, from 0 to 1, from which on one is offered for the other
LONGEST = 100  # characters of a name that are compared
LISTED = "names are listed by: python -m landscape"


@cache
def presets() -> Mapping[str, Study]:
    """The studies that ship with the package, by name.

    A file `NAME.toml` with a table `[laptop]` holds two studies: NAME at a scale for a laptop, which is the file with
    that table laid over it, and NAME-paper, which is the file without the table. A file `NAME-gpu.toml` holds one, in
    between, for some minutes of a GPU. `landscape.from_toml` reads the same files.

    Example:
      >>> import landscape
      >>> landscape.presets()["cnn-cifar10-paper"].reproduces
      'figures 2, 3 (first row), 6 (second), 7; table 4'
    """
    files = sorted(PRESETS.glob("*.toml"))
    return MappingProxyType({study.name: study for file in files for study in _scales(file)})


@cache
def preset_keys() -> Mapping[str, str]:
    """The keys of the studies that ship with the package, by name: each takes a tenth of a millisecond to work out."""
    return MappingProxyType({name: study.key for name, study in presets().items()})


def _scales(path: Path) -> list[Study]:
    content, laptop = scales(path)
    if not laptop:
        return [from_toml(path)]
    name, title = f"{path.stem}-{PAPER}", f"{content['title']}, at the paper's scale"
    return [from_toml(path), validated(content | {"name": name, "title": title})]


def scale_of(name: str) -> str:
    """The scale of the preset with this name.

    Example:
      >>> from landscape.study.presets import scale_of
      >>> scale_of("cnn-cifar10"), scale_of("cnn-cifar10-gpu"), scale_of("cnn-cifar10-paper")
      ('laptop', 'gpu', 'paper')
    """
    last = name.rpartition("-")[2]
    return last if last in (GPU, PAPER) else LAPTOP


def preset(name: str) -> Study:
    """The study that ships with the package under a name.

    Raises:
      ValueError: if there is no such study; the message has the nearest names.

    Example:
      >>> import landscape
      >>> landscape.preset("digits-mlp").model
      MlpSpec(kind='mlp', hidden=(6,))
    """
    found = presets()
    if name not in found:
        raise ValueError(f"unknown study {name!r}; {none_of(found, str(name))}")
    return found[name]


def label(name: str, key: str) -> str:
    """The name of a preset; for any other study, its name and the first digits of its key, which tell it from others.

    Example:
      >>> from landscape.study.presets import label
      >>> label("digits-mlp", "5df1f8a0aa0cdd7d")
      'digits-mlp-5df1f8'
    """
    return name if preset_keys().get(name) == key else f"{name}-{key[:SHOWN]}"


def means(text: str, name: str, key: str) -> bool:
    """Whether a text tells a study by its key: by the first four or more digits of it, alone or after the name.

    Example:
      >>> from landscape.study.presets import means
      >>> means("digits-mlp-5df1f8", "digits-mlp", "5df1f8a0aa0cdd7d"), means("5df1", "digits-mlp", "5df1f8a0aa0cdd7d")
      (True, True)
    """
    found = re.fullmatch(f"(?:(.+)-)?([0-9a-f]{{{NEEDED},}})", text)
    return found is not None and found[1] in (None, name) and key.startswith(found[2])


def nearest(text: str, names: Iterable[str]) -> list[str]:
    """At most three names that a text may have meant, the likeliest first: they hold it, or are spelt like it.

    Example:
      >>> from landscape.study.presets import nearest
      >>> nearest("digts-mlp", ["minibert", "digits-mlp"]), nearest("mine", ["minibert", "mine-5df1f8"])
      (['digits-mlp'], ['mine-5df1f8', 'minibert'])
      >>> nearest("resnet", ["minibert", "digits-mlp"])
      []
    """
    asked = text[:LONGEST].casefold()
    likeness = {name: _likeness(asked, name.casefold()) for name in names}
    alike = [name for name in likeness if likeness[name] >= ALIKE]
    return sorted(alike, key=lambda name: -likeness[name])[:OFFERED]


def _likeness(asked: str, name: str) -> float:
    return SequenceMatcher(None, name, asked).ratio() + (asked != "" and asked in name)


def none_of(names: Iterable[str], text: str, command: str = "list") -> str:
    """How an error ends about a text that is none of these names, which a command of the program lists.

    Example:
      >>> from landscape.study.presets import none_of
      >>> none_of(["minibert", "digits-mlp"], "digts-mlp")
      'did you mean digits-mlp? All names are listed by: python -m landscape list'
      >>> none_of(["minibert", "digits-mlp"], "resnet")
      'all names are listed by: python -m landscape list'
    """
    near = nearest(text, names)
    return f"did you mean {_alternatives(near)}? All {LISTED} {command}" if near else f"all {LISTED} {command}"


def one_of(names: Sequence[str]) -> str:
    """The names that a text may mean, of which there are several: the first ones, and how many more.

    Example:
      >>> from landscape.study.presets import one_of
      >>> one_of(["mine-5df1f8", "mine-0cdd7d"])
      'mine-5df1f8 or mine-0cdd7d'
    """
    more = len(names) - NAMED
    return _alternatives([*names[:NAMED], f"{more} more"] if more > 0 else names)


def _alternatives(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last
