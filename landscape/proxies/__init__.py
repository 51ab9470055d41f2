"""Zero-cost proxies: what one batch and a backward pass or two say about a network, without training it.

`PREDICTORS` describes all predictors of the performance gain, these and the others; it does not need JAX, and
importing this package does not load it. The functions load it when they are first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from landscape.proxies.table import PREDICTORS, Predictor

if TYPE_CHECKING:
    from landscape.proxies._grad_norm import grad_norm
    from landscape.proxies._grasp import grasp
    from landscape.proxies._jacov import jacov
    from landscape.proxies._measure import Measurement, Walked, measure, timed_scores, timed_walk
    from landscape.proxies._network import TokenModel
    from landscape.proxies._parameters import parameters
    from landscape.proxies._snip import snip
    from landscape.proxies._synflow import synflow

__all__ = [
    "PREDICTORS",
    "Measurement",
    "Predictor",
    "TokenModel",
    "Walked",
    "grad_norm",
    "grasp",
    "jacov",
    "measure",
    "parameters",
    "snip",
    "synflow",
    "timed_scores",
    "timed_walk",
]

_HOMES = {
    "Measurement": "_measure",
    "TokenModel": "_network",
    "Walked": "_measure",
    "timed_scores": "_measure",
    "timed_walk": "_measure",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, f'_{name}')}"), name)
