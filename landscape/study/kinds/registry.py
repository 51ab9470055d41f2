"""The kinds of models that studies accept, by name: those of the package, and those that users register."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar, get_args

from pydantic import BeforeValidator, SerializeAsAny

from landscape.study.examples import Modality
from landscape.study.kinds.base import ModelSpec

KINDS: dict[str, type[ModelSpec]] = {}

Kind = TypeVar("Kind", bound=ModelSpec)


def register_model(kind: type[Kind]) -> type[Kind]:
    """Make a kind of model known, so that `Study.model` accepts it and the form of the app offers it.

    It can stand as a decorator in front of the class, whose name among kinds is the one value of its field `kind`. A
    class that is defined anew at its old place, as when a cell of a notebook runs again, replaces the earlier one.
    Other processes know a kind only once they import the module that registers it: define it in a module of its own if
    the app or Dask's workers are to compute its studies.

    Args:
      kind: a subclass of `landscape.ModelSpec` that implements its abstract methods and has a field such as
        `kind: Literal["name"] = "name"`.

    Returns:
      The class itself.

    Raises:
      ValueError: if another class has the name, or the class lacks a name or some of the methods.

    Example:
      >>> from landscape import register_model
      >>> from landscape.study.kinds import MlpSpec
      >>> @register_model
      ... class Twin(MlpSpec):
      ...     "Another perceptron, without a name of its own."
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
    """The registered kinds of models that read images, or text, by name and in the order of their registration.

    Example:
      >>> from landscape.study.kinds import kinds_reading
      >>> list(kinds_reading("text"))
      ['bert']
    """
    return {name: kind for name, kind in KINDS.items() if kind.modality == modality}


def model_spec(content: Any) -> ModelSpec:
    """The specification of a model from plain data, such as the table `[model]` of a study's file.

    Raises:
      ValueError: if the kind is not registered; the message lists those that are.
      pydantic.ValidationError: if the kind does not allow a value.

    Example:
      >>> from landscape.study.kinds import model_spec
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
