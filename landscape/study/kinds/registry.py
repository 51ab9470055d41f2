"""The kinds of models that studies accept, by name: those of the package, and those that users register."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar, get_args

from pydantic import BeforeValidator, SerializeAsAny

from landscape.study.examples import Modality
from landscape.study.kinds.base import ModelSpec

KINDS: dict[str, type[ModelSpec]] = {}

Kind = TypeVar("Kind", bound=ModelSpec)


def register_model(kind: type[Kind]) -> type[Kind]:
    """Make a kind of model known, so that `Study.model` accepts it; also a class decorator.

    Its name is the one value of the field `kind`. A class that is defined anew under its old name, as when a cell of a
    notebook runs again, replaces the earlier one. Other processes know a kind only once they import the module that
    registers it: define one in a module of its own if Dask's workers or the app are to compute its studies.

    Args:
        kind: a subclass of `ModelSpec` that implements its abstract methods and has a field `kind: Literal["name"]`.

    Returns:
        The class itself.

    Raises ValueError for a name that another class has, and for a class without a name or some of the methods.

    >>> from landscape import register_model
    >>> from landscape.study.kinds import MlpSpec
    >>> @register_model
    ... class Twin(MlpSpec):
    ...     "Another perceptron, which forgot to take a name of its own."
    Traceback (most recent call last):
    ValueError: a model of kind 'mlp' is registered already: landscape.study.kinds.mlp.MlpSpec; choose another name
    """
    name = _name(kind)
    if missing := sorted(kind.__abstractmethods__):
        raise ValueError(f"{kind.__qualname__} lacks the methods {', '.join(missing)} of a kind of model")
    known = KINDS.get(name)
    if known and _place(known) != _place(kind):
        raise ValueError(f"a model of kind {name!r} is registered already: {_place(known)}; choose another name")
    KINDS[name] = kind
    return kind


def _name(kind: type[ModelSpec]) -> str:
    """The one value of the field `kind`."""
    values = get_args(kind.model_fields["kind"].annotation)
    if len(values) != 1 or not isinstance(values[0], str):
        raise ValueError(f"{kind.__qualname__} needs a name: a field such as kind: Literal['name'] = 'name'")
    return values[0]


def _place(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def kinds_reading(modality: Modality) -> dict[str, type[ModelSpec]]:
    """The registered kinds of models that read images, or text, by name in the order of their registration.

    >>> from landscape.study.kinds.registry import kinds_reading
    >>> list(kinds_reading("text"))
    ['bert']
    """
    return {name: kind for name, kind in KINDS.items() if kind.modality == modality}


def model_spec(content: Any) -> ModelSpec:
    """The specification of a model from plain data, as in the table `[model]` of a study's file.

    Raises ValueError that lists the registered kinds for an unknown one, and pydantic's ValidationError, which is a
    ValueError too, for numbers that the kind does not allow.

    >>> from landscape.study.kinds.registry import model_spec
    >>> model_spec({"kind": "mlp", "hidden": [6]})
    MlpSpec(kind='mlp', hidden=(6,))
    """
    if isinstance(content, ModelSpec):
        return content
    name = content.get("kind") if isinstance(content, dict) else None
    if not isinstance(name, str) or name not in KINDS:
        what = "a model is a table with a known kind" if name is None else f"unknown kind {name!r}"
        raise ValueError(f"{what}; the kinds are {', '.join(map(repr, KINDS))}")
    return KINDS[name].model_validate(content)


AnyModel = Annotated[SerializeAsAny[ModelSpec], BeforeValidator(model_spec)]
