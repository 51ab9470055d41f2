"""The data of a study, shared by all tasks of a process."""

from __future__ import annotations

from functools import lru_cache
from threading import Lock

from landscape.data import Data, load
from landscape.study.examples import DataSpec

_loading = Lock()
_load_once = lru_cache(maxsize=2)(load)


def examples(spec: DataSpec) -> Data:
    """The data that a specification names. A process loads them once, even if several of its threads ask together."""
    with _loading:
        return _load_once(spec)
