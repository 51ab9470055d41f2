"""The app's server is killed while a study computes: the engine goes on, and whoever comes next sees the same study.

`python -m pytest -m long`; a visitor is a WebSocket that says what a browser would say.
"""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import xarray as xr
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from landscape.store.results import PARTS, Store
from landscape.store.shared import TASKS
from landscape.study import from_toml
from pages.shared.library import label
from tests.test_kills import KILLS, PATIENCE, SEED, Kept, engine_of, engines, undisturbed, untimed

websockets = pytest.importorskip("websockets.sync.client", reason="a visitor needs websockets")

ROOT = Path(__file__).parents[1]
STARTS = ("Start", "Continue")
ENGINE = 10.0  # seconds that an engine takes to start, in which a server can be killed as well

__all__ = ["engines", "undisturbed"]  # fixtures


@contextmanager
def served(cache: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A server of the app, which is killed at the end, and its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true", f"--server.port={port}"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.STDOUT}
    server = subprocess.Popen(command, cwd=ROOT, env=os.environ | {"LANDSCAPE_CACHE": str(cache)}, **quiet)
    try:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with suppress(OSError):
                urlopen(f"http://localhost:{port}/_stcore/health", timeout=5).close()
                break
            time.sleep(0.1)
        yield server, port
    finally:
        server.kill()
        server.wait()


def connected(port: int) -> Any:
    """A session of its own."""
    return websockets.connect(f"ws://localhost:{port}/_stcore/stream", subprotocols=["streamlit"], max_size=None)


class Visitor:
    """A session on the page of a study."""

    def __init__(self, socket: Any, study: str):
        self._socket, self._query = socket, f"study={study}"
        self._ask()

    def _ask(self, button: str = "") -> None:
        message = BackMsg()
        message.rerun_script.page_name, message.rerun_script.query_string = "study", self._query
        if button:
            message.rerun_script.widget_states.widgets.add(id=button, trigger_value=True)
        self._socket.send(message.SerializeToString())

    def buttons(self) -> dict[str, str]:
        """The buttons that the page shows once it is drawn, by their labels; no page shows a traceback."""
        found = {}
        while True:
            message = ForwardMsg()
            message.ParseFromString(self._socket.recv(timeout=PATIENCE))
            element = message.delta.new_element
            assert not element.HasField("exception"), element.exception.message
            if element.HasField("button"):
                found[element.button.label] = element.button.id
            if message.HasField("script_finished"):
                return found

    def start(self) -> None:
        """Press the button that has the study computed, where there is one."""
        there = self.buttons()
        for each in STARTS:
            if each in there:
                self._ask(there[each])


@pytest.mark.long
def test_the_app_killed_while_a_study_computes(
    undisturbed: tuple[Path, xr.Dataset, float], tmp_path: Path, engines: list[Path]
) -> None:
    (file, result, longest), rng, cache = undisturbed, random.Random(SEED + 2), tmp_path / "cache"
    engines.append(cache)
    study, store, kept, finished = from_toml(file), Store(cache), Kept(cache), 0
    for number in range(KILLS // 3 + 1):
        store.parts(study).note_study()  # so that the page knows it
        with served(cache) as (server, port), connected(port) as session:
            Visitor(session, label(study)).start()
            time.sleep(rng.uniform(0, longest + ENGINE))
            server.kill()
        kept.check()
        assert len(engine_of(cache)) <= 2, "one that was killed while it started may be idle beside the next"
        until = time.monotonic() + (PATIENCE if number == KILLS // 3 else 0)
        while study.key not in store and time.monotonic() < until:
            time.sleep(0.5)
        if study.key in store:
            finished += 1
            xr.testing.assert_identical(untimed(store.read(study.key)), result)
            for each in (TASKS, PARTS, study.key):
                shutil.rmtree(cache / each, ignore_errors=True)
            kept = Kept(cache)
    assert finished and not store.verify().damaged and not list(cache.rglob(".tmp-*"))
