"""Loss-landscape connectivity and the manifold metric of model expansion (Malviya et al., arXiv 2405.15895).

Looking at results needs no JAX, and importing this package does not load it: each name below is loaded from
its module when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from landscape import proxies
    from landscape.align import match
    from landscape.barrier import midpoint_barriers
    from landscape.cut import Cut
    from landscape.expand import deepen, widen
    from landscape.jobs.local import run
    from landscape.lines import interpolate
    from landscape.metric import best_gain, gain, manifold_metric, manifold_size, performance, threshold
    from landscape.shipped import preset, presets
    from landscape.store import open_study
    from landscape.study import Study, from_toml
    from landscape.units import Axis, Group
    from landscape.walk import compose, draw_swaps, permute

_HOMES = {
    "align": ("match",),
    "barrier": ("midpoint_barriers",),
    "cut": ("Cut",),
    "expand": ("deepen", "widen"),
    "jobs.local": ("run",),
    "lines": ("interpolate",),
    "metric": ("best_gain", "gain", "manifold_metric", "manifold_size", "performance", "threshold"),
    "store": ("open_study",),
    "shipped": ("preset", "presets"),
    "study": ("Study", "from_toml"),
    "units": ("Axis", "Group"),
    "walk": ("compose", "draw_swaps", "permute"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Axis",
    "Cut",
    "Group",
    "Study",
    "best_gain",
    "compose",
    "deepen",
    "draw_swaps",
    "from_toml",
    "gain",
    "interpolate",
    "manifold_metric",
    "manifold_size",
    "match",
    "midpoint_barriers",
    "open_study",
    "performance",
    "permute",
    "preset",
    "presets",
    "proxies",
    "run",
    "threshold",
    "widen",
]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name == "proxies":
        return import_module("landscape.proxies")
    if name not in _HOME:
        raise AttributeError(f"module 'landscape' has no attribute {name!r}")
    return getattr(import_module(f"landscape.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
