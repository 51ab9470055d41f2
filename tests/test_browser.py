"""The app in a real Chromium, served by a server of its own: what only a browser can show."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from urllib.request import urlopen

import pytest
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from waiting import PATIENCE, eventually

from landscape.analysis.scorecard import CLAIMS
from landscape.cli.report import html_report
from landscape.jobs.background import engine
from landscape.jobs.background.client import connect
from landscape.store.results import open_study
from pages.shared.lesson import LESSONS
from pages.shared.running import PERIOD
from pages.shared.show import NARROWEST

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.compiled_quickly,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]

ROOT = Path(__file__).parents[1]
PAGES = [path.stem for path in (ROOT / "pages").glob("*/*.py") if path.parent.name != "shared"]
WAIT = 1000 * PATIENCE  # milliseconds for whatever a page is to show: only a test that fails takes them
AXE = os.environ.get("AXE")  # the file axe.min.js of the npm package axe-core


@contextmanager
def server(cache: Path) -> Iterator[str]:
    """A fresh server of the app on a free port: its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true", f"--server.port={port}"]
    environment = os.environ | {"LANDSCAPE_CACHE": str(cache)}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    address = f"http://localhost:{port}"
    try:
        eventually(lambda: healthy_at(address), lambda: process.poll())
        yield address
    finally:
        process.terminate()
        process.wait(PATIENCE)


def healthy_at(address: str) -> bool:
    """Whether a server answers there that it is well."""
    try:
        with urlopen(f"{address}/_stcore/health", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Iterator[Path]:
    """The folder of the server. The engine that a test has started in it ends, or it would go on for minutes."""
    folder = tmp_path_factory.mktemp("cache")
    yield folder
    if engine.address(folder):
        connect(folder)._client.shutdown()


@pytest.fixture(scope="module")
def address(cache) -> Iterator[str]:
    with server(cache) as found:
        yield found


@pytest.fixture(scope="module")
def browser():
    playwright.expect.set_options(timeout=WAIT)
    with playwright.sync_playwright() as run:
        browser = run.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-background-networking", "--disable-gpu"]
        )
        yield browser
        browser.close()


def opened(browser, **options):
    """A visitor of its own, whose every wait is as long as a busy machine may need."""
    context = browser.new_context(**options)
    context.set_default_timeout(WAIT)
    return context


@pytest.fixture
def tab(browser):
    context = opened(browser, viewport={"width": 1280, "height": 900})
    yield context.new_page()
    context.close()


def settled(tab) -> None:
    """Wait until a page has its heading and the server has nothing more to say."""
    playwright.expect(tab.get_by_role("heading", level=1)).to_be_visible()
    playwright.expect(tab.get_by_test_id("stStatusWidget")).to_have_count(0)


def healthy(tab) -> None:
    assert tab.get_by_test_id("stException").all_inner_texts() == []


def slide(tab, label: str, steps: int) -> None:
    """Move a slider by keys."""
    handle = tab.get_by_test_id("stSlider").filter(has_text=label).get_by_role("slider")
    handle.focus()
    for _ in range(abs(steps)):
        tab.keyboard.press("ArrowLeft" if steps < 0 else "ArrowRight")
    settled(tab)


def arrived(tab, link) -> None:
    """Wait until the page of a link in the side bar is there."""
    name = link.inner_text().splitlines()[-1]
    playwright.expect(tab).to_have_url(re.compile(f"/{PurePosixPath(link.get_attribute('href')).name}"))
    playwright.expect(tab).to_have_title(re.compile(f"^{re.escape(name)} · "))
    settled(tab)


def test_a_walk_through_the_app_on_a_telephone(address, browser):
    """By the navigation to every page, each with a title of its own, and back by one press a page; all from here.

    Nothing fails, and nothing is wider than the screen.
    """
    context, outside, titles = opened(browser, viewport={"width": 400, "height": 800}), [], []
    tab = context.new_page()
    tab.on("request", lambda request: outside.append(request.url) if address not in request.url else None)
    tab.goto(address)
    settled(tab)
    playwright.expect(tab.get_by_role("heading", level=1)).to_have_text("Is a larger network worth it?")
    links = tab.get_by_test_id("stSidebarNavLink")
    playwright.expect(links).to_have_count(len(PAGES))
    for i in [*range(1, len(PAGES)), 0]:
        links.nth(i).dispatch_event("click")  # in the side bar, which is closed
        arrived(tab, links.nth(i))
        healthy(tab)
        titles.append(tab.title())
        wide = tab.evaluate("document.querySelector('[data-testid=\"stMain\"]').scrollWidth")
        assert wide <= 400, f"{tab.url} is {wide} pixels wide"
    assert len(set(titles)) == len(titles)
    for i in (len(PAGES) - 1, len(PAGES) - 2):
        tab.go_back()
        playwright.expect(tab).to_have_url(re.compile(f"/{PurePosixPath(links.nth(i).get_attribute('href')).name}"))
    context.close()
    assert [url for url in outside if not url.startswith(("data:", "blob:"))] == []


def swiped(tab, touch, chart) -> bool:
    """Swipe up over a chart: whether the page moved. A swipe over a chart that is drawn anew meanwhile goes nowhere."""
    box = chart.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    for kind, way in (("touchStart", 0), *(("touchMove", 10 * step) for step in range(1, 15))):
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y - way}]})
        tab.wait_for_timeout(20)
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    return tab.evaluate("""() => document.querySelector("[data-testid=stMain]").scrollTop > 50""")


def test_a_swipe_over_a_chart_moves_the_page_of_a_telephone(address, browser):
    agent = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/120.0 Mobile Safari/537.36"
    size = {"width": 390, "height": 844}
    context = opened(browser, viewport=size, is_mobile=True, has_touch=True, user_agent=agent)
    tab = context.new_page()
    for page in ("study", "graph"):
        tab.goto(f"{address}/{page}")
        settled(tab)
        chart = tab.locator(".js-plotly-plot .nsewdrag").first
        playwright.expect(chart).to_be_visible()
        touch = context.new_cdp_session(tab)
        eventually(partial(swiped, tab, touch, chart), partial(str, f"the page {page} in its place"))
    context.close()


def test_back_keeps_what_was_chosen(address, tab):
    tab.goto(f"{address}/barriers")
    settled(tab)
    slide(tab, "Quantile q", -20)
    playwright.expect(tab).to_have_url(re.compile("q=0.2"))
    tab.get_by_test_id("stSidebarNavLink").filter(has_text="Sensitivity").click()
    playwright.expect(tab).to_have_url(re.compile("/sensitivity"))
    settled(tab)
    tab.go_back()
    playwright.expect(tab).to_have_url(re.compile("/barriers.*q=0.2"))
    settled(tab)
    healthy(tab)


def test_a_visit_is_one_entry_of_the_history(address, tab):
    """Whatever its address says: a default, a study that a card leads to, what pages have put there before."""
    tab.add_init_script(
        "history.pushState = new Proxy(history.pushState, {apply: (f, self, given) => {"
        "(window.pushed ??= []).push(given[2]); return f.apply(self, given)}})"
    )
    pushed = "(() => { const found = window.pushed ?? []; window.pushed = []; return found })()"

    def visited(label: str, query: str) -> None:
        playwright.expect(tab).to_have_title(re.compile(f"^{label} · "), timeout=WAIT)
        settled(tab)
        playwright.expect(tab).to_have_url(re.compile(f"{re.escape(query)}$"))

    def go(label: str, query: str) -> None:
        """By the navigation to a page that keeps the address, as one entry."""
        tab.get_by_test_id("stSidebarNavLink").filter(has_text=label).click()
        visited(label, query)
        assert len(tab.evaluate(pushed)) == 1

    tab.goto(f"{address}/barriers?study=digits-mlp&pool=all&scale=log")
    visited("Barriers", "scale=log")
    assert tab.evaluate(pushed) == []
    slide(tab, "Quantile q", -20)
    playwright.expect(tab).to_have_url(re.compile("q=0.2"))
    query = re.sub(r".*\?", "", tab.url)
    for label in ("Permuted copies", "Barriers", "Try my network", "Home"):  # those between have neither q nor scale
        go(label, query)
    tab.get_by_test_id("stPageLink").filter(has=tab.get_by_text("tinybert", exact=True)).click()
    visited("Study · tinybert", "/study?study=tinybert")
    assert len(tab.evaluate(pushed)) == 1
    slider = tab.get_by_test_id("stSlider").filter(has_text="Quantile q").get_by_role("slider")
    playwright.expect(slider).to_have_value("0.4")
    go("Barriers", "/barriers?study=tinybert")
    playwright.expect(slider).to_have_value("0.4")
    for label, found in (("Study · tinybert", "=tinybert"), ("Home", query), ("Try my network", query)):
        tab.go_back()
        visited(label, found)
    tab.go_back()
    visited("Barriers", query)
    playwright.expect(slider).to_have_value("0.2")
    assert tab.evaluate(pushed) == []
    healthy(tab)


def test_pages_asked_for_in_haste_keep_the_address(address, tab):
    """Each as soon as the one before it has its title, long before that is drawn."""
    query = "study=tinybert&scale=log"
    tab.goto(f"{address}/barriers?{query}")
    settled(tab)
    for label in ("Home", "Barriers", "Permuted copies", "Barriers", "Home", "Scorecard", "Home", "Barriers"):
        tab.get_by_test_id("stSidebarNavLink").filter(has_text=label).click()
        playwright.expect(tab).to_have_title(re.compile(f"^{label} · "))
    settled(tab)
    assert set(tab.url.partition("?")[2].split("&")) == set(query.split("&"))
    healthy(tab)


@pytest.mark.parametrize("lesson", [lesson.name for lesson in LESSONS])
def test_a_projector_shows_the_picture_of_a_lesson_and_what_plays_it_at_once(address, tab, lesson):
    """1920×1080 at 200 %, in speaker view."""
    tab.set_viewport_size({"width": 960, "height": 540})
    tab.goto(f"{address}/{lesson}?speaker=true")
    playwright.expect(tab.locator(".js-plotly-plot .main-svg").first).to_be_visible()
    settled(tab)
    place = "(found) => found.map((each) => each.getBoundingClientRect()).map(({top, bottom}) => [top, bottom])"
    plots = tab.locator(".js-plotly-plot .nsewdrag").evaluate_all(place)
    play = tab.locator(".js-plotly-plot .updatemenu-button").evaluate_all(place)
    assert plots and max(bottom for _, bottom in plots) < 540
    assert all(bottom <= top for _, bottom in play for top, _ in plots)
    assert play or tab.get_by_test_id("stSlider").first.bounding_box()["y"] < 540


def test_a_click_on_a_cell_chooses_its_q_and_n(address, tab):
    tab.set_viewport_size({"width": 1280, "height": 1400})
    tab.goto(f"{address}/sensitivity")
    playwright.expect(tab.locator(".js-plotly-plot .main-svg").first).to_be_visible()
    settled(tab)
    place = """() => {
        const chart = document.querySelector(".js-plotly-plot"), {xaxis, yaxis} = chart._fullLayout
        const plot = chart.querySelector(".nsewdrag").getBoundingClientRect()
        return [plot.left + xaxis.d2p(1), plot.top + yaxis.d2p(2)]
    }"""
    x, y = tab.evaluate(place)
    tab.mouse.move(x - 3, y - 3)
    tab.mouse.click(x, y)
    playwright.expect(tab).to_have_url(re.compile(r"n=100&q=0\.2|q=0\.2&n=100"))
    settled(tab)
    healthy(tab)


def test_an_edge_is_chosen_anywhere_along_it_and_the_figure_is_saved(address, tab):
    tab.set_viewport_size({"width": 1440, "height": 1200})
    tab.goto(f"{address}/graph")
    playwright.expect(tab.locator(".js-plotly-plot .main-svg").first).to_be_visible()
    settled(tab)
    place = """() => {
        const chart = document.querySelector(".js-plotly-plot"), {xaxis, yaxis} = chart._fullLayout
        const {x, y} = chart._fullData.find(({marker}) => marker?.color === "rgba(0, 0, 0, 0)")
        const plot = chart.querySelector(".nsewdrag").getBoundingClientRect()
        return [plot.left + xaxis.d2p(x[64]), plot.top + yaxis.d2p(y[64])]  // near the start of the eighth edge
    }"""
    x, y = tab.evaluate(place)
    tab.mouse.move(x - 3, y - 3)
    tab.mouse.click(x, y)
    playwright.expect(tab).to_have_url(re.compile(r"edge=7"))
    settled(tab)
    shown = tab.locator(".js-plotly-plot").first.locator(".textpoint text")
    eventually(lambda: {*shown.all_text_contents()} == {*"0123456789"}, shown.all_text_contents)
    with tab.expect_download() as saved:
        tab.locator(".js-plotly-plot").first.locator("[data-title*='ownload']").dispatch_event("click")
    assert saved.value.suggested_filename == "digits-mlp-graph.png"
    tab.get_by_role("button", name="Files: graph").click()
    for name, suffix in (("CSV", "csv"), ("HTML", "html")):  # which are written when they are asked for
        with tab.expect_download() as saved:
            tab.get_by_role("button", name=f"{name}: graph").click()
        assert saved.value.suggested_filename == f"digits-mlp-graph.{suffix}"
        assert saved.value.path().stat().st_size > 100
    healthy(tab)


@pytest.mark.parametrize("study", ["mlp-cifar10-clones", "equal-parameters-cifar10"])
def test_a_report_is_no_wider_than_paper(tmp_path, tab, study):
    """A4 with margins of a centimetre, and candidates with the longest names that are shipped."""
    page = tmp_path / "report.html"
    page.write_text(html_report(open_study(study)))
    tab.set_viewport_size({"width": 718, "height": 1046})
    tab.goto(page.as_uri())
    playwright.expect(tab.locator(".js-plotly-plot .main-svg").first).to_be_visible()
    tab.emulate_media(media="print")
    tab.evaluate("dispatchEvent(new Event('beforeprint'))")
    wide = "[...document.querySelectorAll('table, figure, .main-svg, pre')].map((e) => e.getBoundingClientRect().right)"
    assert max(tab.evaluate(wide)) <= 718


def test_a_link_opens_its_view_on_a_server_that_has_just_started(tmp_path, tab):
    with server(tmp_path) as fresh:
        tab.goto(f"{fresh}/barriers?q=0.25&scale=log")
        playwright.expect(tab.get_by_role("heading", level=1)).to_have_text("How high are the barriers?")
        settled(tab)
        healthy(tab)
        slider = tab.get_by_test_id("stSlider").filter(has_text="Quantile q").get_by_role("slider")
        playwright.expect(slider).to_have_value("0.25")
        assert tab.get_by_text("Page not found").count() == 0
        for page in ("barriers?q=0.25", "surface?q=0.25"):  # with and without a slider for q
            tab.goto(f"{fresh}/{page}")
            settled(tab)
            with tab.expect_download() as saved:
                tab.get_by_role("button", name="Report").click()
            assert "q = 0.25, n = 1000" in saved.value.path().read_text()


@pytest.mark.parametrize("query", ["q=2", "n=99999", "seed=abc", "study=unknown"])
def test_a_value_that_is_not_allowed_is_named(address, tab, query):
    tab.goto(f"{address}/graph?{query}")
    settled(tab)
    healthy(tab)
    playwright.expect(tab.get_by_test_id("stAlert").first).to_contain_text(query.split("=")[1])
    assert tab.evaluate("history.length") == 2, "the blank page and this one"


@pytest.mark.parametrize("page", ["trajectories", "graph", "walk"])
def test_parts_stand_side_by_side_only_where_each_is_legible(address, tab, page):
    """Two charts, or a picture and its words, with the side bar open, as it is at either width."""
    least = NARROWEST
    tab.set_viewport_size({"width": 960, "height": 900})
    tab.goto(f"{address}/{page}")
    parts = tab.locator("[data-testid=stGrid] .js-plotly-plot")
    if page == "walk":
        parts, least = tab.get_by_test_id("stGridCell"), 250
        playwright.expect(parts.nth(1).get_by_role("radiogroup").first).to_be_visible()
    else:
        playwright.expect(parts).to_have_count(2)
        playwright.expect(parts.nth(1).locator(".main-svg").first).to_be_visible()
    settled(tab)

    def boxes() -> list[dict[str, float]]:
        return [parts.nth(i).bounding_box() for i in range(2)]

    for width, places in ((960, 1), (1440, 2)):
        tab.set_viewport_size({"width": width, "height": 900})
        eventually(lambda places=places: len({round(box["x"]) for box in boxes()}) == places, boxes)
        eventually(lambda: min(box["width"] for box in boxes()) >= least, boxes)


def test_the_verdict_on_every_claim_is_within_two_screens(address, tab):
    tab.set_viewport_size({"width": 1440, "height": 900})
    tab.goto(f"{address}/scorecard")
    claims = tab.get_by_test_id("stExpander").filter(has_text=re.compile(r"\d (reproduced|contradicted|not decided)"))
    playwright.expect(claims).to_have_count(len(CLAIMS))
    playwright.expect(tab.locator(".js-plotly-plot .main-svg").first).to_be_visible()
    settled(tab)
    last = claims.last.bounding_box()
    assert last["y"] + last["height"] <= 2 * 900


def test_an_axis_writes_plain_numbers_where_they_fit(address, tab):
    tab.goto(f"{address}/study?study=equal-parameters-cifar10")
    ticks = tab.locator(".js-plotly-plot").nth(2).locator(".xtick text")
    playwright.expect(ticks.first).to_have_text(re.compile(r"^27,\d{3}$"))
    assert all(re.fullmatch(r"27,\d{3}", each) for each in ticks.all_text_contents())


@pytest.mark.skipif(AXE is None, reason="AXE does not name the file axe.min.js of axe-core")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_that_is_ours(address, browser, scheme):
    """The list of pages is Streamlit's, whose items axe does not take for children of a list."""
    context, found = opened(browser, viewport={"width": 1440, "height": 900}, color_scheme=scheme), []
    tab = context.new_page()
    for page in PAGES:
        tab.goto(f"{address}/{page}")
        settled(tab)
        tab.add_script_tag(path=AXE)
        seen = tab.evaluate("axe.run({exclude: ['[data-testid=stSidebarNav]']}, {resultTypes: ['violations']})")
        serious = [each for each in seen["violations"] if each["impact"] in ("serious", "critical")]
        found += [(page, each["id"], node["html"]) for each in serious for node in each["nodes"]]
    context.close()
    assert found == []


def test_a_page_that_loses_its_timer_comes_to_its_end(address, tab):
    """Streamlit now and then does not send the timer of a progress bar; here it never does."""

    def route(socket) -> None:
        def send(data: bytes) -> None:
            message = ForwardMsg.FromString(data)
            if message.auto_rerun.interval != PERIOD:
                socket.send(data)

        there = socket.connect_to_server()
        socket.on_message(there.send)
        there.on_message(send)

    tab.route_web_socket(re.compile("_stcore/stream"), route)
    link = "seeds=1&training.epochs=1&training.base_epochs=2&walk.permutations=20&candidates=hidden1 → 7"
    tab.goto(f"{address}/new?{link}")
    tab.get_by_role("button", name="Start computing").click()
    playwright.expect(tab.get_by_text(re.compile("^Computed on"))).to_be_visible(timeout=2 * WAIT)


def test_a_study_is_started_cancelled_and_finished(address, cache, tab):
    link = "n=500&seeds=1&training.epochs=4&training.base_epochs=10&walk.permutations=100&candidates=hidden1 → 8"
    tab.goto(f"{address}/new?{link}")
    tab.get_by_role("button", name="Start computing").click()
    cancel = tab.get_by_role("button", name="Cancel")
    playwright.expect(cancel).to_be_visible()
    cancel.click()
    playwright.expect(tab.get_by_text("The computation was cancelled")).to_be_visible()
    tab.get_by_role("button", name=re.compile("^(Start|Continue)$")).first.click()
    playwright.expect(tab.get_by_text(re.compile("^Computed on"))).to_be_visible(timeout=2 * WAIT)
    settled(tab)
    healthy(tab)
    slider = tab.get_by_test_id("stSlider").filter(has_text="Permutations n").get_by_role("slider")
    assert float(slider.input_value()) <= 100
    assert engine.address(cache), "the engine stays for the next study"
