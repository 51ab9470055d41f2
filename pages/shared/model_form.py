"""The controls of the base model, made from the fields of its kind: a kind that is registered gets controls at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from landscape.study import explain
from landscape.study.kinds import ModelSpec, kinds_reading, model_spec
from pages.shared.controls import CONTROLS, checked
from pages.shared.widgets import Choices, Control, Number, Switch, Text

Kinds = Mapping[str, type[ModelSpec]]

# The names of the app's other controls beside CONTROLS: the choice of study, and those of the form.
OTHERS = ("study", "data", "network", "group", "expand", "train", "base_epochs", "epochs", "seeds", "permutations")
GREATEST = 2**20  # what a whole number may be at most if its field has no upper bound


def draw() -> ModelSpec:
    """Draw the choice of a kind that reads images, and a control for each of its fields.

    Returns the specification that the controls describe. Raises ValueError that says which value is not allowed.
    """
    kinds = kinds_reading("images")
    about = "  \n".join(f"**{name}**: {(kind.__doc__ or '').splitlines()[0]}" for name, kind in kinds.items())
    kind = checked("network", Choices("Base model", list(kinds), next(iter(kinds)), about, True))
    names = control_names(kinds)
    values = {name: _value(names[kind, name], name, field) for name, field in fields(kinds[kind]).items()}
    try:
        return model_spec({"kind": kind} | values)
    except ValidationError as error:
        raise ValueError(explain(error)) from None


def fields(kind: type[ModelSpec]) -> dict[str, FieldInfo]:
    """The fields of a kind except for its name."""
    return {name: field for name, field in kind.model_fields.items() if name != "kind"}


def control_names(kinds: Kinds) -> dict[tuple[str, str], str]:
    """The name that the control of each (kind, field) has in links.

    It is the name of the field, such as `hidden`, or kind_field where an earlier kind or another control has that name.
    """
    names: dict[tuple[str, str], str] = {}
    for kind, spec in kinds.items():
        for field in fields(spec):
            taken = field in {*CONTROLS, *OTHERS, *names.values()}
            names[kind, field] = f"{kind}_{field}" if taken else field
    return names


def _value(control: str, name: str, field: FieldInfo) -> Any:
    """Draw the control of a field and read its value. Raises ValueError for numbers that cannot be read."""
    label = field.title or name.replace("_", " ").capitalize()
    value = checked(control, control_of(label, field))
    return numbers(label, value) if get_origin(field.annotation) is tuple else value


def control_of(label: str, field: FieldInfo) -> Control:
    """The control for a field, by its type; it starts from the first of the field's `examples`, or from its default.

    Raises ValueError for a type that no control can give, and for a field without a first value.
    """
    if field.is_required() and not field.examples:
        raise ValueError(f"{label}: the field needs a default or `examples`, from which the form starts")
    first: Any = field.examples[0] if field.examples else field.get_default(call_default_factory=True)
    kind, help = get_origin(field.annotation) or field.annotation, field.description
    if kind is bool:
        return Switch(label, first, help)
    if kind is int:
        return Number(label, *_bounds(field), first, help)
    if kind is Literal:
        return Choices(label, get_args(field.annotation), first, help)
    if kind is tuple:
        return Text(label, ", ".join(map(str, first)), help)
    if kind in (float, str):
        return Text(label, str(first), help)
    raise ValueError(f"{label}: the form has no control for a field of type {field.annotation}")


def _bounds(field: FieldInfo) -> tuple[int, int]:
    """The least and the greatest whole number that a field allows."""
    kinds = ("ge", "gt", "le", "lt")
    limits = {kind: int(getattr(bound, kind)) for bound in field.metadata for kind in kinds if hasattr(bound, kind)}
    low = limits.get("ge", limits.get("gt", -GREATEST - 1) + 1)
    high = limits.get("le", limits.get("lt", GREATEST + 1) - 1)
    return low, high


def numbers(label: str, text: str) -> list[int]:
    """Whole numbers separated by commas or blanks. Raises ValueError that names what is not a whole number."""
    parts = re.split(r"[,;\s]+", text.strip())
    if wrong := [part for part in parts if part and not part.isdecimal()]:
        raise ValueError(f"{label}: {wrong[0]!r} is not a whole number; write them like this: 64, 32.")
    return [int(part) for part in parts if part]


def title(spec: ModelSpec) -> str:
    """The name of a kind in text, such as ResNet18."""
    return type(spec).model_config.get("title") or spec.kind
