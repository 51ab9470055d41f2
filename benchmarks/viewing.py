"""Server time of a slider move on each page, and the memory of the viewing process.

The result is made up: 10 seeds × 6 candidates × 20 epochs × 1000 permutations, as the paper's studies are. What is
timed is the whole run of the app's script, as Streamlit's own test harness does it, without the browser.
"""

from __future__ import annotations

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

from landscape.store.results import Store
from landscape.study import SCHEMA, validated
from landscape.study.schema import empty, study_of

ROOT = Path(__file__).parents[1]
MOVES = 7  # of a slider, on each page


def run(quick: bool) -> list[dict[str, Any]]:
    """One row a page: median and maximum of the moves in milliseconds, and the process's peak memory so far in MiB."""
    with tempfile.TemporaryDirectory() as cache:
        os.environ["LANDSCAPE_CACHE"] = cache
        label = _stored(Store(cache), quick)
        return [_moved(page, label, 2 if quick else MOVES) for page in _pages()]


def _pages() -> list[str]:
    return sorted(
        str(path.relative_to(ROOT)) for path in (ROOT / "pages").glob("*/*.py") if path.parent.name != "shared"
    )


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
    for variable in dataset.data_vars.values():
        if np.issubdtype(variable.dtype, np.floating):
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


def _moved(page: str, label: str, moves: int) -> dict[str, Any]:
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
    return {
        "page": Path(page).stem,
        "median (ms)": round(statistics.median(times[1:])),
        "maximum (ms)": round(max(times[1:])),
        "peak memory (MiB)": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "JAX imported": "jax" in sys.modules,
    }
