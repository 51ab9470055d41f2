"""How a long computation says how far it is."""

from __future__ import annotations

from collections.abc import Callable

OnProgress = Callable[[int, int], None]  # called with how many steps are done, and with how many there are in all


def ignore_progress(done: int, total: int) -> None:
    """The default of every `on_progress`: nobody is listening."""
