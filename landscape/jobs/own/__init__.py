"""What a study takes from files of one's own, found out before it is computed. No JAX until a module is built."""

from __future__ import annotations

from landscape.analysis import cost
from landscape.data import own
from landscape.data.shapes import examples_of
from landscape.models.weights.bert import check_config_beside
from landscape.models.weights.layouts import SLOTS, check
from landscape.models.weights.reader import tensors_of
from landscape.study import Study
from landscape.study.examples import OwnData
from landscape.study.kinds import BertSpec, OwnSpec
from landscape.study.sources import Weights


def surveyed(study: Study) -> Study:
    """The study with what its own data hold: shapes, classes and counts. Any other study as it is.

    Raises ValueError for data that cannot be used, that are too few, or that its model cannot read, and for weights
    that are not those of its model.
    """
    if isinstance(study.data, OwnData):
        study = study.model_copy(update={"data": own.surveyed(study.data)})
        if study.model.described:
            cost.parameters(study)  # which its model counts for inputs of a shape that it reads
    if study.weights and study.weights.file:
        check_weights(study, study.weights)
    return study


def check_weights(study: Study, weights: Weights) -> None:
    """Raises ValueError unless a file holds the weights of a study's base, as far as that is known without its data.

    How many tokens a text has is known only once it is loaded; a network of another kind has to be built.
    """
    tensors = tensors_of(weights.content())
    if isinstance(study.model, BertSpec):
        check_config_beside(weights.file, study.model)
    elif study.model.kind in SLOTS:
        check(study.model, examples_of(study.data), tensors)


def prepared(study: Study) -> Study:
    """The study with all that its own files tell, so that it can be computed in this process.

    Only what computes at the word of whoever sits here may call it, since it runs the file of a module: the command
    line, which was given the file of the study, and `landscape.run`.

    Raises ValueError as `surveyed` does, and for a module that cannot take part.
    """
    if not isinstance(study.model, OwnSpec):
        return surveyed(study)
    from landscape.jobs.own.described import described

    return described(study)
