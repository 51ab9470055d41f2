"""What has been computed from a result, kept for as long as the result is open.

One page asks for the same gain a dozen times, and moving a slider changes only some of what a page shows. Nothing is
kept unless somebody asks for it by `keeping`, and thereby promises not to change the results meanwhile.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from threading import Lock
from typing import Any, Concatenate, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
Source = TypeVar("Source")  # a result, or what was made of one, such as a figure

MOST = 1024  # values of one result, of some 40 kB each; the one that was not used for longest goes first


class Kept:
    """Values by the object that they were computed from, a result mostly; they are dropped together with it."""

    def __init__(self) -> None:
        self._values: dict[int, OrderedDict[Any, Any]] = {}
        self._lock = Lock()

    def get(self, source: object, key: Any, compute: Callable[[], T]) -> T:
        """The value under a key, computed if it is not there."""
        with self._lock:
            values = self._of(source)
            if key in values:
                values.move_to_end(key)
                return values[key]
        found = compute()
        with self._lock:
            values[key] = found
            if len(values) > MOST:
                values.popitem(last=False)
        return found

    def __len__(self) -> int:
        return sum(map(len, self._values.values()))

    def _of(self, source: object) -> OrderedDict[Any, Any]:
        """The values of an object. It is known by its identity, which is free for another once it is gone."""
        if id(source) not in self._values:
            self._values[id(source)] = OrderedDict()
            weakref.finalize(source, self._values.pop, id(source), None)
        return self._values[id(source)]


_KEPT: ContextVar[Kept | None] = ContextVar("kept", default=None)


@contextmanager
def keeping(kept: Kept | None = None) -> Iterator[None]:
    """Within the block, functions that are `derived` take from `kept` what is there and leave there what is not.

    By default they use what a block around this one keeps, or else keep for this block alone.
    """
    outer = _KEPT.get()
    token = _KEPT.set(kept if kept is not None else outer if outer is not None else Kept())
    try:
        yield
    finally:
        _KEPT.reset(token)


def derived(function: Callable[Concatenate[Source, P], T]) -> Callable[Concatenate[Source, P], T]:
    """Marks a pure function of a result, or of what was made of one, whose values nobody changes.

    Further arguments are hashable, or lists of what is.

    Example:
      >>> import xarray as xr
      >>> from landscape.store.derived import Kept, derived, keeping
      >>> @derived
      ... def doubled(result, name):
      ...     print("computed")
      ...     return 2 * result[name].item()
      >>> result = xr.Dataset({"a": 1})
      >>> with keeping(Kept()):
      ...     doubled(result, "a") + doubled(result, "a")
      computed
      4
    """

    @wraps(function)
    def found(source: Source, *args: P.args, **kwargs: P.kwargs) -> T:
        kept = _KEPT.get()
        if kept is None:
            return function(source, *args, **kwargs)
        key = (function, *map(_hashable, args), *((name, _hashable(kwargs[name])) for name in sorted(kwargs)))
        return kept.get(source, key, lambda: function(source, *args, **kwargs))

    return found


def _hashable(argument: object) -> Hashable:
    return tuple(argument) if isinstance(argument, list) else argument
