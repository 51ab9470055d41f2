"""The base class of every part of a specification."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, ClassVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from landscape.study.limits import MOST_LINE

EACH = "*"  # in a path: every element of a list


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be one line of printable characters")
    return text


def written_as(pattern: str, words: str) -> AfterValidator:
    """A text of a form; of any other, the words say what it must be.

    >>> from typing import Annotated
    >>> from landscape.study.base import Frozen, written_as
    >>> class Box(Frozen):
    ...     size: Annotated[str, written_as("[0-9]+ cm", "a size in cm, as in 12 cm")] = "1 cm"
    >>> Box(size="big")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    pydantic_core._pydantic_core.ValidationError: ...must be a size in cm, as in 12 cm...
    """

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"must be {words}")
        return text

    return AfterValidator(check)


OneLine = Annotated[str, Field(max_length=MOST_LINE), AfterValidator(_printable)]
Name = Annotated[str, Field(min_length=1, max_length=MOST_LINE), AfterValidator(_printable)]


class Frozen(BaseModel):
    """A part of a specification, immutable and with finite numbers; an unknown key is an error that lists the keys.

    Attributes:
      unkeyed: the fields on which no number depends, or which follow from others; a study's key leaves them out.
    """

    unkeyed: ClassVar[frozenset[str]] = frozenset()

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, content: Any) -> Any:
        unknown = [key for key in content if key not in cls.model_fields] if isinstance(content, dict) else []
        if unknown:
            raise ValueError(f"unknown key {unknown[0]!r}; the keys are {', '.join(cls.model_fields)}")
        return content

    @field_validator("*", mode="before")
    @classmethod
    def _truth_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        """Pydantic takes true for 1 and 1 for true; in a file, one in place of the other is a slip."""
        annotation = cls.model_fields[str(info.field_name)].annotation
        if annotation is bool and isinstance(value, int | float | str) and not isinstance(value, bool):
            raise ValueError("must be true or false")
        parts = value if isinstance(value, list | tuple) else (value,)
        if any(isinstance(part, bool) for part in parts) and {int, float} & {*types_of(annotation)}:
            raise ValueError("must hold numbers, not true or false" if parts is value else "must be a number")
        return value


def types_of(annotation: Any) -> Iterator[Any]:
    """All types that stand in the annotation of a field.

    Example:
      >>> from landscape.study.base import types_of
      >>> list(types_of(tuple[int, ...] | None))
      [<class 'int'>, Ellipsis, <class 'NoneType'>]
    """
    inner = get_args(annotation)
    yield from (each for part in inner for each in types_of(part)) if inner else (annotation,)


def drop(content: Any, path: Sequence[str], value: Any) -> None:
    """Take the setting at a path out of the content of a specification wherever it has this value.

    Example:
      >>> from landscape.study.base import EACH, drop
      >>> content = {"steps": [{"size": 8, "by": None}, {"size": 9, "by": 1}]}
      >>> drop(content, ("steps", EACH, "by"), None)
      >>> content
      {'steps': [{'size': 8}, {'size': 9, 'by': 1}]}
    """
    first, *rest = path
    if rest:
        for part in content if first == EACH else [content[first]]:
            drop(part, rest, value)
    elif first in content and content[first] == value:
        del content[first]
