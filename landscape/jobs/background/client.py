"""The app's side of computing: ask for a study, follow how far it is, stop it. Never imports JAX."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from distributed import Client, Event, Security, fire_and_forget
from distributed.comm import get_address_host_port, parse_address
from distributed.comm.registry import get_backend

from landscape.jobs.attempt import Attempt
from landscape.jobs.background import engine
from landscape.jobs.background.names import folder_name, identity, pausing, topic
from landscape.jobs.background.worker import DeathNotices, run_study
from landscape.jobs.guard import alike, attendance, credentials
from landscape.jobs.guard.fits import check_fits
from landscape.jobs.guard.passing_over import PassingOver
from landscape.jobs.guard.patience import within
from landscape.jobs.progress import Progress, Refusal, StudyUpdate, Tally, TaskUpdate, Update
from landscape.store.parts.pauses import pause, paused_at
from landscape.store.places import children
from landscape.store.results import PARTS, Store
from landscape.store.uploads import with_kept_files
from landscape.study import Study

TIMEOUT = 10.0  # seconds to reach a scheduler, and for its answer to anything that is asked
FAREWELL = 2.0  # seconds to take leave of one


class Jobs:
    """The studies being computed for one cache folder. Threads may share it, and so may the sessions of a server.

    It reaches the scheduler at `address`, or else the engine of the cache folder, which `submit` starts where none is
    alive. The workers must see the cache folder under the same path.
    """

    def __init__(self, store: Store, address: str | None = None):
        self.store = store
        self._address = address
        self._client: Client | None = None
        self._tallies: dict[str, Tally] = {}
        self._heard = attendance.Heard()
        self._connecting, self._counting = threading.Lock(), threading.Lock()

    def submit(self, study: Study, expected: float = 0.0) -> None:
        """Have a study computed, unless it is stored. All who ask for the same study share one computation.

        `expected` is the wall time in seconds that it is expected to take, from which the time left is told; 0 where
        nobody knows.

        Outcomes that a cancelled or failed attempt left behind are used. Raises Unwritable, EngineError, OSError where
        there is no scheduler at the address given or it does not answer, or ValueError where the study's weights are
        not on this computer, it runs code of one's own, which no other process is sent, or it does not fit its examples
        or this computer.
        """
        if study.refusal:
            raise ValueError(f"{study.name} is not computed here: {study.refusal}")
        if study.key in self.store:
            return
        check_fits(study, self.store, elsewhere=bool(self._address))
        study = with_kept_files(self.store.root, study)
        client = self._connected()
        within(2 * TIMEOUT, "the scheduler", partial(self._ask_for, client, study, expected))

    def _ask_for(self, client: Client, study: Study, expected: float) -> None:
        number = next(  # an attempt that has ended is not joined, nor one that was asked to stop
            number
            for number in itertools.count(self._next_attempt(study.key))
            if not Event(self._identity(study.key, number), client).is_set()
        )
        now = time.time()
        self._publish(client, StudyUpdate(study.key, number, "waiting", now, now, expected=expected))
        attempt = Attempt(study, self.store, number)
        attempt = replace(attempt, asker=alike.asker(attempt))
        fire_and_forget(client.submit(run_study, attempt, key=self._identity(study.key, number), priority=1))

    def cancel(self, key: str) -> None:
        """Stop a study soon, at the next update of its running tasks. The outcomes that it has finished are kept.

        Raises TimeoutError where the scheduler does not answer.
        """
        self._stop(key)

    def pause(self, key: str) -> None:
        """Stop a study as `cancel` does, and let it be known as paused, also to those who come later.

        `submit` goes on with it, and so does whoever else computes it.
        """
        progress = self.progress(key)
        self._stop(key, pause=True)
        if progress and progress.active:
            pause(self._kept(key), progress.fraction)

    def _stop(self, key: str, pause: bool = False) -> None:
        progress, client = self.progress(key), self._client
        if progress and progress.active and client:
            within(2 * TIMEOUT, "the scheduler", partial(self._ask_to_stop, client, key, progress, pause))

    def _ask_to_stop(self, client: Client, key: str, progress: Progress, pause: bool) -> None:
        attempt, now = self._attempt(key), time.time()
        name = self._identity(key, attempt)
        if pause:
            Event(pausing(name), client).set()
        Event(name, client).set()
        self._publish(client, StudyUpdate(key, attempt, progress.state, now, now, stopping=True))

    def progress(self, key: str) -> Progress | None:
        """Where a study stands, or None if nobody has asked for it and it is not stored."""
        with self._counting:
            tally = self._tallies.get(key)
            progress = tally.progress() if tally else None
        if progress and progress.active and not self._alive():
            return progress._replace(state="failed", activity="failed", left=None, error="the engine has ended")
        if progress and progress.active and (trouble := self._heard.trouble(progress.refused)):
            return progress._replace(activity=trouble, left=None, trouble=trouble)
        if progress is None and key in self.store:
            return Progress("done", "done", 1.0, left=0.0)
        if progress is None and (fraction := paused_at(self._kept(key))) is not None:
            return Progress("paused", "paused", fraction)
        return progress

    def _kept(self, key: str) -> Path:
        return self.store.root / PARTS / key

    def known(self) -> dict[str, Progress]:
        """Where each study stands, by key, that the scheduler was asked for since it started, or that is paused."""
        paused = [folder.name for folder in children(self.store.root / PARTS) if paused_at(folder) is not None]
        found = {key: self.progress(key) for key in dict.fromkeys([*self._tallies, *paused])}
        return {key: progress for key, progress in found.items() if progress}

    def close(self) -> None:
        """Disconnect from the scheduler, which goes on computing."""
        if self._client:
            with contextlib.suppress(TimeoutError):
                self._client.close(FAREWELL)

    def join(self) -> None:
        """Connect to the scheduler at the address given, or to the cache folder's engine if it is alive."""
        with self._connecting:
            if self._address:
                self._listen(self._address)
            elif address := engine.address(self.store.root):
                with contextlib.suppress(OSError):  # it ended just now, or something else listens there
                    self._listen(address)

    def _connected(self) -> Client:
        """A client that is connected, to a new scheduler where the last one has ended."""
        with self._connecting:
            if not (self._alive() and self._heard.answers):
                self._listen(self._address or engine.started(self.store.root))
            assert self._client is not None
            return self._client

    def _alive(self) -> bool:
        return self._client is not None and self._client.status == "running"

    def _listen(self, address: str) -> None:
        """Subscribe to new updates, then read the old ones: a tally passes over what it hears twice or late."""
        self.close()
        security = Security() if self._address else credentials.of_engine(self.store.root / ".engine")
        check_address(address, security)
        within(2 * TIMEOUT, address, partial(self._subscribe, address, security))

    def _subscribe(self, address: str, security: Security) -> None:
        client = Client(address, timeout=TIMEOUT, security=security, set_as_default=False)
        self._heard = attendance.Heard()
        for plugin in (DeathNotices(), attendance.Attendance(), PassingOver()):
            client.register_plugin(plugin)
        client.subscribe_topic(attendance.TOPIC, self._heard)
        self._client, self._tallies = client, {}
        past = []
        for kind in (StudyUpdate, TaskUpdate, Refusal):
            client.subscribe_topic(self._topic(kind), partial(self._receive, kind))
            past += [(event, kind) for event in client.get_events(self._topic(kind))]
        for event, kind in sorted(past, key=lambda each: each[0][0]):
            self._receive(kind, event)

    def _receive(self, kind: type[Update], event: tuple[float, dict[str, Any]]) -> None:
        logged_at, fields = event
        own = {name: fields[name] for name in kind._fields}  # Dask has added fields of its own
        self._add(kind(**own), logged_at)

    def _add(self, update: Update, logged_at: float | None = None) -> None:
        with self._counting:
            self._tallies.setdefault(update.study, Tally()).add(update, logged_at)

    def _publish(self, client: Client, update: StudyUpdate) -> None:
        self._add(update)
        client.log_event(self._topic(StudyUpdate), update._asdict())

    def _identity(self, key: str, attempt: int) -> str:
        return identity(folder_name(self.store.root), key, attempt)

    def _topic(self, kind: type[Update]) -> str:
        return topic(folder_name(self.store.root), kind)

    def _next_attempt(self, key: str) -> int:
        """The newest attempt, or the one after it once it has ended: Dask may still have its tasks, and reruns none."""
        with self._counting:
            if not (tally := self._tallies.get(key)):
                return 0
            progress = tally.progress()
            return tally.attempt + (progress is not None and not progress.active)

    def _attempt(self, key: str) -> int:
        with self._counting:
            return self._tallies[key].attempt if key in self._tallies else 0


def check_address(address: str, security: Security) -> None:
    """Raise OSError for an address that no client can use, of which Dask's own client would not let go for long."""
    try:
        scheme, _ = parse_address(address)
        get_backend(scheme)
        get_address_host_port(address)
    except ValueError as error:
        raise OSError(str(error)) from None
    if scheme == "tls" and security.get_connection_args("client")["ssl_context"] is None:
        raise OSError("Dask's configuration names no certificate and key for TLS (distributed.comm.tls)")


def connect(cache: str | Path | None = None, address: str | None = None) -> Jobs:
    """The studies being computed for a cache folder; None is the default folder.

    Connects to the folder's engine where it is alive; otherwise the first study submitted starts it. With `address`,
    the Dask scheduler there is used instead. Raises OSError where there is none.
    """
    jobs = Jobs(Store(cache), address)
    jobs.join()
    return jobs
