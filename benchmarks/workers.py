"""What another process is worth: a whole `landscape run` by one process and by two, wall time and time of processors.

Each is run with nothing compiled before, and again with everything compiled. Wall times say something on an idle
machine only; the time of processors says on any machine what processes cost.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks._measure import digits
from benchmarks.study import RUN, TINY, keep_programs

STUDY = "digits-mlp"
WORKERS = (1, 2)


def run(quick: bool) -> list[dict[str, Any]]:
    """One row for each number of workers and state of the compiled programs."""
    rows, alone = [], dict[str, float]()
    with TemporaryDirectory() as folder:
        (tiny := Path(folder) / "tiny.toml").write_text(TINY)
        for workers in WORKERS:
            cache = Path(folder) / str(workers)
            for programs in ("nothing compiled", "all compiled"):
                wall, processors = _run(str(tiny) if quick else STUDY, cache, workers)
                row = {"workers": workers, "programs": programs, "wall (s)": digits(wall)}
                share = digits(wall / alone.setdefault(programs, wall))
                rows.append(row | {"processors (s)": digits(processors), "share of the wall time of one": share})
                keep_programs(cache)
    return rows


def _run(study: str, cache: Path, workers: int) -> tuple[float, float]:
    """Wall seconds of a run, and seconds of processors of it and of its workers."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    before, since = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-c", RUN, study, str(cache), str(workers)]
    subprocess.run(command, env=own, check=True, capture_output=True)
    wall, after = time.perf_counter() - since, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
