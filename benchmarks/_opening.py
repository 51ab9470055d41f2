"""How fast the app opens in a browser: from the command to the first chart, again, and from page to page."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from benchmarks._browser import ROOT, answering, chromium, painted, server, settled, visitor

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

LINK = '[data-testid="stSidebarNavLink"]'
BYTES = "performance.getEntriesByType('resource').reduce((all, each) => all + each.transferSize, 0)"
LARGEST = 6  # packages whose imports are named
COLD = "cold start to the first chart (s)"
STEPS = {
    "… Python, Streamlit and the app's frame start (s)": ("begun", "answered"),
    "… the browser loads Streamlit's program and connects (s)": ("answered", "connected"),
    "… the page begins to run, to the first words (s)": ("connected", "worded"),
    "… the result is read and the figure made (s)": ("worded", "sent"),
    "… the browser loads Plotly and draws (s)": ("sent", "painted"),
}


class Opened(NamedTuple):
    """What was measured: what, on which page, each time in seconds, and at most how many it should take."""

    what: str
    page: str
    seconds: list[float]
    aim: float | None = None


def opening(cache: Path, quick: bool) -> list[Opened]:
    """Everything that a visitor waits for, and what the first visit is spent on. Raises ValueError without a
    browser.
    """
    with chromium() as browser:
        if quick:
            return _gathered("", [_start(browser, cache, "")])
        starts = {page: [_start(browser, cache, page) for _ in range(3)] for page in ("", "study")}
        steps = [each for page, found in starts.items() for each in _gathered(page, found)]
        return [*steps, *_imports(), *_within(browser, cache)]


def _gathered(page: str, starts: list[dict[str, float]]) -> list[Opened]:
    """The steps of the starts that opened a page."""
    return [
        Opened(what, page or "home", [steps[what] for steps in starts], 6.0 if what == COLD else None)
        for what in starts[0]
    ]


def _start(browser: Browser, cache: Path, page: str) -> dict[str, float]:
    """One cold start: a new server and a tab with nothing kept; the steps on the way to the first chart."""
    tab = visitor(browser)
    marks = {"begun": time.perf_counter()}

    def mark(name: str) -> None:
        marks.setdefault(name, time.perf_counter())

    tab.on("websocket", lambda _: mark("connected"))
    tab.on("request", lambda each: mark("sent") if "PlotlyChart" in each.url else None)
    with server(cache) as address:
        answering(address)
        mark("answered")
        tab.goto(f"{address}/{page}", wait_until="commit")
        tab.locator("h1").first.wait_for()
        mark("worded")
        painted(tab)
        mark("painted")
        megabytes = tab.evaluate(BYTES) / 1e6
    tab.context.close()
    marks["worded"] = min(marks["worded"], marks["sent"])  # a figure may come with the words
    steps = {what: marks[after] - marks[before] for what, (before, after) in STEPS.items()}
    return {COLD: marks["painted"] - marks["begun"], **steps, "… MB sent to the browser": megabytes}


def _imports() -> list[Opened]:
    """Which packages the imports of the app are spent on, in seconds, as Python itself says."""
    command = [sys.executable, "-X", "importtime", "-c", "import app, landscape.figures, landscape.figures.lessons"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stderr
    spent: Counter[str] = Counter()
    for microseconds, module in re.findall(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\w+)", said):
        spent[module] += int(microseconds)
    rows = [("all", spent.total()), *spent.most_common(LARGEST)]
    return [Opened("imports (s)", package, [taken / 1e6]) for package, taken in rows]


def _within(browser: Browser, cache: Path) -> list[Opened]:
    """Reloads and changes of page on a server that runs."""
    with server(cache) as address:
        answering(address)
        tab = visitor(browser)
        tab.goto(f"{address}/study")
        painted(tab)
        settled(tab)
        reloads = [_reload(tab) for _ in range(5)]
        rounds = [_round(tab) for _ in range(4)]
        tab.context.close()
    first, *others = [dict(each) for each in rounds]
    return [
        Opened("warm reload to the first chart (s)", "study", reloads, 1.5),
        *(Opened("first visit of a page (s)", page, [taken]) for page, taken in first.items()),
        *(Opened("change of page (s)", page, [each[page] for each in others], 0.5) for page in first),
    ]


def _reload(tab: Page) -> float:
    start = time.perf_counter()
    tab.reload(wait_until="commit")
    painted(tab)
    return time.perf_counter() - start


def _round(tab: Page) -> list[tuple[str, float]]:
    """Every page by the navigation, one after the other, until each is drawn."""
    found = []
    for i in range(tab.locator(LINK).count()):
        link = tab.locator(LINK).nth(i)
        name = Path(urlsplit(link.get_attribute("href") or "").path).name or "home"
        if (Path(urlsplit(tab.url).path).name or "home") == name:
            continue
        before = tab.locator("h1").first.inner_text()
        start = time.perf_counter()
        link.click()
        settled(tab, before)
        found.append((name, time.perf_counter() - start))
    return found
