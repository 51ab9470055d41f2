"""Computing beside the app, in other processes, by Dask: `connect`, `Jobs` and `Progress`.

The names are looked up when they are first used, as Dask takes a second to import.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

HOMES = {"Jobs": "client", "connect": "client", "Progress": "progress", "run": "local"}

__all__ = ["Jobs", "Progress", "connect", "run"]


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{HOMES[name]}"), name)
