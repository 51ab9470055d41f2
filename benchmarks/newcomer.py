"""A stranger's path through the app in a real browser: an answer with a slider moved, then a study of their own.

The study is the preset digits-mlp with two seeds, started from the form. All times are from `streamlit run app.py`, at
the speed of a program that knows where to click.
"""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks._browser import WAIT, answering, chromium, painted, server, settled, visitor

if TYPE_CHECKING:
    from playwright.sync_api import Page

LONG = 20 * WAIT  # milliseconds for a study, on a machine that does much else
TINY = "&n=20&training.epochs=1&training.base_epochs=1&walk.permutations=20&candidates=hidden1 → 8"
AIMS = {
    "the first chart": 6,
    "a slider moved on a real study": 10,
    "the first numbers of an own study": 40,
    "its end": 60,
}


def run(quick: bool) -> list[dict[str, Any]]:
    """One row for each station of the path: its seconds and the most that they should be."""
    with tempfile.TemporaryDirectory() as cache, chromium() as browser:
        tab, begun = visitor(browser), time.perf_counter()
        with server(Path(cache)) as address:
            answering(address)
            times = [time.perf_counter() - begun for _ in _path(tab, address, TINY if quick else "")]
        tab.context.close()
    return [
        {"from the start to": what, "seconds": round(seconds, 1), "aim": aim, "": "missed" if seconds > aim else ""}
        for (what, aim), seconds in zip(AIMS.items(), times, strict=True)
    ]


def _path(tab: Page, address: str, further: str) -> Iterator[None]:
    """Go the path; a value is given at each station."""
    tab.goto(address, wait_until="commit")
    painted(tab)
    yield
    before = tab.locator("h1").first.inner_text()
    tab.get_by_role("link", name="See an answer").click()
    settled(tab, before)
    slider = tab.get_by_test_id("stSlider").filter(has_text="Quantile q").get_by_role("slider")
    slider.focus()
    tab.keyboard.press("ArrowLeft")
    tab.wait_for_url(re.compile("q=0.39"), timeout=WAIT)
    settled(tab)
    yield
    tab.goto(f"{address}/new?seeds=2{further}")
    tab.get_by_role("button", name="Start computing").click(timeout=WAIT)
    tab.get_by_text(re.compile("^(So far, [1-9]|Computed on)")).first.wait_for(timeout=LONG)
    yield
    tab.get_by_text(re.compile("^Computed on")).first.wait_for(timeout=LONG)
    yield
