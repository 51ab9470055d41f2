"""What is wrong with a specification, in words: pydantic's faults, each at the place where a file has it."""

from __future__ import annotations

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
      patience: input should be greater than or equal to 1 (given 0)
    """
    faults = error.errors(include_url=False)
    places = [fault["loc"] for fault in faults]

    def follows(fault: ErrorDetails) -> bool:
        """Pydantic calls a list too short once its items are faulty, which adds nothing."""
        inside = (place for place in places if len(place) > len(fault["loc"]))
        return fault["type"] == "too_short" and any(place[: len(fault["loc"])] == fault["loc"] for place in inside)

    return "\n".join(_explain_one(fault) for fault in faults if not follows(fault))


TAGS = {"data": 1, "candidates": 3}  # the position at which pydantic inserts the member of a union, which no file has


def _explain_one(fault: ErrorDetails) -> str:
    path = fault["loc"]
    place = ".".join(str(part) for i, part in enumerate(path) if i != TAGS.get(str(path[0]))) or "study"
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "too_short":
        least = fault["ctx"]["min_length"]
        message = f"needs at least {least} {'entry' if least == 1 else 'entries'}"
    shown = "" if isinstance(fault["input"], dict) else f" (given {_short(fault['input'])})"
    return f"{place}: {message[0].lower()}{message[1:]}{shown}"


def _short(value: object) -> str:
    """The value; a list or number of a thousand digits would bury what is wrong with it."""
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:80]} …"
