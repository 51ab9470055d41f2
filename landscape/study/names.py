"""What is said of a name that means no study, or several: the nearest ones, and how to see all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher

OFFERED, NAMED = 3, 6  # names: so many that are like an unknown one, and so many of those that one may mean
ALIKE = 0.6  # the likeness of two names, from 0 to 1, from which on one is offered for the other
LONGEST = 100  # characters of a name that are compared
LISTED = "all names are listed by: python -m landscape list"


def nearest(text: str, names: Iterable[str]) -> list[str]:
    """At most three names that a text may have meant, the likeliest first: they hold it, or are spelt like it.

    Example:
      >>> from landscape.study.names import nearest
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


def none_of(names: Iterable[str], text: str) -> str:
    """How an error ends about a text that is none of these names.

    Example:
      >>> from landscape.study.names import none_of
      >>> none_of(["minibert", "digits-mlp"], "digts-mlp")
      'did you mean digits-mlp? All names are listed by: python -m landscape list'
      >>> none_of(["minibert", "digits-mlp"], "resnet")
      'all names are listed by: python -m landscape list'
    """
    near = nearest(text, names)
    return f"did you mean {_alternatives(near)}? {LISTED[0].upper()}{LISTED[1:]}" if near else LISTED


def one_of(names: Sequence[str]) -> str:
    """The names that a text may mean, of which there are several: the first ones, and how many more.

    Example:
      >>> from landscape.study.names import one_of
      >>> one_of(["mine-5df1f8", "mine-0cdd7d"])
      'mine-5df1f8 or mine-0cdd7d'
    """
    more = len(names) - NAMED
    return _alternatives([*names[:NAMED], f"{more} more"] if more > 0 else names)


def _alternatives(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last
