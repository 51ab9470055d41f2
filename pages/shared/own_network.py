"""A trained network of one's own: the controls of what is asked about it, and the study that they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import streamlit as st
import xarray as xr
from pydantic import ValidationError

from landscape.analysis.cost import work
from landscape.analysis.wording import enumeration
from landscape.data import available
from landscape.data.shapes import examples_of
from landscape.models.weights.bert import PLACES, vocabulary_of
from landscape.models.weights.layouts import check
from landscape.models.weights.reader import Tensors, tensors_of
from landscape.models.weights.sizes import check_kind, model_of
from landscape.study import MINIMUM_WIDTH, Study
from landscape.study.examples import TEXTS, DataSpec, TextSpec
from landscape.study.faults import explain, faults_of
from landscape.study.files import in_the_tokens_of
from landscape.study.kinds import KINDS, BertSpec, ModelSpec, model_spec
from landscape.study.schema import study_of
from landscape.study.sources import Vocabulary, Weights
from landscape.study.writing.notation import candidates_from
from pages.shared import own_uploads
from pages.shared.controls import EXAMPLE, NETWORK, OF_THE_DATA, Values, checked
from pages.shared.own_study import in_words
from pages.shared.show import plain

LENGTH = 128  # of a sequence, at most
FACTORS = (1.25, 1.5, 2, 3)
SHOWN = 5  # layers in the sentence on what a file holds
AFFORDED = 2.5e13  # multiply-adds until M₀ is known: about ten minutes of two cores

KINDS_READ = (
    "What can be read: an MLP, a CNN of 3×3 convolutions, torchvision's ResNet18 with a 3×3 stem, and a BERT for "
    "masked language modelling."
)
ASSUMED = {  # what no name and no shape tells, by the kind of the model
    "mlp": "ReLU behind each hidden layer",
    "cnn": "ReLU behind each hidden layer, padding of 1 and one 2×2 max-pooling, in front of the dense layers",
    "resnet18": "a stem of stride 1 without max-pooling",
    "bert": "the exact GELU, and a LayerNorm behind each sum",
}

Table = dict[str, Any]  # of a study's file


class Reading(NamedTuple):
    """How the file of a network can be read: the data and the model, by the name of a data set that fits.

    Where none fits, `reason` says why: what is wrong with the file, or a sentence for each reason of some sets.
    """

    fits: dict[str, tuple[Table, Table]]
    reason: str = ""


class Scale(NamedTuple):
    """How much is measured: examples, those of them to validate on, the batch, steps of a walk and repetitions."""

    examples: int
    validation: int
    batch: int
    steps: int
    seeds: int


SCALES = {  # the first that is afforded, else the last
    "images": (
        Scale(10_000, 2_000, 512, 1000, 3),
        Scale(10_000, 2_000, 512, 250, 3),
        Scale(2_000, 500, 256, 250, 3),
        Scale(1_000, 250, 128, 100, 3),
        Scale(500, 125, 64, 100, 1),
        Scale(250, 64, 32, 50, 1),
    ),
    "text": (
        Scale(256, 64, 32, 250, 3),
        Scale(256, 64, 32, 100, 3),
        Scale(128, 32, 16, 100, 1),
        Scale(64, 16, 8, 50, 1),
    ),
}


def asked() -> Study | None:
    """Draw the fields for files and the controls, and return the study that they are; None for the example.

    Raises ValueError for what the controls, or the file, do not allow.
    """
    networks = own_uploads.weights()
    if (net := _drawn("net", {"kept": own_uploads.listed(networks)})) == EXAMPLE:
        return None
    weights = networks[net]
    reading = read(weights.sha256, weights.file, tuple(available()))
    if not reading.fits:
        raise ValueError(reading.reason)
    name = _drawn("net_data", {"sets": list(reading.fits)})
    data, model = reading.fits[name]
    if model["kind"] == "bert":
        data = data | _tokens(own_uploads.vocabularies(data["vocabulary"]))
    heads = _drawn("net_heads", {"heads": model.get("heads")})
    return _study(weights, data, model | ({"heads": heads} if heads else {}))


def _tokens(fitting: dict[str, Vocabulary]) -> Table:
    """Choose the vocabulary that the text is read in: what that changes in the data."""
    chosen = _drawn("net_tokens", {"tokens": own_uploads.listed(fitting)})
    return {} if chosen == OF_THE_DATA else in_the_tokens_of(fitting[chosen])


def _drawn(name: str, values: Values) -> Any:
    control = NETWORK[name](values)
    return checked(name, control) if control else None


def _study(weights: Weights, data: Table, model: Table) -> Study:
    """The study about a network, from the rest of the controls. Raises ValueError."""
    sizes = _spec(model).group_sizes()
    groups = [name for name, size in sizes.items() if size >= MINIMUM_WIDTH]
    if not groups:
        raise ValueError(
            f"None of the layers of this network can be permuted: a walk takes {MINIMUM_WIDTH} units or more, and they "
            f"have {_listed(sizes)}."
        )
    group = _drawn("net_group", {"groups": groups})
    usual = "; ".join(f"{group} × {factor:g}" for factor in FACTORS)
    scale = afforded(weights, data, model, group, usual)
    candidates = _drawn("net_candidates", {"candidates": usual})
    scale = scale._replace(steps=_drawn("net_steps", {"steps": scale.steps}))
    scale = scale._replace(seeds=_drawn("net_seeds", {"seeds": scale.seeds}))
    return study_about(weights, data, model, group, candidates, scale)


def _spec(model: Table) -> ModelSpec:
    try:
        return model_spec(model)
    except ValidationError as error:
        raise ValueError(f"{explain(error)}.") from None


def afforded(weights: Weights, data: Table, model: Table, group: str, candidates: str) -> Scale:
    """The largest scale at which M₀ is known in a few minutes."""
    scales = SCALES["text" if model["kind"] == "bert" else "images"]
    for scale in scales[:-1]:
        needed = work(study_about(weights, data, model, group, candidates, scale))
        if needed.train + needed.barriers <= AFFORDED:
            return scale
    return scales[-1]


def study_about(weights: Weights, data: Table, model: Table, group: str, candidates: str, scale: Scale) -> Study:
    """The study that measures M₀ of the candidates of a network. Raises ValueError for what it does not allow."""
    train = min(scale.examples, data["train_size"])
    content = {
        "name": f"{data['name'].replace('/', '-')}-{model['kind']}-given",
        "title": f"A trained {titled(model['kind'])} on {data['name']}",
        "data": data | {"train_size": train, "validation_size": min(scale.validation, data["validation_size"])},
        "model": model,
        "candidates": candidates_from(candidates),
        "training": {"batch_size": min(32, train), "epochs": 0},
        "walk": {
            "group": group,
            "permutations": scale.steps,
            "batch_size": min(scale.batch, train),
            "nodes": 2,
            "surface": 0,
        },
        "seeds": scale.seeds,
        "control": False,
        "weights": weights,
    }
    try:
        return Study.model_validate(content)
    except ValidationError as error:
        raise ValueError(" ".join(in_words(fault, content) for fault in faults_of(error))) from None


@st.cache_data(max_entries=16, show_spinner="Reading the network.")
def read(sha256: str, _file: str, sets: tuple[str, ...]) -> Reading:
    """How a file can be read, for each data set. Raises ValueError for a file that is not what it was."""
    tensors = tensors_of(Weights(sha256=sha256, file=_file).content())
    try:
        check_kind(tensors)
    except ValueError as error:
        return Reading({}, f"This network cannot be read here: {error}. {KINDS_READ}")
    texts, fits = vocabulary_of(tensors) > 0, {}
    unfit: dict[str, list[str]] = {}  # names of sets by the reason, since several often have the same
    for name in (each for each in sets if (each in TEXTS) == texts):
        try:
            data = _text(name, tensors) if texts else _images(name)
            model = model_of(tensors, examples_of(data))
            check(model, examples_of(data), tensors)
            fits[name] = data.model_dump(mode="json"), model.model_dump(mode="json")
        except ValueError as error:
            unfit.setdefault(str(error), []).append(name)
    reasons = " ".join(f"{enumeration(names)}: {error}." for error, names in unfit.items())
    return Reading(
        fits,
        f"No data set that is prepared here fits this network. {reasons} On the command line, python -m landscape data "
        "NAME prepares another one.",
    )


def _images(name: str) -> DataSpec:
    """A part of the images of a set. Raises ValueError where it is not known how many it has."""
    count = examples_of(DataSpec(name=name)).labelled
    most = SCALES["images"][0]
    validation = min(most.validation, max(1, count // 3))
    return DataSpec(name=name, train_size=min(most.examples, count - validation), validation_size=validation)


def _text(name: str, tensors: Tensors) -> TextSpec:
    """A part of a text, in as many tokens as the network knows, and in sequences as long as it can read."""
    own = tensors.get("places.embedding")
    places = own or tensors.get(PLACES)
    length = places.shape[0] if places and own else min(LENGTH, places.shape[0] if places else LENGTH)
    most = SCALES["text"][0]
    sizes = {"train_size": most.examples, "validation_size": most.validation}
    return TextSpec(name=name, sequence_length=length, vocabulary=vocabulary_of(tensors), **sizes)  # type: ignore[arg-type]


def titled(kind: str) -> str:
    """What people call a kind of model."""
    return KINDS[kind].model_config.get("title") or kind


def found_in_words(study: Study) -> str:
    """What the shapes in a file say that it holds."""
    kind = study.model.kind
    batch, what = study.walk.batch_size, "sequences" if study.data.modality == "text" else "images"
    return (
        f"By its names and shapes, the file holds the weights of this network: {titled(kind)}, with "
        f"{_listed(study.model.group_sizes())}. They do not tell all: it is taken to have {ASSUMED[kind]}. Barriers "
        f"are measured on a batch of {batch} {what}."
    )


def _listed(sizes: Mapping[str, int]) -> str:
    shown = [f"{size} units in {name}" for name, size in list(sizes.items())[:SHOWN]]
    return enumeration(shown + [f"{len(sizes) - SHOWN} more"] * (len(sizes) > SHOWN))


def reading_in_words(dataset: xr.Dataset) -> str:
    """The loss and the accuracy of a network that was brought, beside those of a guess, and what may be wrong."""
    study = study_of(dataset)
    loss, accuracy = (
        float(dataset[f"base_validation_{name}"].isel(base_epoch=0).mean()) for name in ("loss", "accuracy")
    )
    classes = examples_of(study.data).classes
    what = "masked tokens of the validation text" if study.data.modality == "text" else "validation images"
    told = (
        f"As it was read, the network predicts {100 * accuracy:.1f} % of the {what} of {plain(study.data.name)} "
        f"correctly, with a loss of {loss:.3g} nats; a guess has {100 / classes:.2g} % and {np.log(classes):.3g} nats."
    )
    return told if loss < np.log(classes) else f"{told} **{doubt(study)}**"


def doubt(study: Study) -> str:
    """What may be wrong with a network that is no better than a guess."""
    if isinstance(study.data, TextSpec) and study.data.tokens:
        return (
            "It is no better than a guess, so look before you trust M₀: is this the vocabulary that it was trained "
            "with, and does it predict masked tokens?"
        )
    if isinstance(study.model, BertSpec):
        return (
            "It is no better than a guess: a BERT knows its own vocabulary, and the text here is in another one, so "
            "that M₀ says nothing about what it has learnt. Upload its vocab.txt beside it."
        )
    return (
        "It is no better than a guess, so look before you trust M₀: was it trained on this data set, with pixels "
        f"scaled as here, with the classes in this order, and with {ASSUMED[study.model.kind]}?"
    )
