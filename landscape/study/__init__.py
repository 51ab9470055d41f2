"""What to compute, and the shape of its result: specifications, presets and the schema. Imports no other package."""

from landscape.study.faults import explain
from landscape.study.files import from_toml
from landscape.study.settings import Expansion, Training, Walk
from landscape.study.study import MINIMUM_WIDTH, SCHEMA, Study, recorded, validated

__all__ = [
    "MINIMUM_WIDTH",
    "SCHEMA",
    "Expansion",
    "Study",
    "Training",
    "Walk",
    "explain",
    "from_toml",
    "recorded",
    "validated",
]
