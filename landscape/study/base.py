"""The base class of every part of a specification."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, model_validator

EACH = "*"  # in a path: every element of a list


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
