"""The fields of a result's record, most of which are attributes of its file as well: what each of them must be."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from landscape.store.sealed import Record
from landscape.study import Study, recorded

TAKEN = "taken"  # how many of its tasks another study had computed, if any
EARLIER = "earlier"  # where its first seeds come from, if not from the same computation: a table for each before it
UPLOADED = "uploaded"  # the time at which somebody brought the file, if somebody did
OF_THE_STUDY = ("key", "name", "title", "study")
NAMED = ("name", "title")
ORIGIN = ("device", "computed", "seconds", "versions")  # where numbers come from
MOST_TEXT, MOST_SECONDS = 1000, 1e12  # which lists can show; 30,000 years
TABLES = ("versions", EARLIER)  # which an attribute holds as JSON


def described(record: Record) -> Study:
    """The study of a record. Raises ValueError that names the first field that is missing or not what it must be."""
    _check(record, (*OF_THE_STUDY, *ORIGIN))
    _check(record, [name for name in (TAKEN, EARLIER, UPLOADED) if name in record])
    study = recorded(record["study"])
    _check_earlier(record.get(EARLIER, []), study.seeds, record["seconds"])
    return study


def origin_in(attributes: Mapping[Any, Any], study: Study) -> dict[str, Any]:
    """The fields of a record that are among the attributes of a result of this study. Raises ValueError likewise."""
    found = {name: attributes[name] for name in (*ORIGIN, TAKEN, EARLIER) if name in attributes}
    record = {name: _plain(name, value) for name, value in found.items()}
    _check(record, list(record))
    _check(attributes, [name for name in NAMED if name in attributes])
    _check_earlier(record.get(EARLIER, []), study.seeds, record.get("seconds", math.inf))
    return record


def _plain(name: str, value: Any) -> Any:
    """The value of an attribute as a record has it."""
    try:
        return json.loads(value) if name in TABLES else value.item() if isinstance(value, np.generic) else value
    except (TypeError, ValueError, RecursionError):
        raise ValueError(f"{name} must be JSON; it is {value!r:.80}") from None


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MOST_TEXT and (not value or value.isprintable())


def _is_time(value: Any) -> bool:
    return isinstance(value, int | float) and 0 <= value <= MOST_SECONDS


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and value > 0


def _is_table(value: Any) -> bool:
    return isinstance(value, dict)


def _are_texts(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_text, value.values()))


def _are_tables(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_table, value))


Allowed = tuple[Callable[[Any], bool], str]  # whether a value is, and what it must be
TEXT: Allowed = (_is_text, f"text, one line of at most {MOST_TEXT} printable characters")
COUNT: Allowed = (_is_count, "a whole number from 1 on")
FIELDS: dict[str, Allowed] = {
    **dict.fromkeys(("key", "name", "title", "device", "computed", UPLOADED), TEXT),
    **dict.fromkeys((TAKEN, "seeds"), COUNT),
    "study": (_is_table, "a table"),
    "seconds": (_is_time, f"a number from 0 to {MOST_SECONDS:g}"),
    "versions": (_are_texts, "a table of texts"),
    EARLIER: (_are_tables, "a list of tables"),
}


def _check(fields: Mapping[str, Any], names: tuple[str, ...] | list[str]) -> None:
    for name in names:
        allowed, what = FIELDS[name]
        if not allowed(fields.get(name)):
            raise ValueError(f"{name} must be {what}; it is {fields.get(name)!r:.80}")


def _check_earlier(origins: list[dict[str, Any]], seeds: int, seconds: float) -> None:
    """Earlier computations have some of the seeds, not all, and took no more time than all together."""
    for origin in origins:
        try:
            _check(origin, ("seeds", *ORIGIN))
        except ValueError as error:
            raise ValueError(f"{EARLIER}: {error}") from None
    for name, whole in (("seeds", seeds - 1), ("seconds", seconds)):
        if (found := sum(origin[name] for origin in origins)) > whole:
            raise ValueError(f"{EARLIER}: {name} can be {whole:g} at most; they are {found:g}")
