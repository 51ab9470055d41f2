"""Many visitors at once: sessions over real WebSockets that move a slider of shipped studies, while a study computes.

Each session is what a browser is to the server: it opens a page, answers what it is shown with a new value of the
slider, and waits until the page is drawn again. Without browsers, the time of a move is the server's alone. All come
twice, and the server's memory is taken each time after they have left.
"""

from __future__ import annotations

import asyncio
import itertools
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psutil
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.Slider_pb2 import Slider
from tornado.websocket import WebSocketClientConnection, websocket_connect

from benchmarks._browser import answering, server
from benchmarks._measure import Aim, short_of
from landscape.jobs.background.client import connect
from landscape.study import from_toml

PAGES = ("study", "barriers", "trajectories", "predictors", "sensitivity")
STUDIES = ("digits-mlp", "cnn-cifar10", "tinybert")
SLIDER = "q"
PAUSE = 1.0  # seconds for which a visitor looks at a page between two moves
LONGEST = 60.0  # seconds that a page may take
BUSY = """
candidates = [[{ widen = "hidden1", size = 9 }], [{ widen = "hidden1", size = 12 }]]
seeds = 100
model = { kind = "mlp", hidden = [6] }
training = { batch_size = 100, base_epochs = 100, epochs = 100 }
walk = { group = "hidden1" }
"""
MOVE, GROWTH = "median move (ms)", "memory of the second visit over that of the first"
AIMS = (Aim(MOVE, 500, most=True), Aim(GROWTH, 1.1, most=True))


def run(quick: bool) -> list[dict[str, Any]]:
    """One row: how long moves took, what went wrong, and the server's memory."""
    sessions, seconds = (3, 15.0) if quick else (25, 60.0)
    with tempfile.TemporaryDirectory() as folder, server(Path(folder)) as address:
        answering(address)
        process = next(each for each in psutil.Process().children() if "streamlit" in " ".join(each.cmdline()))
        jobs = connect(folder)
        (file := Path(folder) / "busy.toml").write_text(BUSY)
        jobs.submit(study := from_toml(file))
        visits = []
        for _ in range(2):
            visits.append(asyncio.run(_visit(address, sessions, seconds)))
            visits[-1]["memory"] = process.memory_info().rss / 2**20
        computing = bool((progress := jobs.progress(study.key)) and progress.active)
        jobs.cancel(study.key)
        jobs.close()
        _end(Path(folder))
    return [_row(sessions, visits, computing)]


def _row(sessions: int, visits: list[dict[str, Any]], computing: bool) -> dict[str, Any]:
    moves = sorted(1000 * each for visit in visits for each in visit["moves"])
    row = {
        "sessions": sessions,
        "moves": len(moves),
        MOVE: round(statistics.median(moves)),
        "95 % of moves within (ms)": round(moves[int(0.95 * (len(moves) - 1))]),
        "errors": "; ".join(sorted({error for visit in visits for error in visit["errors"]})),
        "memory after each visit (MiB)": ", ".join(f"{visit['memory']:.0f}" for visit in visits),
        GROWTH: round(visits[1]["memory"] / visits[0]["memory"], 3),
        "a study was computed until the end": computing,
    }
    return row | {"short of its aim": short_of(row, AIMS)}


async def _visit(address: str, sessions: int, seconds: float) -> dict[str, Any]:
    """All sessions at once: the seconds of their moves, and the errors that they were shown."""
    until = time.monotonic() + seconds
    views = itertools.islice(zip(itertools.cycle(PAGES), itertools.cycle(STUDIES), strict=False), sessions)
    found = await asyncio.gather(*(_session(address, page, study, until) for page, study in views))
    return {"moves": [move for moves, _ in found for move in moves], "errors": {error for _, e in found for error in e}}


async def _session(address: str, page: str, study: str, until: float) -> tuple[list[float], list[str]]:
    """One visitor, from the first page to the last move."""
    stream = f"{address.replace('http', 'ws')}/_stcore/stream"
    connection = await websocket_connect(stream, subprotocols=["streamlit"], max_message_size=2**28)
    slider, errors = await _drawn(connection, _rerun(page, study))
    moves: list[float] = []
    values = _values()
    while slider and time.monotonic() < until:
        await asyncio.sleep(PAUSE)
        asked, since = _rerun(page, study, slider, next(values)), time.monotonic()
        again, told = await _drawn(connection, asked)
        moves.append(time.monotonic() - since)
        slider, errors = again or slider, errors + told
    connection.close()
    return moves, errors if slider else [*errors, f"{page} of {study} has no slider"]


def _values() -> Iterator[float]:
    return itertools.cycle(round(0.05 * step, 2) for step in range(1, 19))


def _rerun(page: str, study: str, slider: Slider | None = None, value: float = 0.0) -> BackMsg:
    """What a browser sends to have a page drawn, with the new value of its slider."""
    asked = BackMsg()
    asked.rerun_script.page_name = page
    asked.rerun_script.query_string = urlencode({"study": study} | ({SLIDER: value} if slider else {}))
    if slider:
        asked.rerun_script.widget_states.widgets.add(id=slider.id).double_array_value.data.append(value)
    return asked


async def _drawn(connection: WebSocketClientConnection, asked: BackMsg) -> tuple[Slider | None, list[str]]:
    """Ask for a page and wait until it is drawn: its slider, and the errors on it."""
    await connection.write_message(asked.SerializeToString(), binary=True)
    slider: Slider | None = None
    errors: list[str] = []
    while True:
        message = await asyncio.wait_for(connection.read_message(), LONGEST)
        if not isinstance(message, bytes):
            return slider, [*errors, "the server has closed the connection"]
        heard = ForwardMsg.FromString(message)
        element = heard.delta.new_element
        if element.HasField("slider") and element.slider.id.endswith(f"-{SLIDER}"):
            slider = element.slider
        if element.HasField("exception"):
            errors.append(f"{element.exception.type}: {element.exception.message:.200}")
        if heard.WhichOneof("type") == "script_finished":
            return slider, errors


def _end(cache: Path) -> None:
    """End the engine of a cache folder and wait for it."""
    engines = [each for each in psutil.process_iter() if f"engine --cache {cache}" in " ".join(_command(each))]
    for each in engines:
        each.terminate()
    psutil.wait_procs(engines, timeout=30)


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
