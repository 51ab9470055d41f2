"""The seeds that a stored result of the same study has already."""

from __future__ import annotations

from landscape.jobs.progress import OnActivity, ignore_activity
from landscape.jobs.tasks.outcome import Outcome
from landscape.store.results import Store


def stored_task(store: Store, key: str, on_activity: OnActivity = ignore_activity) -> Outcome:
    """What the result says of all its seeds. It holds no weights, so no later task can start from its networks.

    Raises ValueError where the result is gone, and DamagedEntry.
    """
    result = store.read(key)
    on_activity("stored", 1, 1)
    return Outcome(result.drop_vars([name for name in result.coords if name not in result.dims]).drop_attrs(), {})
