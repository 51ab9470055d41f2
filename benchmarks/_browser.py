"""The app in a real Chromium, and how long it takes: a fresh server, a fresh tab, and what a visitor waits for."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).parents[1]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
CHART = ".js-plotly-plot .main-svg"
WAIT = 120_000  # milliseconds, on a machine that does much else
IDLE = "document.querySelector('[data-testid=\"stApp\"]')?.dataset.testScriptState === 'notRunning'"


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser. Raises ValueError where Playwright or Chromium is not installed."""
    try:
        from playwright.sync_api import sync_playwright  # optional: it is among the extras for tests
    except ImportError:
        raise ValueError("this needs Playwright: pip install -e '.[test]'") from None
    if CHROMIUM is None:
        raise ValueError("this needs Chromium or Chrome on the path")
    with sync_playwright() as run:
        browser = run.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@contextmanager
def server(cache: Path) -> Iterator[str]:
    """`streamlit run app.py` on a free port, from its start to its end: its address, at once."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true", f"--server.port={port}"]
    environment = os.environ | {"LANDSCAPE_CACHE": str(cache)}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    try:
        yield f"http://localhost:{port}"
    finally:
        process.terminate()
        process.wait(10)


def answering(address: str) -> None:
    """Wait until a server answers."""
    for _ in range(6000):
        try:
            return urlopen(f"{address}/_stcore/health", timeout=5).close()
        except OSError:
            time.sleep(0.01)
    raise ValueError(f"no server answers at {address}")


def visitor(browser: Browser) -> Page:
    """An empty tab of somebody who was never here."""
    tab = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    tab.set_default_timeout(WAIT)
    tab.goto("about:blank")
    return tab


def painted(tab: Page) -> None:
    """Wait for the first chart."""
    tab.locator(CHART).first.wait_for(timeout=WAIT)


def settled(tab: Page, heading: str = "") -> None:
    """Wait until a page is drawn: its heading is another than `heading`, and nothing runs on the server."""
    changed = "document.querySelector('h1') && document.querySelector('h1').innerText !== before"
    tab.wait_for_function(f"before => {changed} && {IDLE}", arg=heading, timeout=WAIT)
