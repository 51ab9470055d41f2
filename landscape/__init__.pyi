from . import proxies
from .analysis.control import excess_gain
from .analysis.metric import manifold_metric, manifold_size, threshold
from .analysis.performance import best_gain, gain, performance
from .barriers.interpolation import interpolate
from .barriers.midpoint import midpoint_barriers
from .barriers.walk import compose, draw_swaps, permute
from .barriers.weight_matching import match
from .data import Examples, ImageSet, register_images
from .jobs.local import run
from .models.cut import Cut
from .models.net2net import deepen, widen
from .models.symmetry import Axis, Group
from .models.tracing.symmetries import Symmetries, symmetries, traced
from .models.weights.own import load_weights, save_weights
from .store.results import open_study
from .study.files import from_toml
from .study.kinds import Layer, ModelSpec, register_model
from .study.predictors import Predictor, register_proxy
from .study.presets import preset, presets
from .study.study import Study

__all__ = [
    "Axis",
    "Cut",
    "Examples",
    "Group",
    "ImageSet",
    "Layer",
    "ModelSpec",
    "Predictor",
    "Study",
    "Symmetries",
    "best_gain",
    "compose",
    "deepen",
    "draw_swaps",
    "excess_gain",
    "from_toml",
    "gain",
    "interpolate",
    "load_weights",
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
    "register_images",
    "register_model",
    "register_proxy",
    "run",
    "save_weights",
    "symmetries",
    "threshold",
    "traced",
    "widen",
]

__version__: str
