"""What is wrong with a specification, in words: pydantic's faults, each at the place where a file has it."""

from __future__ import annotations

from typing import NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails


def explain(error: ValidationError) -> str:
    """A line for each fault: its place, what is wrong, and the value that was given.

    Example:
      >>> from landscape.study import Training, explain
      >>> from pydantic import ValidationError
      >>> try:
      ...     Training(patience=0)
      ... except ValidationError as error:
      ...     print(explain(error))
      patience: must be at least 1 (given 0)
    """
    return "\n".join(map(str, faults_of(error)))


class Fault(NamedTuple):
    """One thing that is wrong with a specification.

    Attributes:
      place: the keys and positions that lead to it in a study's file; empty for the study as a whole.
      message: what is wrong, without the place and the value.
      given: the value, shortened; empty where it is the whole table in which something is missing or does not fit.
    """

    place: tuple[str | int, ...]
    message: str
    given: str

    def __str__(self) -> str:
        shown = f" (given {self.given})" if self.given else ""
        return f"{'.'.join(map(str, self.place)) or 'study'}: {self.message}{shown}"


def faults_of(error: ValidationError) -> list[Fault]:
    """What is wrong, fault by fault, for those who have another name for each place than a file has.

    Example:
      >>> from landscape.study import Training
      >>> from landscape.study.faults import faults_of
      >>> from pydantic import ValidationError
      >>> try:
      ...     Training(patience=0)
      ... except ValidationError as error:
      ...     print(faults_of(error)[0].place)
      ('patience',)
    """
    faults = error.errors(include_url=False)
    places = [fault["loc"] for fault in faults]

    def follows(fault: ErrorDetails) -> bool:
        """Pydantic calls a list too short once its items are faulty, which adds nothing."""
        inside = (place for place in places if len(place) > len(fault["loc"]))
        return fault["type"] == "too_short" and any(place[: len(fault["loc"])] == fault["loc"] for place in inside)

    return [_fault(fault) for fault in faults if not follows(fault)]


WORDS = {  # by the type of a fault, for those of which pydantic speaks in terms of Python; with its context
    "missing": "is missing",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
    "finite_number": "must be a finite number",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number of fewer digits",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be a text",
    "string_too_long": "must have {max_length} or fewer characters",
    "string_too_short": "must not be empty",
    "tuple_type": "must be a list",
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
    "literal_error": "must be {expected}",
    "too_short": "must have {min_length} or more entries",
    "too_long": "must have {max_length} or fewer entries; it has {actual_length}",
}
TAGS = {"data": 1, "candidates": 3}  # the position at which pydantic inserts the member of a union, which no file has


def _fault(fault: ErrorDetails) -> Fault:
    path = fault["loc"]
    place = tuple(part for i, part in enumerate(path) if i != TAGS.get(str(path[0])))
    words = WORDS.get(fault["type"])
    message = fault["msg"].removeprefix("Value error, ") if words is None else words.format(**fault.get("ctx", {}))
    whole = isinstance(fault["input"], dict) and fault["type"] not in WORDS.keys() - {"missing"}
    return Fault(place, message[:1].lower() + message[1:], "" if whole else _short(fault["input"]))


def _short(value: object) -> str:
    """The value; a table, or a list or number of a thousand digits, would bury what is wrong with it."""
    text = "a table" if isinstance(value, dict) else repr(value)
    return text if len(text) <= 100 else f"{text[:80]} …"
