"""Figures as files: images by the figure's own button in the browser, and pages that need no network."""

from __future__ import annotations

import copy
from typing import Any, Literal

import plotly.graph_objects as go

ImageFormat = Literal["PNG", "SVG"]
WIDTH, LEAST_HEIGHT, SCALE = 1200, 500, 2  # of an image: wide enough for a legend, twice as sharp as a screen
INK = "#10131a"

CONFIG: dict[str, Any] = {
    "displaylogo": False,
    "modeBarButtonsToRemove": ["lasso2d", "select2d", "autoScale2d"],
    "scrollZoom": False,
}


def config(figure: go.Figure, name: str, image: ImageFormat = "PNG") -> dict[str, Any]:
    """Plotly's configuration of a figure whose button saves an image under this name, of the same size everywhere."""
    height = max(int(figure.layout.height or LEAST_HEIGHT), LEAST_HEIGHT)
    saved = {"format": image.lower(), "filename": name, "width": WIDTH, "height": height, "scale": SCALE}
    return CONFIG | {"toImageButtonOptions": saved}


def printed(figure: go.Figure) -> go.Figure:
    """A copy with dark text on white, whatever theme the figure was shown in."""
    ink = {"color": INK}
    shown = go.Figure(copy.deepcopy(figure.to_dict()), skip_invalid=True)
    shown.update_layout(template="plotly_white", font=ink, dragmode="zoom")
    return shown.update_xaxes(tickfont=ink, title_font=ink).update_yaxes(tickfont=ink, title_font=ink)


def html_file(figure: go.Figure, name: str) -> bytes:
    """A page with the figure, which can be zoomed and opens without a network; its button saves an SVG."""
    options = config(figure, name, "SVG") | {"responsive": True}
    return printed(figure).to_html(include_plotlyjs=True, config=options, div_id=name).encode()
