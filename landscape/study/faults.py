"""What is wrong with a specification, in words: pydantic's faults, each with its place as a file writes it."""

from __future__ import annotations

from pydantic import ValidationError
from pydantic_core import ErrorDetails


def explain(error: ValidationError) -> str:
    """One line per fault: where, what is wrong, which value was given."""
    faults = error.errors(include_url=False)
    places = [fault["loc"] for fault in faults]

    def follows(fault: ErrorDetails) -> bool:
        """A list counts as too short once its items are faulty, which says nothing more."""
        inside = (place for place in places if len(place) > len(fault["loc"]))
        return fault["type"] == "too_short" and any(place[: len(fault["loc"])] == fault["loc"] for place in inside)

    return "\n".join(_explain_one(fault) for fault in faults if not follows(fault))


TAGS = {"data": 1, "candidates": 3}  # where a place names the member of a union, which no file does


def _explain_one(fault: ErrorDetails) -> str:
    path = fault["loc"]
    place = ".".join(str(part) for i, part in enumerate(path) if i != TAGS.get(str(path[0]))) or "study"
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "too_short":
        message = f"needs at least {fault['ctx']['min_length']} entry"
    shown = "" if isinstance(fault["input"], dict) else f" (given {fault['input']!r})"
    return f"{place}: {message[0].lower()}{message[1:]}{shown}"
