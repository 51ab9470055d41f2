"""Options whose values are numbers."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T", int, float)

PROCESSES = 1024  # more than any computer has cores
YEAR = 366 * 86_400.0  # in seconds


def number(
    read: Callable[[str], T], allowed: str, holds: Callable[[T], bool] = lambda value: True
) -> Callable[[str], T]:
    """The type of an option that takes the numbers for which `holds` is true; `allowed` says which these are.

    It raises ArgumentTypeError for any other text.

    >>> from landscape.cli.numbers import number
    >>> number(int, "an even number", lambda n: n % 2 == 0)("3")
    Traceback (most recent call last):
    argparse.ArgumentTypeError: must be an even number (given '3')
    """

    def checked(text: str) -> T:
        try:
            value = read(text)
        except ValueError:
            value = None
        if value is not None and holds(value):
            return value
        raise argparse.ArgumentTypeError(f"must be {allowed} (given {text!r:.80})")

    return checked


processes = number(int, f"a whole number from 1 to {PROCESSES}", lambda n: 1 <= n <= PROCESSES)
seconds = number(float, "a number of seconds, above 0 and up to a year", lambda t: 0 < t <= YEAR)

# which of these there are is said by those who know what they count
size = number(int, "a whole number")
steps = number(int, "a whole number from 1 on")
quantile = number(float, "a number between 0 and 1")
