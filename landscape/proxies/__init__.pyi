from ._grad_norm import grad_norm
from ._grasp import grasp
from ._jacov import jacov
from ._measure import Measurement, timed_scores
from ._network import TokenModel
from ._parameters import parameters
from ._snip import snip
from ._synflow import synflow

__all__ = [
    "Measurement",
    "TokenModel",
    "grad_norm",
    "grasp",
    "jacov",
    "parameters",
    "snip",
    "synflow",
    "timed_scores",
]
