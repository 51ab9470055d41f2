"""Every page renders on the shipped study without an exception, follows its sliders, and never imports JAX."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).parents[1]
PAGES = sorted(path.name for path in (ROOT / "pages" / "explore").glob("*.py"))


def opened(page: str = "study.py", **parameters: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    for name, value in parameters.items():
        app.query_params[name] = value
    app.run()
    return app if page == "study.py" else app.switch_page(f"pages/explore/{page}").run()


@pytest.mark.parametrize("page", PAGES)
def test_page_renders_and_says_what_it_shows(page):
    app = opened(page)
    assert not app.exception
    assert app.title[0].value
    assert app.get("plotly_chart")


@pytest.mark.parametrize("page", [page for page in PAGES if page != "interpolation.py"])  # it has no q
def test_a_slider_moves_the_page(page):
    app = opened(page)
    app.slider(key="q").set_value(0.1).run()
    assert not app.exception
    assert app.slider(key="q").value == pytest.approx(0.1)


@pytest.mark.parametrize(("name", "value"), [("q", "7"), ("n", "100000"), ("study", "no-such"), ("n", "many")])
def test_a_hand_edited_address_leaves_the_page_up(name, value):
    app = opened(**{name: value})
    assert not app.exception
    assert app.title[0].value


def test_viewing_does_not_import_jax():
    code = (
        "import sys; from streamlit.testing.v1 import AppTest; "
        f"app = AppTest.from_file({str(ROOT / 'app.py')!r}, default_timeout=60).run(); "
        "assert not app.exception, app.exception; assert app.title; sys.exit('jax' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=120)
