"""The app's side of computing: ask for a study, hear how far it is, stop it. Never imports JAX."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

from distributed import Client, Event, fire_and_forget

from landscape.jobs import engine
from landscape.jobs.dask_worker import NEWS, REPORTS, Deaths, identity, run_study
from landscape.jobs.progress import News, Progress, Report, Tally
from landscape.store.results import Store
from landscape.study import Study

TIMEOUT = 10.0  # seconds to reach a scheduler


class Jobs:
    """Studies being computed for one cache folder; safe to share between threads, so between browser sessions.

    Reaches the scheduler at `address`, or the engine of the cache folder, which `submit` starts where it is not
    alive. The workers must see the cache folder under the same path.
    """

    def __init__(self, store: Store, address: str | None = None):
        self.store = store
        self._address = address
        self._client: Client | None = None
        self._tallies: dict[str, Tally] = {}
        self._connecting, self._counting = threading.Lock(), threading.Lock()

    def submit(self, study: Study) -> None:
        """Have a study computed, unless it is stored or being computed already; whoever asks shares one computation.

        Outcomes that a cancelled or failed attempt left behind are used. Raises Unwritable, EngineError, or
        OSError where there is no scheduler at the address given.
        """
        if study.key in self.store:
            return
        client = self._connected()
        attempt = next(
            number
            for number in itertools.count(self._attempt(study.key))
            if not Event(identity(study.key, number), client).is_set()
        )
        self._tell(client, News(study.key, attempt, "waiting", time.time(), time.time()))
        fire_and_forget(
            client.submit(run_study, study, str(self.store.root), attempt, key=identity(study.key, attempt), priority=1)
        )

    def cancel(self, key: str) -> None:
        """Stop a study soon, at the next report of its running tasks; what is finished of it is kept."""
        progress, client = self.progress(key), self._client
        if progress and progress.active and client:
            attempt = self._attempt(key)
            Event(identity(key, attempt), client).set()
            self._tell(client, News(key, attempt, progress.state, time.time(), time.time(), stopping=True))

    def progress(self, key: str) -> Progress | None:
        """Where a study stands: None if nobody has asked for it and it is not stored."""
        with self._counting:
            tally = self._tallies.get(key)
            progress = tally.progress() if tally else None
        if progress and progress.active and not self._alive():
            return progress._replace(state="failed", stage="failed", left=None, error="the engine has ended")
        if progress is None and key in self.store:
            return Progress("done", "done", 1.0, left=0.0)
        return progress

    def running(self) -> dict[str, Progress]:
        """Where each study stands that is waiting or being computed, by key."""
        found = {key: self.progress(key) for key in list(self._tallies)}
        return {key: progress for key, progress in found.items() if progress and progress.active}

    def close(self) -> None:
        """Let go of the scheduler; what it computes goes on."""
        if self._client:
            self._client.close()

    def join(self) -> None:
        """Listen to the scheduler at the address given, or to the cache folder's engine if it is alive."""
        with self._connecting:
            if self._address:
                self._listen(self._address)
            elif address := engine.address(self.store.root):
                with contextlib.suppress(OSError):  # it ended just now, or something else listens there
                    self._listen(address)

    def _connected(self) -> Client:
        """The client, reaching for a scheduler anew where the last one has ended."""
        with self._connecting:
            if not self._alive():
                self._listen(self._address or engine.started(self.store.root))
            assert self._client is not None
            return self._client

    def _alive(self) -> bool:
        return self._client is not None and self._client.status == "running"

    def _listen(self, address: str) -> None:
        """Hear what happens from now on, then what has happened so far: a tally passes over what comes late."""
        self.close()
        client = Client(address, timeout=TIMEOUT, set_as_default=False)
        client.register_plugin(Deaths())
        self._client, self._tallies = client, {}
        past = []
        for topic in (NEWS, REPORTS):
            client.subscribe_topic(topic, partial(self._receive, topic))
            past += [(event, topic) for event in client.get_events(topic)]
        for event, topic in sorted(past, key=lambda each: each[0][0]):
            self._receive(topic, event)

    def _receive(self, topic: str, event: tuple[float, dict[str, Any]]) -> None:
        """Dask adds fields of its own to an event."""
        kind: type[News] | type[Report] = News if topic == NEWS else Report
        at, fields = event
        self._hear(kind(**{name: fields[name] for name in kind._fields}), at)

    def _hear(self, message: News | Report, at: float | None = None) -> None:
        with self._counting:
            self._tallies.setdefault(message.study, Tally()).hear(message, at)

    def _tell(self, client: Client, news: News) -> None:
        self._hear(news)
        client.log_event(NEWS, news._asdict())

    def _attempt(self, key: str) -> int:
        with self._counting:
            return self._tallies[key].attempt if key in self._tallies else 0


def connect(cache: str | Path | None = None, address: str | None = None) -> Jobs:
    """The studies being computed for a cache folder, `None` for the default one.

    Joins the folder's engine where it is alive; else the first study submitted starts it. With `address`, an
    existing Dask scheduler is used. Raises OSError where there is none.
    """
    jobs = Jobs(Store(cache), address)
    jobs.join()
    return jobs
