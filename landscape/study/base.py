"""The base class of every part of a specification."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, model_validator


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
