"""A link reproduces the view: what a visitor sees follows from the address alone, not from how they came there."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from landscape.store.results import Store

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_scan")]

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    str(path.relative_to(ROOT)) for folder in ("explore", "compare") for path in (ROOT / "pages" / folder).glob("*.py")
)
SHIPPED = sorted(entry.name for entry in Store().entries().entries if entry.shipped)


def opened(page: str, link: dict[str, str | list[str]]) -> AppTest:
    """A page in a fresh session."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=300)
    app.query_params.update(link)
    return app.switch_page(page).run()


def link(app: AppTest) -> dict[str, str | list[str]]:
    """What a browser has in its address: the value of every bound control that is not at its default."""
    return {name: value for name, value, default in controls(app) if value != default}


def controls(app: AppTest) -> Iterator[tuple[str, str | list[str], str | list[str]]]:
    """Name, value and default of every bound control, as texts of a link."""
    for slider in app.slider:
        yield slider.key, f"{slider.value:g}", f"{slider.proto.default[0]:g}"
    for box in app.selectbox:
        yield box.key, box.value, box.options[box.proto.default]
    for group in app.button_group:
        default = [group.options[place] for place in group.proto.default]
        yield group.key, group.value, default if isinstance(group.value, list) else default[0]
    for switch in app.toggle:
        yield switch.key, str(switch.value).lower(), str(switch.proto.default).lower()


def view(app: AppTest) -> list[str]:
    """All that a page says, draws and lists."""
    texts = [block.value for kind in (app.title, app.subheader, app.markdown, app.caption) for block in kind]
    figures = [chart.proto.spec for chart in app.get("plotly_chart")]
    return [*texts, *figures, *(table.value.to_csv() for kind in (app.dataframe, app.table) for table in kind)]


def touch(app: AppTest) -> None:
    """Move every control of a page that is still at its default away from it."""
    for slider in app.slider:
        slider.set_value(slider.min + slider.step * round((slider.max - slider.min) / slider.step / 3))
    for group in app.button_group:
        group.set_value(group.options[-2:] if isinstance(group.value, list) else group.options[-1])
    for switch in app.toggle:
        switch.set_value(True)
    app.run()


@pytest.mark.parametrize(("page", "study"), list(zip(PAGES, cycle(SHIPPED), strict=False)))
def test_a_link_opened_elsewhere_shows_the_same(page: str, study: str) -> None:
    """After going to another study with every control as it is, and to one more with every control moved."""
    app = opened(page, {})
    app.selectbox(key="study").set_value("tinybert").run()
    assert view(opened(page, link(app))) == view(app)
    touch(app)
    app.selectbox(key="study").set_value(study).run()
    assert not app.exception and not app.warning
    assert view(opened(page, link(app))) == view(app)


def test_settings_that_no_page_has_are_named_once_and_those_of_other_pages_are_not() -> None:
    app = opened(
        "pages/learn/copies.py", {"colour": "blue", "$x$": "1", "guess_line": "yes", "training.epochs": "3", "q": "0.2"}
    )
    assert not app.exception and not app.warning
    assert [each.value for each in app.info] == [
        "The link has settings that this app does not know: `colour`, `$x$`. They are left out."
    ]
