"""Figures that move in the browser: a play button and a slider over frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from landscape.figures.palette import NEUTRAL
from landscape.figures.style import FONT_SIZE

PAUSE = 120  # milliseconds that a frame stays
BUTTONS = 110  # pixels that they take beside the slider
Frame = dict[str, Any]  # its name, its data, and which traces these replace: as Plotly has it, which checks it once
ROOM = 64  # pixels above the axes that it takes: there, it is seen before the page is moved


def add_player(figure: go.Figure, frames: Sequence[Frame], what: str, start: int = 0) -> go.Figure:
    """Let a figure play its frames, and let a slider choose one of them.

    Args:
      figure: what is seen at first, which is frame `start`.
      frames: what each frame changes. Its name is shown at the slider.
      what: what the slider chooses, with a colon, such as "α = ".
      start: the frame at which the slider stands at first.
    """
    now: dict[str, Any] = {"mode": "immediate", "transition": {"duration": 0}}
    play = {**now, "frame": {"duration": PAUSE, "redraw": True}, "fromcurrent": True}
    jump = {**now, "frame": {"duration": 0, "redraw": True}}
    buttons = [
        {"label": "▶", "method": "animate", "args": [None, play]},
        {"label": "❚❚", "method": "animate", "args": [[None], jump]},
    ]
    steps = [{"label": each["name"], "method": "animate", "args": [[each["name"]], jump]} for each in frames]
    figure.frames = frames
    place = {"x": 0, "xanchor": "left", "y": 1, "yanchor": "bottom"}
    menu = place | {
        "type": "buttons", "direction": "left", "showactive": False, "buttons": buttons, "bgcolor": "rgba(0,0,0,0)",
        "bordercolor": NEUTRAL, "pad": {"t": 0, "r": 0, "b": 14, "l": 0}, "font": {"size": FONT_SIZE},
    }  # fmt: skip
    slider = place | {
        "active": start, "steps": steps, "len": 1, "pad": {"t": 0, "b": 0, "l": BUTTONS, "r": 10},
        "currentvalue": {"prefix": what, "font": {"size": FONT_SIZE}, "offset": 6}, "ticklen": 0, "minorticklen": 0,
        "bordercolor": NEUTRAL, "font": {"size": 1}, "transition": {"duration": 0},
    }  # fmt: skip
    return figure.update_layout(updatemenus=[menu], sliders=[slider], margin_t=ROOM)
