"""What a new choice in the form brings with it, so that what is chosen next always fits what was chosen before."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from landscape.data.shapes import examples_of, image_examples
from landscape.study.examples import TEXTS, DataSpec, Examples, Modality, TextSpec
from landscape.study.kinds import ModelSpec, kinds_reading, model_spec
from landscape.study.presets import presets
from landscape.study.study import MINIMUM_WIDTH
from landscape.study.writing.ways import Candidates, sizes_after, ways

VALIDATION = 10_000  # images at most: Table 1
LEFT = 1000  # images that a set of less than twice VALIDATION leaves for training, or two thirds of a small one
MOST_TRAINED = 10_000  # images that a new set starts with

ADAPTED = ("model", "candidates", "training", "walk")

Content = dict[str, Any]


def adapt(content: Content, name: str) -> None:
    """Bring a content in line with the value of this name that has just been chosen."""
    if name == "data.name":
        _adapt_to_data(content)
    if name in ("data.name", "model.kind") or name.startswith("model."):
        fit_candidates(content)


def first_model(kind: type[ModelSpec], **changes: Any) -> Content:
    """The content that the form starts a kind of model with: each field's first example, or else its default."""
    found = {
        name: field.examples[0] if field.examples else field.get_default(call_default_factory=True)
        for name, field in kind.model_fields.items()
    }
    return kind.model_validate(found | changes).model_dump(mode="json")


def modality(content: Content) -> Modality:
    """Whether the data are images or text."""
    return "text" if content["data"].get("name") in TEXTS else "images"


def named_models(modality: Modality) -> dict[str, Content]:
    """The base models that the form offers for images or for text, by name.

    A kind with a field that has neither a default nor an example, such as the path of a file, is not for the app.
    """
    found: dict[str, Content] = {}
    for name, kind in kinds_reading(modality).items():
        if all(field.examples or not field.is_required() for field in kind.model_fields.values()):
            published = kind.named or {kind.model_config.get("title") or name: {}}
            found |= {name: first_model(kind, **changes) for name, changes in published.items()}
    return found


def model_of(content: Content) -> ModelSpec | None:
    """The base model, where its description allows what was chosen."""
    try:
        return model_spec(content["model"])
    except (ValidationError, ValueError):
        return None


def examples_in(content: Content) -> Examples | None:
    """What one example of the data looks like, where that is known."""
    try:
        kind = TextSpec if content["data"].get("name") in TEXTS else DataSpec
        return examples_of(kind.model_validate(content["data"]))
    except (ValidationError, ValueError):
        return None


def ways_of(content: Content) -> dict[str, Candidates]:
    """The ready-made sets of candidates for the base model."""
    model, examples = model_of(content), examples_in(content)
    try:
        return ways(model, examples) if model else {}
    except ValueError:  # the model cannot read such examples
        return ways(model) if model else {}


def groups_to_walk(content: Content) -> list[str]:
    """The groups of the base with enough units to be permuted."""
    model = model_of(content)
    return [name for name, size in model.group_sizes().items() if size >= MINIMUM_WIDTH] if model else []


def fit_candidates(content: Content) -> None:
    """Replace candidates that the base cannot take, or a group that it does not have, by the first that fit."""
    model, groups = model_of(content), groups_to_walk(content)
    if model is None:
        return
    if groups and content["walk"]["group"] not in groups:
        content["walk"]["group"] = groups[0]
    if content["walk"]["statistics"] == "re-estimated" and not model.batch_norm:
        content["walk"]["statistics"] = "interpolated"
    found = ways_of(content)
    if found and not all(sizes_after(model, candidate) for candidate in _listed(content)):
        content["candidates"] = found.get(f"{content['walk']['group']} wider", next(iter(found.values())))


def walk_what_widens(content: Content) -> None:
    """Permute a group that the candidates change, if they change any that can be permuted."""
    model, walked = model_of(content), content["walk"]["group"]
    if model is None:
        return
    base, after = model.group_sizes(), [sizes_after(model, candidate) or {} for candidate in _listed(content)]
    widened = [name for name in groups_to_walk(content) if any(sizes.get(name) != base[name] for sizes in after)]
    if widened and walked not in widened:
        content["walk"]["group"] = widened[0]


def _listed(content: Content) -> Candidates:
    """The candidates; what could not be read as such is left to the specification, which says what is wrong."""
    found = content["candidates"]
    return [] if isinstance(found, str) else found


def _adapt_to_data(content: Content) -> None:
    """Sizes that the set allows; for text instead of images, all settings of a preset that reads such data."""
    name = content["data"]["name"]
    reads, model = modality(content), model_of(content)
    if reads == "images" and model and model.modality == reads:
        content["data"] = DataSpec(name=name, **_sizes(name)).model_dump(mode="json")
    else:
        usual = next(study for study in presets().values() if study.data.modality == reads)
        same = [study for study in presets().values() if study.data.name == name] or [usual]
        plainest = min(same, key=lambda study: len(study.name))  # names say what is special
        content |= {table: value for table, value in plainest.model_dump(mode="json").items() if table in ADAPTED}
        content["data"] = plainest.data.model_dump(mode="json") | {"name": name}
        if reads == "images":
            content["data"] |= _sizes(name)
    size = content["data"]["train_size"]
    for table in ("training", "walk") if size else ():
        content[table]["batch_size"] = min(content[table]["batch_size"], size)


def _sizes(name: str) -> dict[str, int]:
    """How many images of a set train and validate at first; nothing where the set is not known here."""
    try:
        count = image_examples(name).labelled
    except ValueError:
        return {}
    validation = validation_size(count)
    return {"train_size": max(1, min(count - validation, MOST_TRAINED)), "validation_size": validation}


def validation_size(count: int) -> int:
    """The images for validation, out of so many: at least one, and one is left for training, where there are two."""
    return min(VALIDATION, max(1, count - min(LEFT, 2 * count // 3)))
