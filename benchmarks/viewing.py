"""How fast the app opens in a real browser and what that is spent on, the server time of a slider move on each page,
and the memory of the viewing process.

The browser shows the shipped results. For slider moves the result is made up: 10 seeds × 6 candidates × 20 epochs ×
1000 permutations, as the paper's studies are. What is timed there is the whole run of the app's script, as Streamlit's
own test harness does it, without the browser.
"""

from __future__ import annotations

import math
import os
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from streamlit.testing.v1 import AppTest

from benchmarks._opening import opening
from landscape.store.results import Store
from landscape.study import SCHEMA, validated
from landscape.study.schema import empty, study_of
from pages.shared import serving

ROOT = Path(__file__).parents[1]
MOVES = 7  # of a slider, on each page
MOVE, AIM = "server time of a slider move (ms)", 100


def run(quick: bool) -> list[dict[str, Any]]:
    """A row for each thing measured: median and maximum, and the most that it should be."""
    with tempfile.TemporaryDirectory() as cache:
        try:
            opened = [_row(each.what, each.page, each.seconds, each.aim, 2) for each in opening(Path(cache), quick)]
        except ValueError as missing:
            opened = [_row(f"in a browser: nothing, since {missing}", "", [math.nan], None, 0)]
        os.environ["LANDSCAPE_CACHE"] = cache
        label = _stored(Store(cache), quick)
        serving.spare_what_stays()  # as the server does at its start
        moves = 1 if quick else MOVES
        moved = [_row(MOVE, Path(page).stem, _moved(page, label, moves), AIM, 0) for page in _pages(quick)]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    return [*opened, *moved, _row("peak memory of the server process (MiB)", "", [memory], None, 0)]


def _row(what: str, page: str, values: list[float], aim: float | None, digits: int) -> dict[str, Any]:
    middle, worst = (f"{value:.{digits}f}" for value in (statistics.median(values), max(values)))
    missed = "missed" if aim is not None and statistics.median(values) > aim else ""
    return {"measured": what, "page": page, "median": middle, "maximum": worst, "aim": aim or "", "": missed}


def _pages(quick: bool) -> list[str]:
    """Every page, or every tenth of them."""
    pages = [path for path in (ROOT / "pages").glob("*/*.py") if path.parent.name != "shared"]
    return sorted(str(page.relative_to(ROOT)) for page in pages)[:: 10 if quick else 1]


def _stored(store: Store, quick: bool) -> str:
    """Put a made-up result of the size of the paper's in the store; its label in the app."""
    content = {
        "name": "viewing",
        "model": {"kind": "mlp", "hidden": [20]},
        "candidates": [[{"widen": "hidden1", "size": size}] for size in (24, 28, 32, 40, 48, 60)],
        "training": {"base_epochs": 20, "epochs": 20},
        "walk": {"group": "hidden1", "permutations": 100 if quick else 1000, "checkpoints": 12, "nodes": 12},
        "seeds": 2 if quick else 10,
    }
    dataset, random = empty(validated(content)), np.random.default_rng(0)
    for name, variable in dataset.data_vars.items():
        if str(name).endswith("accuracy"):
            variable.values[:] = random.uniform(size=variable.shape)
        elif np.issubdtype(variable.dtype, np.floating):
            variable.values[:] = random.exponential(size=variable.shape)
        else:
            variable.values[:] = random.integers(1, 20, variable.shape)
    points = random.normal(size=(dataset.sizes["node"], 50))
    dataset["node_distance"].values[:] = np.linalg.norm(points[:, None] - points, axis=-1)
    study = study_of(dataset)
    described = {"key": study.key, "name": study.name, "title": "", "study": study.model_dump(mode="json")}
    made = {"schema": SCHEMA, "device": "none", "seconds": 1.0, "computed": "2000-01-01T00:00:00+00:00", "versions": {}}
    store.write(dataset, described | made)
    return f"{study.name}-{study.key[:6]}"


def _moved(page: str, label: str, moves: int) -> list[float]:
    """Milliseconds of each move of a slider of a page, or of each run where it has none."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    app.query_params["study"] = label
    app.run()
    app.switch_page(page).run()
    name = next((slider.key for slider in app.slider if slider.key in ("q", "curves")), None)
    times = []
    for move in range(moves + 1):
        if name is not None:
            app.slider(key=name).set_value(0.2 + 0.02 * move if name == "q" else 1 + move % 5)
        start = time.perf_counter()
        app.run()
        times.append(1000 * (time.perf_counter() - start))
        if app.exception:
            raise RuntimeError(f"{page}: {app.exception[0].value}")
    if "jax" in sys.modules:
        raise RuntimeError(f"{page} imported JAX")
    return times[1:]
