"""What a study takes from files of one's own, found out before it is computed. Imports no JAX until it is called."""

from __future__ import annotations

from landscape.analysis import cost
from landscape.data import own
from landscape.study import Study
from landscape.study.examples import OwnData


def surveyed(study: Study) -> Study:
    """The study with what its own data hold: shapes, classes and counts. Any other study as it is.

    Raises ValueError for data that cannot be used, that are too few, or that its model cannot read.
    """
    if not isinstance(study.data, OwnData):
        return study
    study = study.model_copy(update={"data": own.surveyed(study.data)})
    cost.parameters(study)  # which its model counts for inputs of a shape that it reads
    return study
